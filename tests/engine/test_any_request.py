"""Whatever is asked of any operation: an answer in Docker's shape and in time, an engine that
goes on, and nothing left.

A thousand requests; ``DRAYMAN_FUZZ_REQUESTS`` makes it more.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, event, given, settings
from tests.api.client import Client
from tests.engine.any_request import EXEC, AnyRequest, requests
from tests.engine.engines import EngineServer

REQUESTS = int(os.environ.get("DRAYMAN_FUZZ_REQUESTS", "1000"))
REFUSALS = (400, 401, 403, 404, 409, 415, 501, 503)
# What Docker answers 500 to, though it is the client's mistake, by the beginning of its text.
DOCKERS_OWN = {
    "ContainerRestart": r"Cannot restart container ",
    "ContainerStop": r"cannot stop container: .*(invalid signal|does not support signal)",
    "ContainerUnpause": r"Container \w+ is not paused",
    "ContainerDelete": r"Conflict, cannot remove the default link name",
    "ContainerTop": r"ps: |Couldn't find PID|Unexpected pid|specifying ",
    "ContainerExec": r"Invalid detach keys",
    # Of one that was not started: it is waited for, ten seconds.
    "ExecResize": r"timeout waiting for exec session ready",
    "ImageCreate": r"(.*: )?(unexpected EOF|archive/tar: invalid tar header)",
    "PutContainerArchive": (
        r"(.*: )?(unexpected EOF|archive/tar: invalid tar header)"
        r"|stat .*: (not a directory|file name too long)"
    ),
    "ContainerArchive": r"stat .*: (not a directory|file name too long)",
    "ContainerArchiveInfo": "",
}
# These may take as long as the client says, and say nothing before.
WAITING = ("ContainerStop", "ContainerRestart", "ContainerWait", "ExecResize")
ENOUGH_S = 0.5
# How long to listen to what has no end.
STREAMED_S = 0.05
# Ends by a signal at once; has said something.
SCRIPT = "trap 'exit 0' TERM; echo said; while :; do sleep 1000 & wait $!; done"


class Stock:
    """What requests are about: put back whenever one has changed it."""

    def __init__(self, engine: EngineServer) -> None:
        self.engine = engine
        self.exec = ""
        self.fill()

    def fill(self, *, afresh: bool = False) -> None:
        """Have the same containers, and no other."""
        wanted = {"/box": "running", "/idle": "created", "/frozen": "paused"}
        there = self._containers()
        if there == wanted and not afresh:
            return
        for name in there:
            status, answer = self.engine.api("DELETE", f"/containers{quote(name)}?force=1&v=1")
            assert status == 204, (name, answer)
        assert self._containers() == {}
        self.engine.api("POST", "/volumes/prune?filters=" + quote('{"all":["1"]}'))
        if self.engine.api("GET", "/images/busybox/json")[0] != 200:
            self.engine.load_busybox()
        self.engine.create("true", name="idle")
        host = {"NetworkMode": "none"}
        self.engine.running(name="frozen", HostConfig=host)
        assert self.engine.api("POST", "/containers/frozen/pause")[0] == 204
        self.engine.running("sh", "-c", SCRIPT, name="box", HostConfig=host)
        assert self.engine.api("POST", "/volumes/create", {"Name": "kept"})[0] == 201
        self.renew_exec()

    def renew_exec(self) -> None:
        """Have an exec that was not started."""
        status, made = self.engine.api("POST", "/containers/box/exec", {"Cmd": ["cat"]})
        assert status == 201, made
        self.exec = made["Id"]

    def _containers(self) -> dict[str, str]:
        _, listed = self.engine.api("GET", "/containers/json?all=1")
        return {one["Names"][0]: one["State"] for one in listed}


@pytest.fixture(scope="module")
def stock(engine_server: EngineServer) -> Iterator[Stock]:
    yield Stock(engine_server)
    assert engine_server.api("GET", "/_ping") == (200, "OK")
    assert "Traceback" not in engine_server.log.read_text()


@pytest.mark.timeout(60 + REQUESTS)
@settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=requests())
def test_any_request(stock: Stock, asked: AnyRequest) -> None:
    status, text = ask(stock, asked)
    event(f"{status} {'built' if asked.route.handler else 'not built'}")
    if status is not None and status >= 400:
        refused(asked, status, text)
    if status == 201 and asked.route.operation == "ContainerCreate" and asked.harmless:
        started(stock.engine, json.loads(text)["Id"])
    if asked.route.method not in ("GET", "HEAD"):
        stock.fill(afresh=status is None)
        if asked.route.operation.startswith("Exec"):
            stock.renew_exec()
    assert stock.engine.process.poll() is None


def ask(stock: Stock, asked: AnyRequest) -> tuple[int | None, bytes]:
    """Status and body of the answer, of a stream its beginning; None where none has come."""
    route = asked.route
    with Client(str(stock.engine.socket_path)) as client:
        client.request(
            route.method,
            asked.path.replace(EXEC, stock.exec),
            body=asked.body,
            headers=asked.headers,
        )
        if route.operation in WAITING:
            client.socket.settimeout(ENOUGH_S)
        try:
            status, _, headers = client.head()
        except TimeoutError:
            assert route.operation in WAITING, f"no answer to {asked}"
            return None, b""
        if route.method == "HEAD" or status in (101, 204, 304):
            return status, b""
        if "content-length" in headers:
            text = client.exactly(int(headers["content-length"]))
            if status >= 400 and headers["content-type"] != "application/json":
                # Docker tells of these on the connection that it has taken over.
                assert route.operation == "ContainerAttach" or status == 400, (asked, text)
                return status, json.dumps({"message": text.decode()}).encode()
            return status, text
        assert status < 400, (asked, status, headers)
        client.socket.settimeout(STREAMED_S)
        return status, streamed(client)


def streamed(client: Client) -> bytes:
    """What comes before a pause."""
    try:
        return b"".join(iter(client.chunk, b""))
    except (TimeoutError, EOFError, ValueError):
        return client.held


def refused(asked: AnyRequest, status: int, text: bytes) -> None:
    """It is the client's mistake, and the text says which."""
    if asked.route.method == "HEAD":
        assert status in REFUSALS or asked.route.operation in DOCKERS_OWN, (asked, status)
        return
    told: Any = json.loads(text)
    assert list(told) == ["message"], (asked, text)
    assert isinstance(told["message"], str), (asked, text)
    assert told["message"], (asked, status)
    dockers = DOCKERS_OWN.get(asked.route.operation, "$.")
    known = status in REFUSALS or (status == 500 and re.match(dockers, told["message"]))
    assert known, (asked, status, told)


def started(engine: EngineServer, container: str) -> None:
    """Start what was made of a stranger's wishes, and end it."""
    status, answer = engine.api("POST", f"/containers/{container}/start")
    event(f"start {status}")
    assert status in (204, 400, 409), (status, answer)
    assert engine.api("GET", f"/containers/{container}/json")[0] == 200
