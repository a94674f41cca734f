"""An engine that is none: it records what it is asked and answers from what a test put there.

`answers` maps the name of a question to its answer: a value, an exception to raise, or a
callable that gets the question's arguments (and may be a coroutine function).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from drayman.api.lending import Framing, Session
from drayman.api.options import PathStat, PutOptions, Slow
from drayman.errors import NotFound
from drayman.model.container import Container, ContainerConfig, HostConfig, State
from drayman.model.event import Event
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network

CONTAINER_ID = "c0ffee" + "0" * 58


def container(*, tty: bool = False, name: str = "box", status: str = "created") -> Container:
    """A record that answers for any container."""
    return Container(
        id=CONTAINER_ID,
        name=name,
        created_at_ns=1_700_000_000_000_000_000,
        image_id="sha256:" + "a" * 64,
        config=ContainerConfig(tty=tty),
        host_config=HostConfig(),
        state=State(status=status),
    )


class Payload:
    """A download of so many bytes, or of given parts, written as the native one writes."""

    # Of a tar nothing is known.
    size_bytes = fingerprint = sum = None

    def __init__(self, *parts: bytes, then: Callable[[], Any] | None = None) -> None:
        self.parts = parts
        # Awaited when everything is written: a follower that waits for more.
        self.then = then
        self.trailers: dict[str, str] = {}
        self.closed = threading.Event()
        self.cancelled = threading.Event()

    async def send(self, fd: int, *, chunked: bool) -> None:
        """Write the parts, each as a chunk."""
        try:
            for part in self.parts:
                await _write(fd, b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            if self.then is not None:
                await self.then()
        except (BrokenPipeError, ConnectionResetError):
            pass
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def close(self) -> None:
        """Note it."""
        self.closed.set()


class Wait:
    """A client that waits for what ``outcome`` gives; it tells whether it was answered."""

    def __init__(self, outcome: Callable[[], Any]) -> None:
        self.outcome = outcome
        self.told = threading.Event()
        self.closed = threading.Event()

    def answered(self) -> None:
        """Note it."""
        self.told.set()

    def close(self) -> None:
        """Note it."""
        self.closed.set()


def waiting(outcome: Callable[[], Any]) -> Callable[..., Wait]:
    """The answer to ``container_wait``, for a result that ``outcome`` gives."""
    return lambda name, condition, caller: Wait(outcome)


async def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await asyncio.sleep(0.001)


async def _read(fd: int, size: int) -> bytes:
    while True:
        try:
            return os.read(fd, size)
        except BlockingIOError:
            await asyncio.sleep(0.001)


async def read_body(fd: int, framing: Framing) -> tuple[bytes, bytes]:
    """The body on a descriptor, and what was read beyond it, as the native reader does."""
    held, body = bytearray(framing.early), bytearray()
    if not framing.chunked:
        assert framing.length_bytes is not None
        while len(held) < framing.length_bytes and (part := await _read(fd, 65536)):
            held += part
        return bytes(held[: framing.length_bytes]), bytes(held[framing.length_bytes :])
    while True:
        while (end := held.find(b"\r\n")) < 0:
            held += await _read(fd, 65536)
        size = int(held[:end], 16)
        while len(held) < end + 2 + size + 2:
            held += await _read(fd, 65536)
        body += held[end + 2 : end + 2 + size]
        del held[: end + 2 + size + 2]
        if size == 0:
            return bytes(body), bytes(held)


class Fake:
    """The engine."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.answers: dict[str, Any] = dict(DEFAULTS)
        self.sessions: list[Session] = []
        # Set whenever a session arrives.
        self.hijacked = threading.Semaphore(0)
        self.uploads: list[bytes] = []

    def __getattr__(self, question: str) -> Callable[..., Any]:
        if question.startswith("_"):
            raise AttributeError(question)
        if question in ("events", "container_stats", "containers_stats"):
            return lambda *given, **named: self._answer_all(question, given, named)

        async def answer(*given: Any, **named: Any) -> Any:
            return await self._answer(question, given, named)

        return answer

    def asks(self, question: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The arguments of each time that a question was asked."""
        return [(given, named) for asked, given, named in self.asked if asked == question]

    async def _answer(self, question: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self.asked.append((question, given, named))
        if question not in self.answers:
            raise NotFound(f"no answer to {question}")
        answer = self.answers[question]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(*given, **named)
            if inspect.isawaitable(answer):
                answer = await answer
        return answer

    def _answer_all(
        self, question: str, given: tuple[Any, ...], named: dict[str, Any]
    ) -> AsyncIterator[Any]:
        self.asked.append((question, given, named))
        answer = self.answers[question]
        if isinstance(answer, Exception):
            raise answer

        async def each() -> AsyncIterator[Any]:
            for one in answer:
                if inspect.iscoroutinefunction(one):
                    await one()
                else:
                    yield one

        return each()

    # ------------------------------------------------ what takes descriptors

    async def attach(self, name: str, options: Any, session: Session) -> None:
        """Keep the session for the test."""
        self.asked.append(("attach", (name, options), {}))
        self._keep(session)

    async def container_follow(
        self, name: str, options: Any, session: Session, *, chunked: bool
    ) -> None:
        """Keep the session for the test."""
        self.asked.append(("container_follow", (name, options), {"chunked": chunked}))
        self._keep(session)

    async def exec_start(
        self, exec_id: str, request: Any, session: Session | None, *, slow: Any = Slow.WAIT
    ) -> None:
        """Keep the session for the test."""
        self.asked.append(("exec_start", (exec_id, request), {"slow": slow}))
        if session is not None:
            self._keep(session)

    async def archive_put(
        self, name: str, path: str, fd: int, options: PutOptions, framing: Framing
    ) -> bytes:
        """Keep the body."""
        self.asked.append(("archive_put", (name, path, options), {}))
        if isinstance(failure := self.answers.get("archive_put"), Exception):
            raise failure
        body, beyond = await read_body(fd, framing)
        self.uploads.append(body)
        return beyond

    async def image_load(
        self, fd: int, framing: Framing, *, quiet: bool
    ) -> tuple[list[dict[str, Any]], bytes]:
        """Keep the body."""
        body, beyond = await read_body(fd, framing)
        self.asked.append(("image_load", (), {"quiet": quiet}))
        if isinstance(failure := self.answers.get("image_load"), Exception):
            raise failure
        self.uploads.append(body)
        return [{"stream": "Loaded image: busybox:latest\n"}], beyond

    def _keep(self, session: Session) -> None:
        # A client may be gone.
        with contextlib.suppress(OSError):
            os.write(session.fd, session.head)
        self.sessions.append(session)
        self.hijacked.release()


def summary(name: str = "box") -> dict[str, Any]:
    """An entry of the list."""
    return {
        "Id": CONTAINER_ID,
        "Names": [f"/{name}"],
        "Image": "busybox",
        "ImageID": "sha256:" + "a" * 64,
        "Command": "sleep 1000",
        "Created": 1_700_000_000,
        "Ports": [],
        "Labels": {"a": "<&>"},
        "State": "running",
        "Status": "Up 3 seconds",
        "HostConfig": {"NetworkMode": "bridge", "Annotations": {"x": "y"}},
        "Health": {"Status": "none", "FailingStreak": 0},
        "ImageManifestDescriptor": {"digest": "sha256:0"},
        "NetworkSettings": {"Networks": {}},
        "Mounts": [],
    }


def inspection(*, tty: bool = False) -> dict[str, Any]:
    """What inspect tells."""
    return {
        "Id": CONTAINER_ID,
        "Name": "/box",
        "Created": "2023-11-14T22:13:20Z",
        "State": {"Status": "running", "Running": True, "ExitCode": 0},
        "Image": "sha256:" + "a" * 64,
        "Config": {"Tty": tty, "OpenStdin": False, "Image": "busybox", "Labels": {}},
        "HostConfig": {"NetworkMode": "bridge", "LogConfig": {"Type": "json-file"}},
        "NetworkSettings": {
            "Networks": {"bridge": {"IPAddress": "172.17.0.2", "MacAddress": "02:42:ac:11:00:02"}}
        },
        "Mounts": [],
    }


DEFAULTS: dict[str, Any] = {
    "container_list": [summary()],
    "container_inspect": lambda name, size: inspection(),
    "container_get": lambda name: container(),
    "container_start": None,
    "container_stop": None,
    "container_restart": None,
    "container_kill": None,
    "container_pause": None,
    "container_unpause": None,
    "container_rename": None,
    "container_resize": None,
    "container_remove": None,
    "container_update": None,
    "container_create": (CONTAINER_ID, []),
    "container_top": {"Titles": ["PID"], "Processes": [["1"]]},
    "container_changes": b"null\n",
    "containers_prune": {"ContainersDeleted": None, "SpaceReclaimed": 0},
    "container_logs": lambda name, options: Payload(),
    "attach_check": lambda name, options: container(),
    "exec_create": "e" * 64,
    "exec_check": None,
    "exec_resize": None,
    "exec_kill": None,
    "exec_remove": None,
    "exec_inspect": {"ID": "e" * 64, "Running": False, "ExitCode": 0, "Pid": 0},
    "archive_check": None,
    "archive_stat": PathStat(name="hosts", size_bytes=3, mode=0o644, mtime_ns=10**18),
    "export": lambda name, options: Payload(),
    "image_list": [],
    "image_get": Image(id="sha256:" + "a" * 64),
    "image_inspect": {"Id": "sha256:" + "a" * 64},
    "image_history": [],
    "image_changes": b"null\n",
    "image_tag": None,
    "image_remove": [{"Untagged": "busybox:latest"}],
    "volume_list": [Volume(name="data")],
    "volume_create": Volume(name="data"),
    "volume_inspect": Volume(name="data"),
    "volume_remove": None,
    "volumes_prune": {"VolumesDeleted": None, "SpaceReclaimed": 0},
    "network_list": [Network(id="b" * 64, name="bridge")],
    "network_inspect": (Network(id="b" * 64, name="bridge"), {}),
    "info": {"ID": "x", "ServerVersion": "29.0.0", "OSType": "linux", "Containers": 1},
    "version": {
        "Version": "29.0.0",
        "Os": "linux",
        "Arch": "amd64",
        "GoVersion": "",
        "GitCommit": "",
        "Components": [{"Name": "Engine", "Version": "29.0.0", "Details": {}}],
    },
    "disk_usage": {},
    "events": [Event(type="container", action="start", actor_id=CONTAINER_ID, time_ns=10**18)],
    "container_stats": [{"id": CONTAINER_ID, "name": "/box"}],
    "containers_stats": [[{"id": CONTAINER_ID, "name": "/box"}]],
}
