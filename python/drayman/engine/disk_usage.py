"""``GET /system/df``: what the objects of each kind take on the disk, and what could be freed."""

from __future__ import annotations

from typing import Any

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.listing import Listing
from drayman.model.go_time import rfc3339
from drayman.model.mount import Volume

Document = dict[str, Any]


class DiskUsage:
    """Measures; the counts and sums are those of moby's daemon/disk_usage.go."""

    def __init__(self, context: Context, listing: Listing) -> None:
        self._context = context
        self._listing = listing

    async def measure(self, types: list[str]) -> Document:
        """The newest document, with every item in it; no types mean all of them."""
        document: Document = {}
        if not types or "image" in types:
            document["ImageUsage"] = await self._images()
        if not types or "container" in types:
            document["ContainerUsage"] = await self._containers()
        if not types or "volume" in types:
            document["VolumeUsage"] = await self._volumes()
        if not types or "build-cache" in types:
            document["BuildCacheUsage"] = _usage([], active=0, total_bytes=0, reclaimable_bytes=0)
        return document

    async def _images(self) -> Document:
        images = self._context.images
        items = await images.image_list(all=False, filters={}, shared_size=True)
        used = [item for item in items if item["Containers"]]
        total = await blocking(images.layers_bytes)
        # What an image shares would stay for the others.
        held = sum(item["Size"] - item["SharedSize"] for item in used)
        return _usage(items, len(used), total, total - held)

    async def _containers(self) -> Document:
        items = await self._listing.list(all=True, limit=0, size=True, filters={})
        used = [item for item in items if item["State"] in ("running", "paused", "restarting")]
        total = sum(item["SizeRw"] for item in items)
        return _usage(items, len(used), total, total - sum(item["SizeRw"] for item in used))

    async def _volumes(self) -> Document:
        items = [await self._volume(volume) for volume in self._context.volumes.all()]
        usages = [item["UsageData"] for item in items]
        used = [usage for usage in usages if usage["RefCount"]]
        total = sum(usage["Size"] for usage in usages)
        return _usage(items, len(used), total, total - sum(usage["Size"] for usage in used))

    async def _volume(self, volume: Volume) -> Document:
        """A volume with what it uses."""
        return {
            "Name": volume.name,
            "Driver": volume.driver,
            "Mountpoint": volume.mountpoint,
            "CreatedAt": rfc3339(volume.created_at_ns),
            "Labels": volume.labels,
            "Scope": volume.scope,
            "Options": volume.options,
            "UsageData": {
                "Size": await self._context.volumes.size_bytes(volume.name),
                "RefCount": len(self._context.containers.of_volume(volume.name)),
            },
        }


def _usage(
    items: list[Document], active: int, total_bytes: int, reclaimable_bytes: int
) -> Document:
    return {
        "ActiveCount": active,
        "TotalCount": len(items),
        "TotalSize": total_bytes,
        "Reclaimable": reclaimable_bytes,
        "Items": items,
    }
