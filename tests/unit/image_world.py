"""An engine's images alone, for tests: real layers, real store, no containers but pretended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from drayman.api.lending import Framing
from drayman.engine.events import Events
from drayman.engine.images import Images
from drayman.engine.store import Store
from drayman.model.container import Container, ContainerConfig, HostConfig, State
from drayman.storage.layers import Layers
from drayman.storage.paths import Paths

T = TypeVar("T")


class World:
    """One root; `containers` are what the engine would say uses an image."""

    def __init__(self, home: Path) -> None:
        self.paths = Paths(home / "root", home / "run")
        self.paths.make()
        self.containers: list[Container] = []
        self.open()

    def open(self) -> None:
        """Read the root, as an engine does at its start."""
        self.store = Store(self.paths)
        self.events = Events()
        self.images = Images(self.paths, self.store, self.events, Layers(self.paths), self._users)

    def run(self, work: Callable[[Images], Awaitable[T]]) -> T:
        """Run a coroutine to its end."""

        async def do() -> T:
            return await asyncio.wait_for(work(self.images), 60)

        return asyncio.run(do())

    def load(self, content: bytes, quiet: bool = True) -> list[dict[str, Any]]:
        """Load an archive that is a body to its end."""
        return self.receive(
            content, lambda fd: self.images.image_load(fd, Framing(False, None), quiet=quiet)
        )

    def receive(self, content: bytes, work: Callable[[int], Awaitable[tuple[T, bytes]]]) -> T:
        """Lend a descriptor with this content."""
        descriptor = os.memfd_create("body")
        try:
            os.write(descriptor, content)
            os.lseek(descriptor, 0, os.SEEK_SET)
            documents, surplus = self.run(lambda _: work(descriptor))
        finally:
            os.close(descriptor)
        assert surplus == b""
        return documents

    def use(self, image_id: str, status: str) -> Container:
        """Pretend a container."""
        box = Container(
            id=f"{len(self.containers) + 1:064x}",
            name="box",
            created_at_ns=1,
            image_id=image_id,
            config=ContainerConfig(),
            host_config=HostConfig(),
            state=State(status=status),
        )
        self.containers.append(box)
        return box

    def told(self) -> list[str]:
        """The events so far, as ``action name``."""
        return [f"{event.action} {event.attributes['name']}" for event in self.events._kept]

    def leftovers(self) -> list[str]:
        """What lies on disk of images."""
        return [
            place.name
            for directory in (self.paths.blobs, self.paths.layers, self.paths.temporary)
            for place in directory.iterdir()
        ]

    def _users(self, image_id: str) -> list[Container]:
        return [box for box in self.containers if box.image_id == image_id]
