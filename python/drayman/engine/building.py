"""Putting an engine together: parts first, then the verbs that work with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drayman.config import Config
from drayman.engine.announcing import Announcer
from drayman.engine.attach import Attaching
from drayman.engine.blocking import blocking
from drayman.engine.changes import Changes
from drayman.engine.containers import Containers
from drayman.engine.context import Context
from drayman.engine.copy import Copying
from drayman.engine.creating import Creating
from drayman.engine.disk_usage import DiskUsage
from drayman.engine.event_journal import EventJournal
from drayman.engine.events import Events
from drayman.engine.exec import Execs
from drayman.engine.images import Images
from drayman.engine.inspecting import Inspecting
from drayman.engine.listing import Listing
from drayman.engine.logs import Logs
from drayman.engine.networks import Networks
from drayman.engine.pausing import Pausing
from drayman.engine.recovery import Recovery
from drayman.engine.removing import Removing
from drayman.engine.renaming import Renaming
from drayman.engine.starting import Starting
from drayman.engine.stats import Stats
from drayman.engine.stopping import Stopping
from drayman.engine.store import Store
from drayman.engine.supervision import Supervision
from drayman.engine.system import System
from drayman.engine.top import Top
from drayman.engine.updating import Updating
from drayman.engine.views import Views
from drayman.engine.volumes import Volumes
from drayman.engine.wait import Waiting
from drayman.network.bridge import BridgeDriver
from drayman.runtime.host import Host, allow_open_files
from drayman.storage.layers import Layers
from drayman.storage.paths import Paths


@dataclass(frozen=True, slots=True)
class Verbs:
    """Whoever answers the questions of the API; `context` holds the rest."""

    context: Context
    attaching: Attaching
    changes: Changes
    copying: Copying
    creating: Creating
    execs: Execs
    inspecting: Inspecting
    listing: Listing
    logs: Logs
    pausing: Pausing
    recovery: Recovery
    removing: Removing
    renaming: Renaming
    starting: Starting
    stats: Stats
    stopping: Stopping
    system: System
    disk_usage: DiskUsage
    top: Top
    updating: Updating
    waiting: Waiting


async def build(config: Config) -> Verbs:
    """Make every part. Raises System when the host does not do."""
    context = await blocking(_context, config)
    supervision = Supervision(context)
    starting = Starting(context, supervision)
    stopping = Stopping(context, starting, supervision)
    removing = Removing(context, stopping)
    supervision.remove = lambda entry: context.actions.timed(
        "remove", removing.automatically(entry)
    )
    supervision.start_again = lambda entry: context.actions.timed("start", starting.again(entry))
    listing = Listing(context)
    logs = Logs(context)
    return Verbs(
        context=context,
        attaching=Attaching(context, logs),
        changes=Changes(context),
        copying=Copying(context),
        creating=Creating(context),
        execs=Execs(context),
        inspecting=Inspecting(context),
        listing=listing,
        logs=logs,
        pausing=Pausing(context),
        recovery=Recovery(context, supervision, starting, removing),
        removing=removing,
        renaming=Renaming(context),
        starting=starting,
        stats=Stats(context),
        stopping=stopping,
        system=System(context),
        disk_usage=DiskUsage(context, listing),
        top=Top(context),
        updating=Updating(context),
        waiting=Waiting(context),
    )


def _context(config: Config) -> Context:
    """The parts that read disks; blocks."""
    paths = Paths(Path(config.root).resolve(), Path(config.run).resolve())
    paths.make()
    store = Store(paths)
    containers = Containers()
    events = Events(EventJournal(paths.events, paths.earlier_events))
    images = Images(paths, store, events, Layers(paths), containers.of_image)
    host = Host.detect()
    allow_open_files()
    return Context(
        config=config,
        paths=paths,
        host=host,
        store=store,
        events=events,
        announce=Announcer(events),
        images=images,
        volumes=Volumes(paths, store, events, containers.of_volume),
        networks=Networks(paths, store, _bridge(config), containers.records),
        views=Views(paths, images),
        containers=containers,
    )


def _bridge(config: Config) -> BridgeDriver:
    return BridgeDriver(config.bridge, config.subnet or None, Path(config.run).resolve())
