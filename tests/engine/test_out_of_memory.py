"""Memory runs out: who is told, and who is not."""

from __future__ import annotations

from tests.engine.engines import EngineServer

LIMIT = {"Memory": 16 << 20, "MemorySwap": 16 << 20}
EATS = "dd if=/dev/zero of=/dev/null bs=64M"


def ended(engine: EngineServer, script: str) -> tuple[bool, int, list[str]]:
    container = engine.running("sh", "-c", script, HostConfig=LIMIT)
    engine.docker("wait", container)
    state = engine.state(container)
    return state["OOMKilled"], state["ExitCode"], engine.actions(container)


def test_the_container_is_killed(engine_server: EngineServer) -> None:
    killed, code, actions = ended(engine_server, f"exec {EATS}")
    assert (killed, code, actions[-2:]) == (True, 137, ["oom", "die"])


def test_a_kill_by_hand_is_none_of_it(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig=LIMIT)
    engine_server.docker("kill", container)
    state = engine_server.state(container)
    assert (state["OOMKilled"], state["ExitCode"]) == (False, 137)
    assert "oom" not in engine_server.actions(container)


def test_the_next_run_begins_anew(engine_server: EngineServer) -> None:
    script = f"test -e /second || {{ touch /second; exec {EATS}; }}"
    container = engine_server.running("sh", "-c", script, HostConfig=LIMIT)
    engine_server.docker("wait", container)
    assert engine_server.state(container)["OOMKilled"]
    engine_server.docker("start", container)
    engine_server.docker("wait", container)
    state = engine_server.state(container)
    assert (state["OOMKilled"], state["ExitCode"]) == (False, 0)


def test_nobody_is_killed_where_it_is_forbidden(engine_server: EngineServer) -> None:
    body = LIMIT | {"OomKillDisable": True}
    container = engine_server.running("sh", "-c", f"exec {EATS}", HostConfig=body)
    engine_server.docker("kill", container)
    assert not engine_server.state(container)["OOMKilled"]
