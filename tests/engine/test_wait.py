"""Waiting for containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket

import pytest
from tests.engine.engines import TIMEOUT_S, EngineServer, until


class Waiter:
    """A client that waits."""

    def __init__(self, engine: EngineServer, container: str, condition: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_S)
        self._socket.connect(str(engine.socket_path))
        request = f"POST /containers/{container}/wait?condition={condition} HTTP/1.1\r\n"
        self._socket.sendall(f"{request}Host: d\r\nContent-Length: 0\r\n\r\n".encode())
        self._answer = b""

    def greeted(self) -> Waiter:
        """This, once it has the head of its answer."""
        while b"\r\n\r\n" not in self._answer:
            self._answer += self._socket.recv(4096)
        return self

    def result(self) -> dict[str, object]:
        while not self._answer.endswith(b"0\r\n\r\n"):
            part = self._socket.recv(4096)
            assert part, self._answer
            self._answer += part
        self.leave()
        chunk = self._answer.split(b"\r\n\r\n", 1)[1].split(b"\r\n")[1]
        document: dict[str, object] = json.loads(chunk)
        return document

    def leave(self) -> None:
        self._socket.close()


def test_not_running_answers_at_once_for_one_that_never_ran(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    assert engine_server.api("POST", f"/containers/{container}/wait") == (200, {"StatusCode": 0})


def test_next_exit_waits_for_a_run(engine_server: EngineServer) -> None:
    container = engine_server.create("sh", "-c", "exit 4")
    waiter = Waiter(engine_server, container, "next-exit").greeted()
    assert engine_server.api("POST", f"/containers/{container}/start")[0] == 204
    assert waiter.result() == {"StatusCode": 4}


def test_removed_waits_for_the_removal(engine_server: EngineServer) -> None:
    container = engine_server.create("sh", "-c", "exit 4", HostConfig={"AutoRemove": True})
    waiter = Waiter(engine_server, container, "removed").greeted()
    engine_server.api("POST", f"/containers/{container}/start")
    assert waiter.result() == {"StatusCode": 4}
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == 404


def test_removal_wakes_everybody(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    waiters = [Waiter(engine_server, container, one).greeted() for one in ("next-exit", "removed")]
    engine_server.api("DELETE", f"/containers/{container}")
    assert [waiter.result() for waiter in waiters] == [{"StatusCode": 0}] * 2


def test_entering_the_back_off_wakes(engine_server: EngineServer) -> None:
    container = engine_server.create(
        "sh", "-c", "exit 2", HostConfig={"RestartPolicy": {"Name": "always"}}
    )
    waiter = Waiter(engine_server, container, "next-exit").greeted()
    engine_server.api("POST", f"/containers/{container}/start")
    assert waiter.result() == {"StatusCode": 2}
    engine_server.api("POST", f"/containers/{container}/stop")
    until(lambda: engine_server.state(container)["Status"] == "exited")


GATE = "until [ -e /go ]; do sleep 0.01; done; exit 6"


def go(engine: EngineServer, container: str) -> None:
    """Let it end. What does it is not waited for: the container may end first, and kill it."""
    engine.docker("exec", "-d", container, "touch", "/go")


@pytest.mark.parametrize("condition", ["not-running", "next-exit", "removed"])
def test_a_waiter_survives_the_engine(engine_server: EngineServer, condition: str) -> None:
    container = engine_server.running(
        "sh", "-c", GATE, HostConfig={"AutoRemove": condition == "removed"}
    )
    waiter = Waiter(engine_server, container, condition).greeted()
    engine_server.crash()
    go(engine_server, container)
    assert waiter.result() == {"StatusCode": 6}
    # Whoever has the answer finds it true.
    if condition == "removed":
        assert engine_server.api("GET", f"/containers/{container}/json")[0] == 404
    else:
        assert engine_server.state(container)["ExitCode"] == 6


def test_a_waiter_from_before_the_start_survives_many(engine_server: EngineServer) -> None:
    container = engine_server.create("sh", "-c", GATE)
    waiter = Waiter(engine_server, container, "next-exit").greeted()
    engine_server.api("POST", f"/containers/{container}/start")
    engine_server.crash()
    engine_server.crash()
    go(engine_server, container)
    assert waiter.result() == {"StatusCode": 6}


@pytest.mark.parametrize("condition", ["next-exit", "removed"])
def test_an_engine_may_die_before_the_head_of_the_answer(
    engine_server: EngineServer, condition: str
) -> None:
    container = engine_server.running(
        "sh", "-c", GATE, HostConfig={"AutoRemove": condition == "removed"}
    )
    shim = engine_server.shim(container)
    os.kill(shim, signal.SIGSTOP)
    waiter = Waiter(engine_server, container, condition)
    # Answers come in the order of requests, so that it is the shim that is waited for.
    for _ in range(10):
        assert engine_server.api("GET", "/_ping")[0] == 200
    engine_server.kill()
    os.kill(shim, signal.SIGCONT)
    engine_server.start()
    go(engine_server, container)
    assert waiter.result() == {"StatusCode": 6}


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("automatic", [False, True])
def test_a_waiter_is_answered_without_an_engine(
    engine_server: EngineServer, end: str, automatic: bool
) -> None:
    container = engine_server.running(
        "sh", "-c", "sleep 0.5; exit 6", HostConfig={"AutoRemove": automatic}
    )
    waiter = Waiter(engine_server, container, "removed" if automatic else "next-exit").greeted()
    getattr(engine_server, end)()
    try:
        assert waiter.result() == {"StatusCode": 6}
    finally:
        engine_server.start()


def test_a_waiter_of_a_failed_removal_learns_of_it_after_a_crash(
    engine_server: EngineServer,
) -> None:
    container = engine_server.running("sh", "-c", GATE, HostConfig={"AutoRemove": True})
    waiter = Waiter(engine_server, container, "removed").greeted()
    engine_server.crash()
    aside = engine_server.root / "tmp" / f"removed-{container}"
    (aside / "in-the-way").mkdir(parents=True)
    go(engine_server, container)
    answer = waiter.result()
    assert answer["StatusCode"] == 6
    assert "not empty" in str(answer["Error"])
    shutil.rmtree(aside)


def test_clients_that_left_are_forgotten(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", GATE)
    waiters = [Waiter(engine_server, container, "next-exit").greeted() for _ in range(20)]
    shim = engine_server.shim(container)
    open_files = len(os.listdir(f"/proc/{shim}/fd"))
    for waiter in waiters[:10]:
        waiter.leave()
    until(lambda: len(os.listdir(f"/proc/{shim}/fd")) <= open_files - 20, "held")
    engine_server.crash()
    for waiter in waiters[10:]:
        waiter.leave()
    until(lambda: len(os.listdir(f"/proc/{shim}/fd")) <= open_files - 40 + 1, "held")


def test_an_unknown_condition_is_400(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    assert engine_server.api("POST", f"/containers/{container}/wait?condition=x") == (
        400,
        {"message": 'invalid condition: "x"'},
    )
    # It was not looked at before it had a meaning.
    answer = engine_server.api("POST", f"/v1.29/containers/{container}/wait?condition=x")
    assert answer == (200, {"StatusCode": 0})


def test_what_is_gone_already_cannot_be_waited_for(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    engine_server.api("DELETE", f"/containers/{container}")
    assert engine_server.api("POST", f"/containers/{container}/wait?condition=removed") == (
        404,
        {"message": f"No such container: {container}"},
    )
