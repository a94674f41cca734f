"""Kill."""

from __future__ import annotations

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.states import ready


def test_kill_waits_for_the_end(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert engine_server.api("POST", f"/containers/{container}/kill")[0] == 204
    assert engine_server.state(container)["ExitCode"] == 137
    assert engine_server.api("POST", f"/containers/{container}/kill") == (
        409,
        {"message": f"cannot kill container: {container}: container {container} is not running"},
    )


def test_a_kill_says_what_it_could_not(engine_server: EngineServer) -> None:
    assert engine_server.api("POST", "/containers/nosuch/kill") == (
        404,
        {"message": "cannot kill container: nosuch: No such container: nosuch"},
    )


def test_any_other_signal_is_sent_and_not_waited_for(engine_server: EngineServer) -> None:
    container = ready(engine_server)
    engine_server.docker("kill", "-s", "INT", container)
    until(lambda: engine_server.state(container)["Status"] == "exited")
    assert engine_server.state(container)["ExitCode"] == 6
    assert engine_server.actions(container)[-2:] == ["kill", "die"]


@pytest.mark.parametrize("signal", ["SIGTERM", "term", "TERM", "15", "Sigterm"])
def test_signals_have_many_names(engine_server: EngineServer, signal: str) -> None:
    container = ready(engine_server)
    engine_server.client().api.kill(container, signal=signal)
    until(lambda: engine_server.state(container)["Status"] == "exited")
    assert engine_server.state(container)["ExitCode"] == 5


@pytest.mark.parametrize(
    ("signal", "text"),
    [
        ("NOPE", "invalid signal: NOPE"),
        ("0", "invalid signal: 0"),
        ("-9", "the linux daemon does not support signal -9"),
        ("1000", "the linux daemon does not support signal 1000"),
    ],
)
def test_a_bad_signal_is_told_before_a_bad_name(
    engine_server: EngineServer, signal: str, text: str
) -> None:
    for name in (engine_server.create("true"), "nosuch"):
        assert engine_server.api("POST", f"/containers/{name}/kill?signal={signal}") == (
            400,
            {"message": f"cannot kill container: {name}: {text}"},
        )


def test_a_paused_container_dies_as_it_is(engine_server: EngineServer) -> None:
    container = engine_server.running()
    engine_server.docker("pause", container)
    engine_server.docker("kill", container)
    assert engine_server.state(container)["ExitCode"] == 137


def test_a_signal_that_is_not_for_the_end_leaves_a_paused_container_so(
    engine_server: EngineServer,
) -> None:
    container = engine_server.running("sleep", "1000", StopSignal="TERM")
    engine_server.docker("pause", container)
    engine_server.docker("kill", "-s", "WINCH", container)
    assert engine_server.state(container)["Status"] == "paused"
    engine_server.docker("kill", "-s", "TERM", container)
    engine_server.docker("kill", container)
