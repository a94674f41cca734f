"""The layout that ``docker save`` has written since 1.10: ``manifest.json`` names all."""

from __future__ import annotations

from collections.abc import Iterator

from drayman.errors import InvalidParameter
from drayman.model import go_json
from drayman.model.go_json import Wire
from drayman.storage.archive import Archive, ArchivedImage

MANIFEST = "manifest.json"


class ManifestItem(Wire, frozen=True, kw_only=True):
    """One image; paths are of files in the archive."""

    config: str = ""
    repo_tags: list[str] | None = None
    layers: list[str] | None = None


def images(archive: Archive) -> Iterator[ArchivedImage]:
    """The images, read one by one. Raises InvalidParameter when one cannot be."""
    document = archive.read(MANIFEST)
    if document.strip() == b"null":
        raise InvalidParameter("invalid manifest, manifest cannot be null (but can be [])")
    for item in go_json.loads(document, list[ManifestItem]):
        yield ArchivedImage(
            config=archive.read(item.config),
            layers=item.layers or [],
            names=item.repo_tags or [],
        )
