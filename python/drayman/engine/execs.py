"""Second processes in a container, and how long they are remembered."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import msgspec
import orjson

from drayman.api.options import ExecRequest
from drayman.engine.detach_keys import as_bytes
from drayman.runtime.users import User

# Docker forgets a finished exec after two of these.
COLLECTION_INTERVAL_S = 300.0


class ExecRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine that comes back needs to know of an exec it did not see begin."""

    id: str
    container_id: str
    request: ExecRequest
    user: User = User()


class Exec:
    """One exec: registered, then running, then finished."""

    def __init__(self, record: ExecRecord) -> None:
        self.record = record
        self.pid = 0
        self.exit_code: int | None = None
        self.running = False
        # Started or failed to: what a resize waits for.
        self.settled = asyncio.Event()
        self.over = asyncio.Event()
        self.claimed = False
        self.finished_at_s = 0.0

    @property
    def id(self) -> str:
        """64 hexadecimal digits."""
        return self.record.id

    @property
    def finished(self) -> bool:
        """Whether it ran, or could not, and is only remembered."""
        return self.exit_code is not None

    @property
    def command(self) -> str:
        """As events show it: Docker has a blank behind a program without arguments too."""
        program, *arguments = self.record.request.cmd or [""]
        return f"{program} {' '.join(arguments)}"

    def began(self, pid: int) -> None:
        """The process runs. It may have ended before we heard that it began."""
        self.pid = pid
        self.running = self.exit_code is None
        self.settled.set()

    def ended(self, exit_code: int) -> None:
        """The process is gone, or never was."""
        self.exit_code = exit_code
        self.running = False
        self.finished_at_s = time.monotonic()
        self.settled.set()
        self.over.set()

    def document(self) -> dict[str, Any]:
        """``GET /exec/{id}/json``."""
        request = self.record.request
        argv = request.cmd or []
        return {
            "ID": self.id,
            "Running": self.running,
            "ExitCode": self.exit_code,
            "ProcessConfig": {
                "tty": request.tty,
                "entrypoint": argv[0] if argv else "",
                "arguments": argv[1:],
                "privileged": request.privileged,
                **({"user": request.user} if request.user else {}),
            },
            "OpenStdin": request.attach_stdin,
            "OpenStderr": request.attach_stderr,
            "OpenStdout": request.attach_stdout,
            "CanRemove": self.finished,
            "ContainerID": self.record.container_id,
            "DetachKeys": base64.b64encode(as_bytes(request.detach_keys)).decode()
            if request.detach_keys
            else "",
            "Pid": self.pid,
        }


def encode(record: ExecRecord) -> bytes:
    """For the file beside the exec's process."""
    return orjson.dumps(msgspec.to_builtins(record))


def decode(document: bytes) -> ExecRecord:
    """The reverse of `encode`; raises msgspec.ValidationError or ValueError."""
    return msgspec.convert(orjson.loads(document), ExecRecord)
