"""Running a second process in a container."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from pathlib import Path
from typing import Any

import orjson

from drayman.api.lending import Session
from drayman.api.options import ExecRequest, ExecStartRequest, Slow
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.detach_keys import checked
from drayman.engine.entry import Entry
from drayman.engine.execs import COLLECTION_INTERVAL_S, Exec, ExecRecord, encode
from drayman.engine.lifecycle import follow, not_running
from drayman.engine.replies import framed, raw, say, tell
from drayman.errors import Conflict, DraymanError, InvalidParameter, NotFound, System
from drayman.runtime import signals
from drayman.runtime.process import compose_exec, environment
from drayman.runtime.shim import StartError
from drayman.runtime.users import User, resolve

# How long a resize waits for the exec to begin.
READY_WAIT_S = 10.0
# How long a removal waits for a process that was killed; a frozen one does not die.
END_WAIT_S = 10.0
# The kernel's ENOENT and EACCES, as shells tell them, and runc's code for the rest.
NOT_STARTED_EXIT_CODE = 126


class Execs:
    """Registers execs and runs them through the container's shim."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def create(self, name: str, request: ExecRequest) -> str:
        """Register an exec; its user is looked up in the container now."""
        if not request.cmd:
            raise InvalidParameter("No exec command specified")
        entry = self._context.containers.find(name)
        follow(entry.record, "exec", asked=name)
        try:
            checked(request.detach_keys)
        except InvalidParameter as error:
            # Attach answers 400 to the same fault.
            raise System(str(error)) from None
        user = await self._user(entry, request.user or entry.record.config.user)
        # It may have ended meanwhile.
        follow(entry.record, "exec", asked=name)
        one = Exec(
            ExecRecord(id=secrets.token_hex(32), container_id=entry.id, request=request, user=user)
        )
        entry.execs[one.id] = one
        self._context.announce.container(entry.record, f"exec_create: {one.command}", execID=one.id)
        return one.id

    async def _user(self, entry: Entry, user: str) -> User:
        group_add = entry.record.host_config.group_add
        lease = await self._context.views.open(entry, entry.id, mounts=True)
        try:
            return await blocking(resolve, lease.root_fd, user, group_add)
        finally:
            await lease.close()

    def check(self, exec_id: str) -> None:
        """What a start answers before the connection is hijacked."""
        entry, _ = self._find(exec_id)
        follow(entry.record, "exec")

    async def start(
        self,
        exec_id: str,
        request: ExecStartRequest,
        session: Session | None,
        slow: Slow = Slow.WAIT,
    ) -> None:
        """Run it; with a session, failures are written into the stream."""
        try:
            entry, one = self._find(exec_id)
            follow(entry.record, "exec")
            if session is None and one.record.request.kill_on_disconnect:
                raise InvalidParameter(
                    f"exec {exec_id} is to die with its client (KillOnDisconnect):"
                    " it cannot be started detached"
                )
            if one.claimed:
                raise Conflict(
                    f"exec command {exec_id} is already running"
                    if one.running
                    else f"exec command {exec_id} has already run"
                )
            one.claimed = True
            await self._run(entry, one, request, session, slow)
        except DraymanError as error:
            if session is None:
                raise
            await tell(session.fd, session.head)
            text = f"{error}\r\n"
            await say(session.fd, raw(text) if request.tty else framed(text))
        finally:
            if session is not None:
                os.close(session.fd)

    async def _run(
        self,
        entry: Entry,
        one: Exec,
        request: ExecStartRequest,
        session: Session | None,
        slow: Slow,
    ) -> None:
        asked = one.record.request
        process = await blocking(self._write, entry, one, request)
        if entry.shim is None:
            raise not_running(entry.record)
        self._context.announce.container(entry.record, f"exec_start: {one.command}", execID=one.id)
        try:
            pid = await entry.shim.exec(
                one.id,
                process,
                session.fd if session else None,
                tty=request.tty,
                stdin=asked.attach_stdin,
                stdout=asked.attach_stdout,
                stderr=asked.attach_stderr,
                framed=not request.tty,
                slow=slow,
                detach_keys=checked(asked.detach_keys),
                console_size=request.console_size or asked.console_size,
                kill_on_disconnect=asked.kill_on_disconnect,
                head=session.head if session else b"",
                early=session.early if session else b"",
            )
        except StartError as error:
            code = error.exit_code or NOT_STARTED_EXIT_CODE
            one.ended(code)
            raise (InvalidParameter if code in (126, 127) else System)(str(error)) from None
        except DraymanError:
            one.ended(NOT_STARTED_EXIT_CODE)
            raise
        one.began(pid)

    def _write(self, entry: Entry, one: Exec, request: ExecStartRequest) -> Path:
        """The OCI process and our own record, side by side; blocks."""
        paths = self._context.paths.container(entry.id)
        asked, user, config = one.record.request, one.record.user, entry.record.config
        document = compose_exec(
            entry.record,
            self._context.host,
            user,
            args=asked.cmd or [],
            env=environment(config, tty=request.tty, home=user.home, extra=asked.env or ()),
            working_dir=asked.working_dir,
            tty=request.tty,
            privileged=asked.privileged,
        )
        process = paths.exec_process(one.id)
        process.write_bytes(orjson.dumps(document))
        process.with_suffix(".record").write_bytes(encode(one.record))
        return process

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of its terminal, once it runs."""
        entry, one = self._find(exec_id)
        follow(entry.record, "exec")
        try:
            await asyncio.wait_for(one.settled.wait(), READY_WAIT_S)
        except TimeoutError:
            raise System("timeout waiting for exec session ready") from None
        if one.finished or entry.shim is None:
            raise InvalidParameter("exec process is not started")
        await entry.shim.resize(one.id, height, width)

    async def kill(self, exec_id: str, signal_name: str) -> None:
        """Signal its process, by default with SIGKILL."""
        entry, one = self._find(exec_id)
        number = signals.parse(signal_name or "SIGKILL")
        await self._signal(entry, one, number)

    async def _signal(self, entry: Entry, one: Exec, number: int) -> None:
        not_running = Conflict(f"exec {one.id} is not running")
        if not one.running or entry.shim is None:
            raise not_running
        try:
            await entry.shim.exec_signal(one.id, number)
        except (NotFound, Conflict):
            # It ended just now.
            raise not_running from None

    async def remove(self, exec_id: str, *, force: bool) -> None:
        """Forget it, once it has ended; with ``force`` by SIGKILL."""
        entry, one = self._find(exec_id)
        if one.claimed and not one.finished:
            if not force:
                raise Conflict(f"exec {exec_id} is running: kill it before removal, or force it")
            with contextlib.suppress(Conflict):
                await self._signal(entry, one, signal.SIGKILL)
            try:
                await asyncio.wait_for(one.over.wait(), END_WAIT_S)
            except TimeoutError:
                raise System(f"exec {exec_id} was killed and has not ended") from None
        if entry.execs.pop(exec_id, None) is not None:
            await blocking(self._forget, entry, one)

    def inspect(self, exec_id: str) -> dict[str, Any]:
        """The document of an exec."""
        return self._find(exec_id)[1].document()

    def _find(self, exec_id: str) -> tuple[Entry, Exec]:
        for entry in self._context.containers:
            one = entry.execs.get(exec_id)
            if one is not None:
                return entry, one
        raise NotFound(f"No such exec instance: {exec_id}")

    async def collect(self) -> None:
        """Forget execs that finished before the last collection, for ever."""
        while True:
            await asyncio.sleep(COLLECTION_INTERVAL_S)
            horizon = time.monotonic() - COLLECTION_INTERVAL_S
            for entry in self._context.containers:
                for one in list(entry.execs.values()):
                    if one.finished and one.finished_at_s < horizon:
                        del entry.execs[one.id]
                        await blocking(self._forget, entry, one)

    def _forget(self, entry: Entry, one: Exec) -> None:
        paths = self._context.paths.container(entry.id)
        process = paths.exec_process(one.id)
        for path in (process, process.with_suffix(".record"), paths.exec_record(one.id)):
            path.unlink(missing_ok=True)
