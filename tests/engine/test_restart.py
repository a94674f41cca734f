"""docker restart: whatever goes wrong but the lookup is 500, as with Docker."""

from __future__ import annotations

from tests.engine.engines import EngineServer


def restart(engine: EngineServer, name: str, query: str = "") -> tuple[int, str]:
    status, answer = engine.api("POST", f"/containers/{name}/restart{query}")
    return status, answer["message"] if answer else ""


def test_one_that_never_ran_is_started(engine_server: EngineServer) -> None:
    container = engine_server.create("sleep", "1000")
    assert restart(engine_server, container) == (204, "")
    assert engine_server.state(container)["Status"] == "running"


def test_what_cannot_be(engine_server: EngineServer) -> None:
    container = engine_server.running(name="again")
    prefix = "Cannot restart container again: "
    text = f'{prefix}strconv.Atoi: parsing "x": invalid syntax'
    assert restart(engine_server, "again", "?t=x") == (500, text)
    text = f"{prefix}invalid signal: NOPE"
    assert restart(engine_server, "again", "?signal=NOPE") == (500, text)
    assert engine_server.state(container)["Status"] == "running"
    assert restart(engine_server, "nosuch") == (404, "No such container: nosuch")


def test_a_program_that_is_not_there_is_told_with_the_container(
    engine_server: EngineServer,
) -> None:
    container = engine_server.create("nosuchprogram")
    status, text = restart(engine_server, container)
    assert status == 500
    assert text.startswith(f"Cannot restart container {container}: failed to create task")
    assert engine_server.state(container)["ExitCode"] == 127
    told = engine_server.docker("restart", container, code=1).stderr.decode()
    assert text in told
