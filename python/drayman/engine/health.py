"""How a container's health checks went, as its shim tells it."""

from __future__ import annotations

import secrets
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from drayman.engine.announcing import Announcer
from drayman.engine.spans import rfc3339
from drayman.model.container import Container
from drayman.runtime import probes

STARTING = "starting"
UNHEALTHY = "unhealthy"
# For a container that is not checked.
NONE = "none"
# Results that are kept, Docker's number.
RESULTS_MAX = 5


class Result(msgspec.Struct, frozen=True):
    """One probe; times in nanoseconds since 1970. Any exit code but 0 is a failure."""

    started_at_ns: int
    ended_at_ns: int
    exit_code: int
    output: str


class Told(msgspec.Struct, frozen=True):
    """The shim's word on a probe, or on checks as a whole when there is no result."""

    status: str
    failing_streak: int
    changed: bool
    result: Result | None
    process_code: int | None


class Health:
    """Of one run of a container."""

    def __init__(
        self, status: str = STARTING, failing_streak: int = 0, log: list[Result] | None = None
    ) -> None:
        self.status = status
        self.failing_streak = failing_streak
        self._log = deque(log or (), RESULTS_MAX)
        # The id that events give to the probe's command.
        self._exec_id: str | None = None

    @staticmethod
    def read(path: Path) -> Health | None:
        """What a shim wrote; None where no container was checked since the host started."""
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, ValueError):
            # Written to a temporary file and renamed, so a broken one is not the shim's.
            return None
        return Health(kept.status, kept.failing_streak, kept.log)

    def hear(self, event: dict[str, object], record: Container, announce: Announcer) -> None:
        """Take the shim's word, and tell listeners what Docker tells them: of commands as of
        execs, of results when they change the status."""
        if event["event"] == "probe":
            self._exec_id = secrets.token_hex(32)
            words = " ".join(probes.command(record.config))
            for action in ("exec_create", "exec_start"):
                announce.container(record, f"{action}: {words}", execID=self._exec_id)
            return
        told = msgspec.convert(event, Told)
        if told.process_code is not None and self._exec_id is not None:
            code = str(told.process_code)
            announce.container(record, "exec_die", execID=self._exec_id, exitCode=code)
            self._exec_id = None
        self.status, self.failing_streak = told.status, told.failing_streak
        # Read from the file already by an engine that came back meanwhile?
        if told.result is not None and told.result not in self._log:
            self._log.append(told.result)
        if told.changed:
            announce.container(record, f"health_status: {told.status}")

    def document(self) -> dict[str, Any]:
        """``State.Health``."""
        log = [
            {
                "Start": rfc3339(one.started_at_ns),
                "End": rfc3339(one.ended_at_ns),
                "ExitCode": one.exit_code,
                "Output": one.output,
            }
            for one in self._log
        ]
        return {"Status": self.status, "FailingStreak": self.failing_streak, "Log": log}

    def words(self) -> str:
        """As ``docker ps`` shows it."""
        return f"health: {STARTING}" if self.status == STARTING else self.status


class _Kept(msgspec.Struct, frozen=True):
    """``health.json``."""

    status: str
    failing_streak: int
    log: list[Result]
