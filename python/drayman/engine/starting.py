"""Starting a container: from its record to a running process."""

from __future__ import annotations

import shutil
from pathlib import Path

from msgspec.structs import replace

from drayman.engine import bundle, probing
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.health import Health, is_checked
from drayman.engine.lifecycle import follow
from drayman.engine.mounting import make_missing_sources
from drayman.engine.networks import Attached
from drayman.engine.pending import Pending, close_all
from drayman.engine.planning import Planning
from drayman.engine.supervision import Supervision
from drayman.errors import DraymanError, InvalidParameter, System
from drayman.model import go_json
from drayman.model.container import Container, HostConfig
from drayman.runtime import refusals, seccomp
from drayman.runtime.messages import Past
from drayman.runtime.shim import Gone, Shim, StartError
from drayman.runtime.spec import compose

# The exit code of a failure that is not the command's: Docker's "rest".
SYSTEM_EXIT_CODE = 128


class Starting:
    """Starts containers, by hand and by policy."""

    def __init__(self, context: Context, supervision: Supervision) -> None:
        self._context = context
        self._supervision = supervision
        self._planning = Planning(context)

    async def start(self, name: str) -> None:
        """Start it by hand: earlier failures and stops are forgotten."""
        entry = self._context.containers.find(name)
        await entry.arrivals.settled()
        async with entry.lock:
            self._check(entry, name)
        async with entry.vacated():
            self._check(entry, name)
            entry.back_off_s = 0.0
            entry.change(restart_count=0, manually_stopped=False)
            await self.launch(entry)

    async def again(self, entry: Entry) -> None:
        """Start it once more because its policy says so; no error is left to a client."""
        async with entry.vacated():
            if entry.state.status != "restarting":
                return
            try:
                await self.launch(entry)
            except DraymanError:
                entry.change(status="exited")
                await self._context.save(entry.record)
                raise

    def _check(self, entry: Entry, name: str) -> None:
        self._context.present(entry, name)
        follow(entry.record, "start")

    async def launch(self, entry: Entry) -> None:
        """Start the process; the caller has it vacated and knows that it may."""
        entry.policy_off = False
        try:
            attachment = await self._context.networks.attach(entry.record)
        except DraymanError as error:
            await self._failed(entry, str(error), SYSTEM_EXIT_CODE)
            raise
        try:
            pid, started_at_ns = await self._execute(entry, attachment)
        except BaseException as error:
            await self._context.networks.release(entry.record)
            translated = translate(error, entry.record.host_config)
            if translated is None:
                raise
            await self._failed(entry, str(translated[0]), translated[1])
            raise translated[0] from None
        started = _started(entry.record, attachment, pid, started_at_ns)
        await self._context.commit(entry, started)
        self._context.announce.volumes(entry.record, "mount")
        self._context.announce.networks(entry.record, "connect")
        self._context.announce.container(entry.record, "start")

    async def _execute(self, entry: Entry, attachment: Attached) -> tuple[int, int]:
        """Write the bundle, start the shim, hand it who waits, start the process."""
        record = replace(entry.record, endpoints=attachment.endpoints, ports=attachment.ports)
        directory = await blocking(self._prepare, record, attachment)
        shim = await Shim.spawn(self._context.config.shim_path, directory)
        # Before the start: the exit of a short run may come with the answer to it.
        self._supervision.watch(entry, shim)
        entry.health = Health() if is_checked(record) else None
        try:
            for one in entry.pending:
                await hand_over(shim, record, one)
            await entry.waits.entrust(shim)
            started = await shim.start()
        except StartError:
            # It takes down what it made, and leaves.
            self._supervision.unwatch(entry)
            raise
        except Gone:
            self._supervision.unwatch(entry)
            raise System("the container's shim ended before it could start it") from None
        except BaseException:
            self._supervision.unwatch(entry)
            # Without a connection and not started, it ends by itself.
            await shim.close()
            raise
        finally:
            close_all(entry.pending)
        return started.pid, started.started_at_ns

    def _prepare(self, record: Container, attachment: Attached) -> Path:
        """Everything on disk that the shim reads; blocks."""
        paths = self._context.paths.container(record.id)
        shutil.rmtree(paths.run, ignore_errors=True)
        paths.execs.mkdir(mode=0o711, parents=True)
        paths.exit_record.unlink(missing_ok=True)
        # An engine that dies before the start is recorded leaves a container that runs.
        paths.attachment.write_bytes(go_json.dumps(attachment))
        make_missing_sources(record)
        host = self._context.host
        plan = self._planning.plan(record, attachment)
        configuration = compose(plan, host)
        filter_ = configuration["linux"].get("seccomp")
        program = seccomp.blob(filter_, self._context.paths.seccomp) if filter_ else None
        health = probing.prepare(self._context, record, plan)
        bundle.write(self._context, record, configuration, program, health)
        return paths.bundle

    async def _failed(self, entry: Entry, text: str, exit_code: int) -> None:
        """The process never ran: the status stays, the reason is kept."""
        close_all(entry.pending)
        entry.change(error=text, exit_code=exit_code, pid=0)
        await self._context.save(entry.record)
        if entry.record.host_config.auto_remove:
            self._context.tasks.spawn(self._supervision.remove(entry))


def _started(record: Container, attachment: Attached, pid: int, started_at_ns: int) -> Container:
    return replace(
        record,
        endpoints=attachment.endpoints,
        ports=attachment.ports,
        state=replace(
            record.state,
            status=follow(record, "restart" if record.state.status == "restarting" else "start"),
            pid=pid,
            exit_code=0,
            error="",
            oom_killed=False,
            started_at_ns=started_at_ns,
            finished_at_ns=record.state.finished_at_ns,
            ever_started=True,
        ),
    )


async def hand_over(
    shim: Shim, record: Container, pending: Pending, past: Past | None = None
) -> None:
    """Give a client's connection to the shim, which answers it and tells it of the ``past``; our
    copy stays the caller's."""
    options, config = pending.options, record.config
    await shim.attach(
        pending.fd,
        stdin=options.stdin and config.open_stdin,
        stdout=options.stdout,
        stderr=options.stderr,
        framed=not config.tty,
        websocket=options.websocket,
        past=past,
        slow=options.slow,
        detach_keys=options.detach_keys,
        head=pending.head,
        early=pending.early,
    )
    pending.head = b""


def translate(error: BaseException, asked: HostConfig) -> tuple[DraymanError, int] | None:
    """The error a client reads and the exit code kept, for a start that failed.

    Docker tells the command's faults (400) from the host's (500) by the runtime's text, and
    the CLI looks for the same words to choose between 125, 126 and 127. What the kernel refuses
    of the values ``asked`` for is the client's fault here, too.
    """
    if isinstance(error, StartError):
        text = str(error)
        if "is a directory" in text and "permission denied" not in text:
            text += ": permission denied"
        field = refusals.field(text, asked)
        if field:
            return InvalidParameter(f"{field}: {text}"), error.exit_code
        if error.exit_code in (126, 127):
            return InvalidParameter(text), error.exit_code
        return System(text), SYSTEM_EXIT_CODE
    if isinstance(error, DraymanError):
        return error, SYSTEM_EXIT_CODE
    return None
