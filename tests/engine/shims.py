"""Real shims for tests: a root of busybox, bundles written by hand, and sockets lent to them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import drayman
from drayman.runtime.host import Host
from drayman.runtime.shim import Shim

BINARY = Path(os.environ.get("DRAYMAN_SHIM", Path(drayman.__file__).parent / "bin/drayman-shim"))
CGROUP_PARENT = "drayman-test-shim"
TIMEOUT_S = 30.0

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces, mounts and cgroups")


class Place:
    """A directory for shims, longer than a socket's address may be; nothing of it stays."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="dms-" + "d" * 120))
        self.layout = msgspec.to_builtins(Host.detect().cgroup)
        self.cgroup = f"/{CGROUP_PARENT}-{os.getpid()}"
        self.layer = self.path / "layer"
        self.boxes: list[Box] = []
        busybox = shutil.which("busybox")
        assert busybox is not None, "busybox-static is needed"
        for name in ("bin", "dev", "proc", "sys", "tmp", "etc"):
            (self.layer / name).mkdir(parents=True)
        applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
        for applet in applets.stdout.split():
            (self.layer / "bin" / applet).symlink_to("busybox")
        (self.layer / "bin/busybox").unlink(missing_ok=True)
        shutil.copy(busybox, self.layer / "bin/busybox")
        (self.layer / "bin/plain").write_text("not a program\n")

    def box(self, *args: str, **options: Any) -> Box:
        """A container that runs a command; see `Box`."""
        box = Box(self, list(args), **options)
        self.boxes.append(box)
        return box

    def cgroups(self) -> list[Path]:
        """The containers' cgroups that are left."""
        return [left for parent in self._parents() for left in parent.glob("*/")]

    async def clear(self) -> None:
        """End what a test that failed left running."""
        for group in self.cgroups():
            with contextlib.suppress(OSError):
                for pid in (group / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
        for box in self.boxes:
            if box.shim is not None:
                await box.shim.close()

    def close(self) -> None:
        for parent in self._parents():
            with contextlib.suppress(OSError):
                parent.rmdir()
        shutil.rmtree(self.path, ignore_errors=True)

    def _parents(self) -> list[Path]:
        roots = [*self.layout["controllers"].values(), self.layout["unified"]]
        parents = {Path(root + self.cgroup).resolve() for root in roots if root}
        return [parent for parent in parents if parent.exists()]


class Box:
    """One container's bundle, and the shim once it was spawned."""

    shim: Shim = None  # type: ignore[assignment]  # until `spawn`

    def __init__(
        self,
        place: Place,
        args: list[str],
        *,
        tty: bool = False,
        open_stdin: bool = False,
        stdin_once: bool = True,
        log: str = "json-file",
        delivery: dict[str, Any] | None = None,
        memory_bytes: int | None = None,
        console_size: tuple[int, int] | None = None,
    ) -> None:
        self.place = place
        self.id = secrets.token_hex(32)
        self.path = place.path / self.id[:8]
        self.execs = self.path / "exec"
        self.exit_file = self.path / "exit.json"
        self.log = self.path / "log"
        self.socket = self.path / "s"
        bundle = self.path / "bundle"
        for directory in (bundle, self.execs, self.path / "upper", self.path / "work"):
            directory.mkdir(parents=True)
        self.events: list[dict[str, Any]] = []
        cgroup = f"{place.cgroup}/{self.id}"
        settings = {
            "version": 1,
            "id": self.id,
            "bundle": str(bundle),
            "socket": str(self.socket),
            "exit_file": str(self.exit_file),
            "exec_dir": str(self.execs),
            "logger": str(BINARY.with_name("drayman-logger")),
            "root": {
                "lower": [str(place.layer)],
                "upper": str(self.path / "upper"),
                "work": str(self.path / "work"),
                "read_only": False,
            },
            "seccomp": None,
            "stdio": {
                "tty": tty,
                "open_stdin": open_stdin,
                "stdin_once": stdin_once,
                "console_size": console_size,
                "detach_keys": "ctrl-p,ctrl-q",
            },
            "log": {
                "file": None
                if log == "none"
                else {
                    "path": str(self.log),
                    "max_size_bytes": None,
                    "max_files": 1,
                    "compress": False,
                    "attrs": {},
                    "beside": False,
                },
                "delivery": delivery,
            },
            "cgroup": place.layout,
            "stop_grace": None,
        }
        (bundle / "shim.json").write_text(json.dumps(settings))
        (bundle / "config.json").write_text(json.dumps(_plan(args, tty, cgroup, memory_bytes)))

    def stranger(self) -> socket.socket:
        """A connection to the shim, with no manners yet."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.chdir(self.socket.parent):
            connection.connect(self.socket.name)
        return connection

    async def spawn(self) -> Shim:
        self.adopt(await Shim.spawn(BINARY, self.path / "bundle"))
        return self.shim

    def adopt(self, shim: Shim) -> None:
        self.shim = shim
        shim.on_event = self.events.append

    async def attach(self, **options: Any) -> Peer:
        """Attach a client to all outputs, framed, unless told otherwise."""
        ours, theirs = socket.socketpair()
        wanted = {"stdin": False, "stdout": True, "stderr": True, "framed": True} | options
        with theirs:
            await self.shim.attach(theirs.fileno(), **wanted)
        return Peer(ours)

    async def exec(self, exec_id: str, *args: str, attached: bool = True, **options: Any) -> Peer:
        """Run a further process, attached unless told otherwise."""
        tty = options.get("tty", False)
        process = self.execs / f"{exec_id}.json"
        process.write_text(json.dumps(_process(list(args), tty)))
        ours, theirs = socket.socketpair()
        wanted = {"tty": False, "stdin": False, "stdout": True, "stderr": True, "framed": True}
        with theirs:
            fd = theirs.fileno() if attached else None
            try:
                await self.shim.exec(exec_id, process, fd, **(wanted | options))
            except BaseException:
                ours.close()
                raise
        return Peer(ours)

    def exit_record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.exit_file.read_text())
        return record

    def logged(self, stream: str = "stdout") -> str:
        records = map(json.loads, self.log.read_text().splitlines())
        return "".join(record["log"] for record in records if record["stream"] == stream)


class Peer:
    """The client's end of a connection that was lent to a shim."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.socket = connection
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.socket, data)

    def end(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    async def read(self, size: int = 1 << 16) -> bytes:
        return await self._loop.sock_recv(self.socket, size)

    async def read_until(self, mark: bytes) -> bytes:
        """Read up to a mark, which is the last thing that was said by now."""
        got = b""
        while mark not in got:
            part = await self.read()
            assert part, f"ended with {got!r}"
            got += part
        return got

    async def read_all(self) -> bytes:
        """Read to the end, and hang up."""
        parts = []
        while part := await self.read(1 << 20):
            parts.append(part)
        self.close()
        return b"".join(parts)

    async def frames(self) -> dict[int, bytes]:
        """Read to the end; what came on each stream."""
        return unframe(await self.read_all())

    def close(self) -> None:
        self.socket.close()


def unframe(data: bytes) -> dict[int, bytes]:
    """The payloads of a multiplexed stream, by stream; nothing may be cut."""
    streams: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        stream, size = struct.unpack_from(">BxxxI", data, at)
        at += 8 + size
        assert at <= len(data)
        streams.setdefault(stream, []).append(data[at - size : at])
    return {stream: b"".join(parts) for stream, parts in streams.items()}


def scene(test: Callable[[Place], Awaitable[None]]) -> Callable[[], None]:
    """Run a coroutine as a test in a place of its own, of which nothing may be left."""

    @needs_root
    @functools.wraps(test)
    def run() -> None:
        place = Place()
        try:
            asyncio.run(_play(test, place))
            assert not place.cgroups()
            assert str(place.path) not in Path("/proc/self/mountinfo").read_text()
        finally:
            place.close()

    # pytest would take the coroutine's parameter for a fixture.
    del run.__wrapped__
    return run


async def _play(test: Callable[[Place], Awaitable[None]], place: Place) -> None:
    try:
        await asyncio.wait_for(test(place), TIMEOUT_S)
    finally:
        await place.clear()


def descriptors(pid: int) -> Iterator[str]:
    """What a process has open."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            yield os.readlink(entry)


def _process(args: list[str], tty: bool) -> dict[str, Any]:
    return {
        "terminal": tty,
        "user": {"uid": 0, "gid": 0},
        "args": args,
        "env": ["PATH=/bin", "TERM=xterm"],
        "cwd": "/",
    }


def _plan(args: list[str], tty: bool, cgroup: str, memory_bytes: int | None) -> dict[str, Any]:
    mount = {"destination": "/proc", "type": "proc", "source": "proc", "options": []}
    shared_memory = {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []}
    terminals = {
        "destination": "/dev/pts",
        "type": "devpts",
        "source": "devpts",
        "options": ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    }
    memory = {"limit": memory_bytes, "swap": memory_bytes} if memory_bytes else {}
    return {
        "ociVersion": "1.2.0",
        "process": _process(args, tty),
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [mount, shared_memory, terminals],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
            "cgroupsPath": cgroup,
            "resources": {"memory": memory} if memory else {},
        },
    }
