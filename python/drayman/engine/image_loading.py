"""``docker load``, the part that blocks: from a request body to images without names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import msgspec

from drayman.engine import image_references
from drayman.engine.image_references import Reference
from drayman.errors import DraymanError, InvalidParameter
from drayman.model.image import Image
from drayman.storage import docker_archive, image_config, oci_layout, platforms, temporary
from drayman.storage.archive import Archive, ArchivedImage, spooled
from drayman.storage.content import Content
from drayman.storage.layers import Body, Layers, chain_ids
from drayman.storage.paths import Paths


@dataclass(frozen=True)
class LoadedImage:
    """An image whose layers and configuration are on the disk, and what to call it."""

    image: Image
    names: list[Reference]
    manifest_digest: str
    # Layers that were not here before.
    new_diff_ids: list[str]


@dataclass
class Loaded:
    """What came of an archive: the images before the first that failed, and why that did."""

    images: list[LoadedImage] = field(default_factory=list)
    error: str = ""
    surplus: bytes = b""


@dataclass(frozen=True)
class Loader:
    """Takes archives in."""

    paths: Paths
    layers: Layers
    content: Content

    def load(self, body: Body, holds: ExitStack) -> Loaded:
        """Unpack an archive and every image in it; blocks. The layers are held until
        ``holds`` is closed. Raises what a bad outer tar raises; what is wrong behind
        that is told by the result."""
        loaded = Loaded()
        with (
            temporary.directory(self.paths) as place,
            spooled(place, body) as (archive, surplus),
        ):
            loaded.surplus = surplus
            try:
                for found in _images(archive):
                    loaded.images.append(self._take_in(archive, found, body.cancel_fd, holds))
            except (DraymanError, OSError) as error:
                loaded.error = str(error)
        return loaded

    def _take_in(
        self, archive: Archive, found: ArchivedImage, cancel_fd: int | None, holds: ExitStack
    ) -> LoadedImage:
        document = image_config.parse(found.config)
        diff_ids = document.rootfs.diff_ids
        if len(found.layers) != len(diff_ids):
            raise InvalidParameter(
                "invalid manifest, layers length mismatch:"
                f" expected {len(found.layers)}, got {len(diff_ids)}"
            )

        @contextmanager
        def layer(number: int) -> Iterator[Body]:
            with archive.open(found.layers[number]) as descriptor:
                yield Body(descriptor, cancel_fd=cancel_fd)

        names = [image_references.parse(name).tagged() for name in found.names]
        layer_ids = chain_ids(diff_ids)
        holds.enter_context(self.layers.held(layer_ids))
        new_diff_ids = self.layers.add(diff_ids, layer)
        image = describe(self.content.put(found.config), document)
        return LoadedImage(
            image=with_size(image, self.layers),
            names=names,
            manifest_digest=found.manifest_digest,
            new_diff_ids=new_diff_ids,
        )


def describe(image_id: str, document: image_config.ImageDocument) -> Image:
    """The record of an image that has no names yet."""
    return Image(
        id=image_id,
        config=document.config,
        architecture=document.architecture,
        variant=document.variant,
        os=document.os or "linux",
        author=document.author,
        comment=document.comment,
        created=document.created,
        diff_ids=document.rootfs.diff_ids,
        layer_ids=chain_ids(document.rootfs.diff_ids),
    )


def with_size(image: Image, layers: Layers) -> Image:
    """The record with the bytes of its layers, which are measured; blocks."""
    size = sum(layers.size_bytes(layer_id) for layer_id in image.layer_ids)
    return msgspec.structs.replace(image, size_bytes=size)


def _images(archive: Archive) -> Iterator[ArchivedImage]:
    # Archives of newer docker hold both; `manifest.json` is the plainer of the two.
    if archive.has(docker_archive.MANIFEST) or not archive.has(oci_layout.INDEX):
        return docker_archive.images(archive)
    return oci_layout.images(archive, platforms.host())
