"""Images on this host: what ``ImageBackend`` asks, and what containers need of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from msgspec.structs import replace

from drayman.api.backend import Filters
from drayman.api.lending import Framing
from drayman.engine import image_filters, image_references, image_removal, image_views
from drayman.engine.blocking import blocking, interruptible
from drayman.engine.events import Events
from drayman.engine.image_index import ImageIndex
from drayman.engine.image_loading import Loaded, LoadedImage, Loader, describe, with_size
from drayman.engine.store import Store
from drayman.errors import NotFound
from drayman.model.container import Container
from drayman.model.go_time import rfc3339
from drayman.model.image import Image, ImageConfig
from drayman.storage import image_config, importer, instructions, platforms
from drayman.storage.content import Content
from drayman.storage.layers import Body, Layers
from drayman.storage.paths import Paths

# Of a diff id, as the progress of a load shows it.
_PROGRESS_ID_CHARACTERS = 12


class Images:
    """Finds, takes in, names and removes images; `in_use` tells an image's containers."""

    def __init__(
        self,
        paths: Paths,
        store: Store,
        events: Events,
        layers: Layers,
        in_use: Callable[[str], list[Container]],
    ) -> None:
        """Read what the store knows; blocks."""
        self._paths = paths
        self._events = events
        self._layers = layers
        self._in_use = in_use
        self._index = ImageIndex(store)
        self._content = Content(paths)
        # Of loads that a kill cut short.
        self._content.collect({image.id for image in self._everything()})
        # Names move from one image to another: one change at a time.
        self._changing = asyncio.Lock()

    # ---- for containers

    def all(self) -> list[Image]:
        """Every image."""
        return self._index.all()

    def get(self, name: str) -> Image:
        """As a client names it. By its full id, an image that was removed while containers
        need it is found too. NotFound; InvalidParameter for what is no name."""
        return self._index.by_id(name) or self._index.find(name)

    def lower(self, image_id: str) -> list[str]:
        """The directories that overlayfs stacks below a container of an image, topmost
        first. NotFound for an id that no image has."""
        image = self._index.by_id(image_id)
        if image is None:
            raise NotFound(f"No such image: {image_id}")
        return self._layers.lower(image.layer_ids)

    def stack(self, name: str) -> list[str]:
        """The directories of an image's own layers, topmost first; raises as `get`."""
        return self._layers.stack(self.get(name).layer_ids)

    async def sweep(self) -> None:
        """Let go what nobody needs any more: at start, and after containers are removed."""
        async with self._changing:
            unneeded = [image.id for image in self._index.removed() if not self._in_use(image.id)]
            await self._index.delete(*unneeded)
            await self._collect()

    # ---- questions

    async def image_list(
        self, *, all: bool, filters: Filters, shared_size: bool
    ) -> list[dict[str, Any]]:
        """The documents of the list, newest first. ``all`` adds nothing: no intermediate
        images are made here."""
        chosen = image_filters.choose(self._index.all(), filters, self._index.find)
        chosen.sort(key=lambda image: (image_config.seconds_of(image.created), image.id))
        chosen.reverse()
        shared = await blocking(self._shared_bytes, chosen) if shared_size else {}
        return [
            image_views.summary(image, len(self._in_use(image.id)), shared.get(image.id, -1))
            for image in chosen
        ]

    async def image_get(self, name: str) -> Image:
        """The record itself."""
        return self._index.find(name)

    async def image_inspect(self, name: str) -> dict[str, Any]:
        """The document of inspect."""
        image = self._index.find(name)
        return image_views.inspection(image, self._layers.stack(image.layer_ids))

    async def image_history(self, name: str) -> list[dict[str, Any]]:
        """The steps of its making, newest first."""
        image = self._index.find(name)

        def read() -> list[dict[str, Any]]:
            document = image_config.parse(self._content.get(image.id))
            return image_views.history(image, document, self._layers.size_bytes)

        return await blocking(read)

    # ---- names

    async def image_tag(self, name: str, repository: str, tag: str) -> None:
        """Add a name, taking it from the image that had it."""
        reference = image_references.parse_for_tag(repository, tag)
        async with self._changing:
            image = self._index.find(name)
            await self._index.put(*self._naming(image, [reference.familiar]))
        self._tell(image, "tag", reference.familiar)

    def _naming(self, image: Image, names: list[str]) -> list[Image]:
        """The records to write so that the image has the names, and no other one."""
        losers: dict[str, Image] = {}
        for name in names:
            holder = self._index.by_name(name)
            if holder is not None and holder.id != image.id:
                loser = losers.get(holder.id, holder)
                losers[holder.id] = replace(
                    loser, tags=[kept for kept in loser.tags if kept != name]
                )
        tags = sorted({*image.tags, *names})
        named = replace(image, tags=tags, last_tag_ns=time.time_ns()) if names else image
        return [*losers.values(), named]

    # ---- removal

    async def image_remove(self, name: str, *, force: bool, prune: bool) -> list[dict[str, str]]:
        """Take a name away, and the image with its last one. ``prune`` asks for parents,
        which images here do not have."""
        async with self._changing:
            image = self._index.find(name)
            users = self._in_use(image.id)
            if image_removal.is_id_prefix(image, name):
                if image_removal.one_name(image):
                    image_removal.refuse_deletion(image, users, force=force, names_matter=False)
                else:
                    image_removal.refuse_deletion(image, users, force=force)
                return await self._delete(image, users, [*image.tags, *image.digests])
            if not force:
                image_removal.refuse_untagging(image, name, users)
            untagged = self._names_that_go(image, name)
            left = [one for one in (*image.tags, *image.digests) if one not in untagged]
            in_the_way = [user for user in users if user.state.running or not force]
            if left or in_the_way:
                return await self._untag(image, untagged)
            return await self._delete(image, users, untagged)

    @staticmethod
    def _names_that_go(image: Image, name: str) -> list[str]:
        """The name, and with its repository's last tag that repository's digests."""
        reference = image_references.parse(name).tagged()
        repository = reference.familiar_name
        if reference.digest:
            return [f"{repository}@{reference.digest}"]
        left = [tag for tag in image.tags if tag != reference.familiar]
        if any(tag.rpartition(":")[0] == repository for tag in left):
            return [reference.familiar]
        same = [digest for digest in image.digests if digest.partition("@")[0] == repository]
        return [reference.familiar, *same]

    async def _untag(self, image: Image, names: list[str]) -> list[dict[str, str]]:
        await self._index.put(
            replace(
                image,
                tags=[tag for tag in image.tags if tag not in names],
                digests=[digest for digest in image.digests if digest not in names],
            )
        )
        self._tell(image, "untag", image.id)
        return [{"Untagged": one} for one in names]

    async def _delete(
        self, image: Image, users: list[Container], names: list[str]
    ) -> list[dict[str, str]]:
        if users:
            # Stopped containers can still be started.
            await self._index.put(replace(image, tags=[], digests=[], removed=True))
        else:
            await self._index.delete(image.id)
        for _ in names:
            self._tell(image, "untag", image.id)
        self._tell(image, "delete", image.id)
        gone = set(await self._collect())
        if not users:
            await blocking(self._content.delete, image.id)
        return [
            *({"Untagged": one} for one in names),
            {"Deleted": image.id},
            *({"Deleted": f"sha256:{one}"} for one in reversed(image.layer_ids) if one in gone),
        ]

    # ---- taking in

    async def image_load(
        self, fd: int, framing: Framing, *, quiet: bool
    ) -> tuple[list[dict[str, Any]], bytes]:
        """Take in an archive. A broken outer tar raises; what is wrong with an image in it
        ends the progress with an ``errorDetail``, the images before it stay."""
        loader = Loader(self._paths, self._layers, self._content)
        with ExitStack() as holds:
            loaded = await interruptible(
                lambda cancel_fd: loader.load(_body(fd, framing, cancel_fd), holds)
            )
            progress = await self._register(loaded, quiet=quiet)
        if loaded.error:
            # Layers below the one that failed.
            await self.sweep()
        return progress, loaded.surplus

    async def _register(self, loaded: Loaded, *, quiet: bool) -> list[dict[str, Any]]:
        progress: list[dict[str, Any]] = []
        for one in loaded.images:
            if not quiet:
                progress += [_layer_progress(diff_id) for diff_id in one.new_diff_ids]
            progress += await self._register_one(one)
        if loaded.error:
            progress.append({"errorDetail": {"message": loaded.error}, "error": loaded.error})
        return progress

    async def _register_one(self, one: LoadedImage) -> list[dict[str, Any]]:
        tags = [reference.familiar for reference in one.names if reference.tag]
        async with self._changing:
            image = self._known(one.image)
            if one.manifest_digest:
                names = {reference.familiar_name for reference in one.names}
                digests = {f"{name}@{one.manifest_digest}" for name in names}
                image = replace(image, digests=sorted({*image.digests, *digests}))
            notes = []
            for tag in tags:
                holder = self._index.by_name(tag)
                if holder is not None and holder.id != image.id:
                    notes.append(
                        f"The image {tag} already exists, renaming the old one with ID"
                        f" {holder.id} to empty string\n"
                    )
            await self._index.put(*self._naming(image, tags))
        self._tell(image, "load", image.id)
        notes += [f"Loaded image: {tag}\n" for tag in tags]
        return [{"stream": note} for note in notes or [f"Loaded image ID: {image.id}\n"]]

    def _known(self, image: Image) -> Image:
        """The record with the names it has already, when it is not new."""
        known = self._index.by_id(image.id)
        if known is None:
            return image
        return replace(image, tags=known.tags, digests=known.digests, last_tag_ns=known.last_tag_ns)

    async def image_import(
        self,
        fd: int,
        framing: Framing,
        *,
        repository: str,
        tag: str,
        message: str,
        changes: list[str],
        platform: str,
    ) -> tuple[list[dict[str, Any]], bytes]:
        """Make an image of a root file system; what is wrong with the parameters is told
        before the body is read."""
        names = []
        if repository:
            names = [image_references.parse_for_tag(repository, tag).familiar]
        config = instructions.apply(ImageConfig(), changes)
        wanted = platforms.parse(platform)

        def take_in(cancel_fd: int) -> tuple[Image, bytes]:
            layer = importer.take_in(
                self._paths, self._layers, _body(fd, framing, cancel_fd), holds
            )
            blob = importer.configuration(
                config,
                layer.diff_id,
                wanted,
                created=rfc3339(time.time_ns()),
                message=message or "Imported from -",
            )
            image = describe(self._content.put(blob), image_config.parse(blob))
            return with_size(image, self._layers), layer.surplus

        with ExitStack() as holds:
            image, surplus = await interruptible(take_in)
            async with self._changing:
                await self._index.put(*self._naming(self._known(image), names))
        for name in names:
            self._tell(image, "tag", name)
        self._tell(image, "import", image.id)
        return [{"status": image.id}], surplus

    # ---- leaves

    def _everything(self) -> list[Image]:
        return [*self._index.all(), *self._index.removed()]

    async def _collect(self) -> list[str]:
        """Delete the layers that no image has; the caller holds the lock of changes."""

        def live() -> set[str]:
            return {layer_id for image in self._everything() for layer_id in image.layer_ids}

        return await blocking(self._layers.collect, live)

    def _shared_bytes(self, chosen: list[Image]) -> dict[str, int]:
        users = Counter(layer for image in self._index.all() for layer in set(image.layer_ids))
        return {
            image.id: sum(
                self._layers.size_bytes(layer) for layer in image.layer_ids if users[layer] > 1
            )
            for image in chosen
        }

    def layers_bytes(self) -> int:
        """The bytes of all layers, each counted once; blocks."""
        layer_ids = {layer_id for image in self._everything() for layer_id in image.layer_ids}
        return sum(self._layers.size_bytes(layer_id) for layer_id in layer_ids)

    def _tell(self, image: Image, action: str, name: str) -> None:
        labels = image.config.labels or {}
        self._events.publish("image", action, image.id, {**labels, "name": name})


def _body(fd: int, framing: Framing, cancel_fd: int) -> Body:
    return Body(fd, framing.chunked, framing.length_bytes, framing.early, cancel_fd)


def _layer_progress(diff_id: str) -> dict[str, Any]:
    short = diff_id.removeprefix("sha256:")[:_PROGRESS_ID_CHARACTERS]
    return {"status": "Loading layer", "progressDetail": {}, "id": short}
