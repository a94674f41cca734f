"""What every verb of the engine works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from drayman.config import Config
from drayman.engine import leftovers
from drayman.engine.actions import Actions
from drayman.engine.announcing import Announcer
from drayman.engine.blocking import blocking
from drayman.engine.containers import Containers
from drayman.engine.entry import Entry
from drayman.engine.events import Events
from drayman.engine.exit_record import Exit, read
from drayman.engine.hang_ups import HangUps
from drayman.engine.images import Images
from drayman.engine.networks import Networks
from drayman.engine.store import Store
from drayman.engine.tasks import Tasks
from drayman.engine.views import Views
from drayman.engine.volumes import Volumes
from drayman.engine.watches import Watches
from drayman.errors import NotFound
from drayman.model.container import Container
from drayman.runtime import cgroups
from drayman.runtime.host import Host
from drayman.storage.paths import Paths


@dataclass(frozen=True, slots=True)
class Context:
    """The engine's parts, made once at its start."""

    config: Config
    paths: Paths
    host: Host
    store: Store
    events: Events
    announce: Announcer
    images: Images
    volumes: Volumes
    networks: Networks
    views: Views
    actions: Actions = field(default_factory=Actions)
    containers: Containers = field(default_factory=Containers)
    tasks: Tasks = field(default_factory=Tasks)
    hang_ups: HangUps = field(default_factory=HangUps)
    watches: Watches = field(default_factory=Watches)

    async def save(self, record: Container) -> None:
        """Store a record; when this returns it is on disk."""
        await blocking(self.store.containers.put, record)

    async def commit(self, entry: Entry, record: Container) -> None:
        """Store a new record of a container, then show it: what a crash could undo is told to
        nobody, and the events that the caller publishes next are not behind what is seen."""
        await self.save(record)
        entry.record = record

    def lower(self, record: Container) -> list[str]:
        """The directories below a container's own, topmost first."""
        return self.images.lower(record.image_id)

    def cgroup_path(self, record: Container) -> str:
        """Where the container's cgroup is, below the mount of each hierarchy."""
        parent = record.host_config.cgroup_parent or self.config.cgroup_parent
        return cgroups.path(record.id, parent)

    def present(self, entry: Entry, name: str) -> None:
        """NotFound when a container was removed while its lock was waited for."""
        if self.containers.get(entry.id) is not entry:
            raise NotFound(f"No such container: {name}")

    async def post_mortem(self, record: Container) -> Exit:
        """How a run ended whose shim is gone; what it left running is killed."""
        found = read(self.paths.container(record.id).exit_record)
        layout, cgroup = self.host.cgroup, self.cgroup_path(record)
        # A process may be ended already by then, with no shim there to see how.
        killed = await blocking(leftovers.exist, layout, cgroup)
        await blocking(leftovers.kill, layout, cgroup)
        if found is not None and found.finished_at_ns >= record.state.started_at_ns:
            return found
        return Exit.unseen(killed=killed)
