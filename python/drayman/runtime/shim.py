"""The engine's end of a shim: one small process that owns one container.

A shim outlives the engine. `Shim.spawn` makes one, `Shim.connect` finds one that an earlier
engine made; after that there is no difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drayman import _native
from drayman.errors import Conflict, DraymanError, InvalidParameter, NotFound, System
from drayman.runtime import messages

Event = dict[str, Any]
Answer = TypeVar("Answer")

# The shim's first connection to an engine.
_CONTROL_FD = 3
# The longest answer, the status of some hundred execs, fits many times.
_MESSAGE_BYTES_MAX = 512 * 1024
# Asked and not answered, at most: a shim gives up an engine for which 1024 messages wait.
_ASKED_MAX = 256
_KINDS: dict[str, type[DraymanError]] = {
    "not-found": NotFound,
    "invalid": InvalidParameter,
    "conflict": Conflict,
    "system": System,
}

_log = logging.getLogger(__name__)


class StartError(System):
    """Raised when a process could not be started; the text is what runc would say."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        # 126 it cannot be run, 127 it was not found, 128 anything else.
        self.exit_code = exit_code


class Gone(Conflict):
    """Raised when the shim has hung up: it does so once its container has ended."""

    def __init__(self) -> None:
        super().__init__("the container is not running: its shim is gone")


class Shim:
    """A connection to a shim. Requests raise kinds of `drayman.errors`, Gone among them."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._room_to_ask = asyncio.Semaphore(_ASKED_MAX)
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._writable: asyncio.Future[None] | None = None
        self._on_event: Callable[[Event], None] | None = None
        self._unheard: list[Event] = []
        # Done when the shim hung up: it has removed the container's cgroup and its mounts.
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(connection.fileno(), self._receive)

    @classmethod
    async def spawn(cls, binary: Path, bundle: Path, stderr_fd: int | None = None) -> Shim:
        """Start a shim for a bundle whose ``shim.json`` is written; its complaints go to
        ``stderr_fd``, by default to our own standard error."""
        program_fd = sealed(binary)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                pid = _spawn(program_fd, bundle, theirs.fileno(), stderr_fd)
        except OSError as error:
            ours.close()
            raise System(f"{binary}: {error.strerror}") from error
        _reap(pid)
        return cls(ours)

    @classmethod
    async def connect(cls, path: Path) -> Shim:
        """Connect to a shim that an earlier engine left. OSError when none listens there."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.setblocking(False)
        try:
            # By a descriptor, as the shim binds it: an address has 107 bytes.
            directory = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{directory}/{path.name}")
            finally:
                os.close(directory)
        except OSError:
            connection.close()
            raise
        return cls(connection)

    @property
    def on_event(self) -> Callable[[Event], None] | None:
        """Called with each event: exit, exec_exit, detached, probe, health. What came before it
        was set is not lost."""
        return self._on_event

    @on_event.setter
    def on_event(self, callback: Callable[[Event], None] | None) -> None:
        self._on_event = callback
        unheard, self._unheard = self._unheard, []
        for event in unheard:
            self._tell(event)

    async def hello(self) -> messages.Identity:
        """Who it is."""
        return await self._ask(messages.Hello(), messages.Identity)

    async def attach(
        self,
        fd: int,
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        framed: bool,
        websocket: str = "",
        past: messages.Past | None = None,
        slow: str = "wait",
        detach_keys: str = "",
        head: bytes = b"",
        early: bytes = b"",
    ) -> None:
        """Have it serve a client, before the start or after; ``fd`` stays the caller's to close.

        ``head`` is what it tells the client first, then the ``past``; ``early`` is what the client
        said already. ``websocket``: the kind of messages that it speaks in, empty for none.
        """
        request = messages.Attach(
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            framed=framed,
            messages=websocket or None,
            past=past,
            slow=slow,
            detach_keys=detach_keys or None,
            head=head,
            early=early,
        )
        await self._ask(request, object, fd)

    async def start(self) -> messages.Started:
        """Start the container. StartError when it cannot be; then the shim leaves."""
        return await self._ask(messages.Start(), messages.Started)

    async def signal(self, signal: int, *, everyone: bool = False) -> None:
        """Signal the first process, or every process. Conflict when it has ended."""
        await self._ask(messages.Signal(signal=signal, all=everyone), object)

    async def resize(self, exec_id: str | None, height: int, width: int) -> None:
        """Set the size of a terminal; before the start it is the size to start with."""
        height, width = messages.window((height, width)) or (0, 0)
        await self._ask(messages.Resize(exec=exec_id, height=height, width=width), object)

    async def exec(
        self,
        exec_id: str,
        process: Path,
        fd: int | None,
        *,
        tty: bool,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        framed: bool,
        slow: str = "wait",
        detach_keys: str = "",
        console_size: tuple[int, int] | None = None,
        kill_on_disconnect: bool = False,
        head: bytes = b"",
        early: bytes = b"",
    ) -> int:
        """Run the OCI process in a file, attached to a client or to nobody; returns its pid.

        StartError when it cannot be started: nothing was written to ``fd`` then.
        """
        request = messages.Exec(
            exec=exec_id,
            process=str(process),
            tty=tty,
            console_size=messages.window(console_size),
            kill_on_disconnect=kill_on_disconnect,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            framed=framed,
            slow=slow,
            detach_keys=detach_keys or None,
            head=head,
            early=early,
        )
        fds = [] if fd is None else [fd]
        return (await self._ask(request, messages.ExecStarted, *fds)).pid

    async def exec_signal(self, exec_id: str, signal: int) -> None:
        """Signal the process of an exec. NotFound when it does not run."""
        await self._ask(messages.ExecSignal(exec=exec_id, signal=signal), object)

    async def keep(
        self, fd: int, lifeline_fd: int, *, until: str, chunked: bool, head: bytes = b""
    ) -> None:
        """Have it keep a client that waits for ``until``: ``exit`` or ``removal``.

        Both descriptors stay the caller's to close. ``chunked``: how the answer is framed;
        ``head``: what of it the shim is to send at once.
        """
        request = messages.Keep(until=until, chunked=chunked, head=head)
        await self._ask(request, object, fd, lifeline_fd)

    async def follow(self, fd: int, request: messages.Follow) -> None:
        """Have it send its log to a client, to the container's end; ``fd`` stays the caller's
        to close. Conflict when there is no log."""
        await self._ask(request, object, fd)

    async def adopt(self, lifeline_fd: int, *, until: str) -> None:
        """Take over the clients whose engine died; the descriptor stays the caller's."""
        await self._ask(messages.Adopt(until=until), object, lifeline_fd)

    async def suspend(self) -> None:
        """Have it probe the container's health no more: the container is about to be frozen."""
        await self._ask(messages.Suspend(), object)

    async def resume(self) -> None:
        """Have it probe again; harmless where it does."""
        await self._ask(messages.Resume(), object)

    async def health(self) -> messages.Health | None:
        """How probes went, None for a container that is not probed."""
        return (await self._ask(messages.GetHealth(), messages.Checks)).health

    async def status(self) -> messages.Status:
        """What runs, and how the latest execs ended."""
        return await self._ask(messages.GetStatus(), messages.Status)

    async def close(self) -> None:
        """Hang up. The shim goes on, unless its container was never started."""
        self._end()

    async def _ask(self, request: messages.Request, answer: type[Answer], *fds: int) -> Answer:
        async with self._room_to_ask:
            request.id = next(self._numbers)
            message = msgspec.json.encode(request)
            await self._send(message, fds)
            future: asyncio.Future[msgspec.Raw] = self._loop.create_future()
            self._asked[request.id] = future
            try:
                return msgspec.json.decode(await future, type=answer)
            finally:
                del self._asked[request.id]

    async def _send(self, message: bytes, fds: Sequence[int]) -> None:
        while True:
            if self.closed.done():
                raise Gone
            try:
                socket.send_fds(self._socket, [message], fds)
                return
            except BlockingIOError:
                await self._room()
            except OSError as error:
                self._end()
                raise Gone from error

    async def _room(self) -> None:
        """Wait until the socket takes more: the shim reads slower than we ask."""
        if self._writable is None or self._writable.done():
            self._writable = self._loop.create_future()
            self._loop.add_writer(self._socket.fileno(), self._has_room, self._writable)
        await asyncio.shield(self._writable)

    def _has_room(self, writable: asyncio.Future[None]) -> None:
        self._loop.remove_writer(self._socket.fileno())
        writable.set_result(None)

    def _receive(self) -> None:
        """Take every message that is there."""
        while not self.closed.done():
            try:
                message = self._socket.recv(_MESSAGE_BYTES_MAX)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                message = b""
            if not message:
                self._end()
                return
            try:
                self._take(message)
            except ValueError as error:
                _log.error("shim: message not understood: %s", error)

    def _take(self, message: bytes) -> None:
        incoming = messages.decode(message)
        if incoming.event is not None:
            self._tell(messages.event(message))
            return
        future = self._asked.get(incoming.id) if incoming.id is not None else None
        if future is None or future.done():
            # Whoever asked has given up.
            return
        if incoming.error is not None:
            future.set_exception(_to_error(incoming.error))
        else:
            future.set_result(incoming.ok)

    def _tell(self, event: Event) -> None:
        if self._on_event is None:
            self._unheard.append(event)
        else:
            self._on_event(event)

    def _end(self) -> None:
        if self.closed.done():
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self.closed.set_result(None)
        for future in self._asked.values():
            if not future.done():
                future.set_exception(Gone())
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)


