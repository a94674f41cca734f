"""Every image the engine has, by id and by name; in memory, and written through."""

from __future__ import annotations

import re

from drayman.engine import image_references
from drayman.engine.blocking import blocking
from drayman.engine.store import Store
from drayman.errors import NotFound
from drayman.model.image import Image

_ID_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})", re.ASCII)


class ImageIndex:
    """Finds images as Docker does. Changes are durable before they are seen."""

    def __init__(self, store: Store) -> None:
        """Read them all; blocks."""
        self._store = store
        self._images = {image.id: image for image in store.images.all()}
        self._names: dict[str, str] = {}
        self._read_names()

    def all(self) -> list[Image]:
        """Every image, in no order."""
        return [image for image in list(self._images.values()) if not image.removed]

    def removed(self) -> list[Image]:
        """The images that are kept for their containers alone."""
        return [image for image in list(self._images.values()) if image.removed]

    def by_id(self, image_id: str) -> Image | None:
        """By full id, those kept for their containers too."""
        return self._images.get(image_id)

    def by_name(self, familiar: str) -> Image | None:
        """By ``repository:tag`` or ``repository@digest``, in familiar form."""
        return self._images.get(self._names.get(familiar, ""))

    def find(self, name: str) -> Image:
        """By id, then by name, then by unique beginning of an id (moby, ImageService.GetImage).

        Raises InvalidParameter for what could not be a name, else NotFound.
        """
        image = self._images.get(name) or self._images.get(f"sha256:{name}")
        if image is not None and not image.removed:
            return image
        missing = image_references.missing_text(name)
        if not missing.startswith("sha256:"):
            image = self.by_name(missing) or self._by_digest(missing)
            if image is not None:
                return image
        prefix = _ID_PREFIX.fullmatch(name)
        if prefix:
            whole = f"sha256:{prefix[1]}"
            matches = [image for image in self.all() if image.id.startswith(whole)]
            if len(matches) == 1:
                return matches[0]
        raise NotFound(f"No such image: {missing}")

    async def put(self, *images: Image) -> None:
        """Write images, all or none."""
        await blocking(self._store.images.put, *images)
        self._images.update({image.id: image for image in images})
        self._read_names()

    async def delete(self, *image_ids: str) -> None:
        """Forget images, all or none."""
        await blocking(self._store.images.delete, *image_ids)
        for image_id in image_ids:
            self._images.pop(image_id, None)
        self._read_names()

    def _by_digest(self, familiar: str) -> Image | None:
        """``name:tag@digest`` means what ``name@digest`` does."""
        reference = image_references.parse(familiar)
        if not reference.digest:
            return None
        return self.by_name(f"{reference.familiar_name}@{reference.digest}")

    def _read_names(self) -> None:
        self._names = {
            name: image.id
            for image in self._images.values()
            for name in (*image.tags, *image.digests)
        }
