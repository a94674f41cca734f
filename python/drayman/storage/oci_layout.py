"""The OCI image layout: ``index.json`` leads over manifests to blobs, all named by digest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from drayman.errors import InvalidParameter
from drayman.model import go_json
from drayman.storage.archive import Archive, ArchivedImage
from drayman.storage.content import digest_of
from drayman.storage.platforms import Platform

INDEX = "index.json"

# An index in an index in an index is legal; a loop is not possible, a tower is.
_DEPTH_LIMIT = 4
_DESCRIPTORS_LIMIT = 1000

_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
# containerd's annotation holds a whole name; OCI's may hold a tag alone, which names nothing.
_NAME_ANNOTATION = "io.containerd.image.name"
_REFERENCE_ANNOTATION = "org.opencontainers.image.ref.name"


class DescribedPlatform(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that a manifest is for."""

    os: str = ""
    architecture: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    """A blob: its digest, and what it is."""

    media_type: str = msgspec.field(default="", name="mediaType")
    digest: str = ""
    size: int = 0
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    platform: DescribedPlatform | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An index (`manifests`) or a manifest (`config` and `layers`)."""

    media_type: str = msgspec.field(default="", name="mediaType")
    manifests: list[Descriptor] = msgspec.field(default_factory=list)
    config: Descriptor | None = None
    layers: list[Descriptor] = msgspec.field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    digest: str
    manifest: Document
    platform: Platform | None


def images(archive: Archive, wanted: Platform) -> Iterator[ArchivedImage]:
    """The images, one for each name: of several platforms the one that fits best; one that
    stands alone is taken whatever its platform, as ``docker load`` does.

    Raises InvalidParameter for a broken layout, or a name without a platform that fits.
    """
    reader = _Reader(archive)
    index = go_json.loads(archive.read(INDEX), Document)
    by_name: dict[str, list[_Candidate]] = {}
    for descriptor in index.manifests:
        found = reader.candidates(descriptor, 1)
        by_name.setdefault(_name(descriptor), []).extend(found)
    for name, candidates in by_name.items():
        for chosen in _choose(name, candidates, wanted):
            yield reader.image(chosen, [name] if name else [])


def _choose(name: str, candidates: list[_Candidate], wanted: Platform) -> list[_Candidate]:
    unique = list({candidate.digest: candidate for candidate in candidates}.values())
    if len(unique) == 1:
        return unique
    fitting = [one for one in unique if one.platform is None or one.platform.rank(wanted)]
    if not fitting:
        raise InvalidParameter(
            f"image {name or 'without a name'} was found but does not provide"
            f" the specified platform ({wanted})"
        )
    if not name:
        # Several images that nobody named are several images.
        return fitting
    return [max(fitting, key=lambda one: one.platform.rank(wanted) if one.platform else 1)]


def _name(descriptor: Descriptor) -> str:
    name = descriptor.annotations.get(_NAME_ANNOTATION, "")
    if not name:
        reference = descriptor.annotations.get(_REFERENCE_ANNOTATION, "")
        name = reference if ":" in reference or "/" in reference else ""
    return name


class _Reader:
    """Reads what descriptors lead to, and stops at a limit."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._descriptors = 0

    def candidates(self, descriptor: Descriptor, depth: int) -> list[_Candidate]:
        """The manifests that a descriptor leads to, attestations left out."""
        self._descriptors += 1
        if depth > _DEPTH_LIMIT or self._descriptors > _DESCRIPTORS_LIMIT:
            raise InvalidParameter("the index of the image is too deep or too long")
        if "vnd.docker.reference.type" in descriptor.annotations:
            return []
        document = go_json.loads(self._blob(descriptor), Document)
        is_index = (descriptor.media_type or document.media_type) in _INDEX_TYPES
        if is_index or (document.config is None and document.manifests):
            return [
                candidate
                for inner in document.manifests
                for candidate in self.candidates(inner, depth + 1)
            ]
        platform = descriptor.platform
        return [
            _Candidate(
                descriptor.digest,
                document,
                Platform(platform.os, platform.architecture, platform.variant)
                if platform
                else None,
            )
        ]

    def image(self, chosen: _Candidate, names: list[str]) -> ArchivedImage:
        """An image, its configuration read and every layer's presence and size checked."""
        if chosen.manifest.config is None:
            raise InvalidParameter(f"manifest {chosen.digest} has no config")
        for layer in chosen.manifest.layers:
            with self._archive.open(_path(layer)) as descriptor:
                found = os.fstat(descriptor).st_size
            if layer.size and found != layer.size:
                raise InvalidParameter(
                    f"unexpected size {found} of {layer.digest}, expected {layer.size}"
                )
        return ArchivedImage(
            config=self._blob(chosen.manifest.config),
            layers=[_path(layer) for layer in chosen.manifest.layers],
            names=names,
            manifest_digest=chosen.digest,
        )

    def _blob(self, descriptor: Descriptor) -> bytes:
        content = self._archive.read(_path(descriptor))
        if digest_of(content) != descriptor.digest:
            raise InvalidParameter(
                f"unexpected digest {digest_of(content)}, expected {descriptor.digest}"
            )
        return content


def _path(descriptor: Descriptor) -> str:
    found = _DIGEST.fullmatch(descriptor.digest)
    if not found:
        raise InvalidParameter(f"invalid checksum digest format: {descriptor.digest!r}")
    return f"blobs/sha256/{found[1]}"
