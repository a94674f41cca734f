"""How a container's health checks go, as its shim tells it.

The shim tells of changes, which lists and events show; results of single probes stay with it
until somebody inspects the container.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from drayman.engine.announcing import Announcer
from drayman.model.container import Container
from drayman.model.go_time import rfc3339
from drayman.runtime import messages, probes
from drayman.runtime.shim import Gone

if TYPE_CHECKING:
    from drayman.engine.entry import Entry

STARTING = "starting"
HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
HEALTHS = (STARTING, HEALTHY, UNHEALTHY)
# For a container that is not checked.
NONE = "none"


class Told(msgspec.Struct, frozen=True):
    """The shim's word on a change, or on the end of a probe's command."""

    status: str
    failing_streak: int
    changed: bool
    process_code: int | None


class Health:
    """Of one run of a container."""

    def __init__(
        self,
        status: str = STARTING,
        failing_streak: int = 0,
        log: list[messages.Probe] | None = None,
    ) -> None:
        self.status = status
        self.failing_streak = failing_streak
        # Once the run has ended; before that the shim has it.
        self._log = log or []
        # The id that events give to the probe's command.
        self._exec_id: str | None = None

    @staticmethod
    def of(known: messages.Health) -> Health:
        """As a shim has it."""
        return Health(known.status, known.failing_streak, known.log)

    @staticmethod
    def ended(path: Path) -> Health:
        """What a shim left in a file, should the host still have it. As with Docker, what is not
        checked any more is not healthy."""
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=messages.Health)
        except (OSError, ValueError):
            # Written to a temporary file and renamed, so a broken one is not the shim's.
            return Health(UNHEALTHY)
        return Health(UNHEALTHY, kept.failing_streak, kept.log)

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


def is_checked(record: Container) -> bool:
    """Whether its shim probes it while it runs."""
    return probes.test_of(record.config) is not None


async def look(entry: Entry) -> Health | None:
    """With results of probes; None for a container that is not checked."""
    if entry.health is not None and entry.shim is not None:
        try:
            known = await entry.shim.health()
        except Gone:
            # It has ended, which is recorded in a moment.
            return entry.health
        return Health.of(known) if known is not None else None
    return entry.health