def _to_error(refusal: messages.Refusal) -> DraymanError:
    if refusal.kind == "start":
        return StartError(refusal.message, refusal.exit_code or 128)
    return _KINDS.get(refusal.kind, System)(refusal.message)


@functools.cache
def sealed(binary: Path) -> int:
    """A descriptor, kept for good, of the binary as no container can write it. Each shim could
    make one for itself, by a mount and another exec: a third of the time of its start."""
    return _native.sealed_program(str(binary))


def _spawn(program_fd: int, bundle: Path, control_fd: int, stderr_fd: int | None) -> int:
    """Start the program in a session of its own: no signal meant for the engine reaches it."""
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, control_fd, _CONTROL_FD),
    ]
    if stderr_fd is not None:
        actions.insert(0, (os.POSIX_SPAWN_DUP2, stderr_fd, 2))
    return os.posix_spawn(
        f"/proc/self/fd/{program_fd}",
        ["drayman-shim", str(bundle)],
        {_native.SEALED: "1"},
        file_actions=actions,
        setsid=True,
    )


def _reap(pid: int) -> None:
    """Have the loop collect a child when it ends; one that has ended is collected at once."""
    loop = asyncio.get_running_loop()
    pidfd = os.pidfd_open(pid)

    def collect() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)

    loop.add_reader(pidfd, collect)
