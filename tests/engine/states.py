"""Containers in each state that a client can find one in, for tests of what is answered then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime

from tests.engine.engines import EngineServer, until

# A back-off is twice the one before; a test takes less time than this.
FIRST_BACK_OFF_S = 0.1
ENOUGH_S = 1.5


TRAP = "trap 'exit 5' TERM; trap 'exit 6' INT; echo ready; while :; do sleep 0.01; done"


def ready(engine: EngineServer, script: str = TRAP, **body: object) -> str:
    """A container that has said that it listens to signals; its id."""
    container = engine.running("sh", "-c", script, **body)
    until(lambda: b"ready" in engine.docker("logs", container).stdout)
    return container


def container_in(engine: EngineServer, status: str) -> str:
    """A new container in this state; its id."""
    return MAKERS[status](engine)


def _created(engine: EngineServer) -> str:
    return engine.create("sleep", "1000", Tty=True)


def _running(engine: EngineServer) -> str:
    return engine.running("sleep", "1000", Tty=True)


def _paused(engine: EngineServer) -> str:
    container = _running(engine)
    assert engine.api("POST", f"/containers/{container}/pause")[0] == 204
    return container


def _exited(engine: EngineServer) -> str:
    container = _running(engine)
    assert engine.api("POST", f"/containers/{container}/kill")[0] == 204
    return container


def _restarting(engine: EngineServer) -> str:
    container = engine.running("false", HostConfig={"RestartPolicy": {"Name": "always"}})
    wait_for_back_off(engine, container)
    return container


def _dead(engine: EngineServer) -> str:
    container = engine.create("true")
    aside = engine.root / "tmp" / f"removed-{container}"
    (aside / "in-the-way").mkdir(parents=True)
    status, answer = engine.api("DELETE", f"/containers/{container}")
    assert status == 500, answer
    shutil.rmtree(aside)
    return container


MAKERS: dict[str, Callable[[EngineServer], str]] = {
    "created": _created,
    "running": _running,
    "paused": _paused,
    "restarting": _restarting,
    "exited": _exited,
    "dead": _dead,
}


def wait_for_back_off(engine: EngineServer, container: str) -> None:
    """Until it waits for a restart that is some seconds away."""

    def far_away() -> bool:
        _, found = engine.api("GET", f"/containers/{container}/json")
        state = found["State"]
        if state["Status"] != "restarting":
            return False
        # Go writes nanoseconds, which Python does not read.
        ended = datetime.fromisoformat(state["FinishedAt"][:26].rstrip("Z")).replace(tzinfo=UTC)
        back_off_s = FIRST_BACK_OFF_S * 2.0 ** (found["RestartCount"] - 1)
        return back_off_s - (datetime.now(UTC) - ended).total_seconds() > ENOUGH_S

    until(far_away, "no back-off")
