"""Logs beyond Docker's: pages by a cursor, whole lines, what is grepped for, JSON, slow readers."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.engine.engines import TIMEOUT_S, EngineServer, until

CURSOR_FIELD = "X-Drayman-Log-Cursor"
BOTH = {"stdout": "1", "stderr": "1"}
JSON = {**BOTH, "format": "json"}


class Answer:
    """An answer read off the wire, with the fields behind it."""

    def __init__(self, engine: EngineServer, container: str, query: dict[str, str]) -> None:
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(TIMEOUT_S)
        self.connection.connect(str(engine.socket_path))
        target = f"/containers/{container}/logs?{urlencode(query)}"
        self.connection.sendall(f"GET {target} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
        self._file = self.connection.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = http.client.parse_headers(self._file)
        self.trailers: dict[str, str] = {}

    def chunk(self) -> bytes:
        """The next chunk; empty at the end, when the trailers are there."""
        size = int(self._file.readline(), 16)
        if size:
            return self._file.read(size + 2)[:-2]
        self.trailers = dict(http.client.parse_headers(self._file).items())
        return b""

    def read(self) -> bytes:
        """All of it."""
        try:
            if self.status != 200:
                return self._file.read(int(self.headers["content-length"]))
            return b"".join(iter(self.chunk, b""))
        finally:
            self.close()

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self.connection.close()


def page(engine: EngineServer, container: str, **query: str) -> tuple[bytes, str]:
    """One page's text, and the cursor behind it."""
    answer = Answer(engine, container, {"stdout": "1", **query})
    text = answer.read()
    assert answer.status == 200, text
    return text, answer.trailers[CURSOR_FIELD]


def documents(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def talker(engine_server: EngineServer) -> str:
    """A container that says what it is told, its last line without an end."""
    script = "seq 1 10; echo wrong >&2; head -c 20000 /dev/zero | tr '\\0' x; echo; printf last"
    container = engine_server.running("sh", "-c", script)
    engine_server.api("POST", f"/containers/{container}/wait")
    return container


def test_nobody_who_asks_for_nothing_is_told_more(engine_server: EngineServer, talker: str) -> None:
    answer = Answer(engine_server, talker, BOTH)
    answer.read()
    assert "trailer" not in answer.headers
    assert not answer.trailers


def test_pages(engine_server: EngineServer, talker: str) -> None:
    engine_server.crash()
    whole = Answer(engine_server, talker, {"stdout": "1"}).read()
    pages, cursor = [], ""
    while not pages or pages[-1]:
        text, cursor = page(engine_server, talker, cursor=cursor, limit="3")
        pages.append(text)
    assert b"".join(pages) == whole
    assert len(pages) == 6  # ten lines, three pieces, and one more page that is empty


def test_a_page_begins_where_the_last_one_ended(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "while read x; do echo $x; done", OpenStdin=True)
    text, cursor = page(engine_server, container, cursor="", tail="0")
    assert text == b""
    stdin, _ = engine_server.hijack(f"/containers/{container}/attach?stdin=1&stream=1")
    for said in (b"one\n", b"two\nthree\n"):
        stdin.sendall(said)
        frames = b"".join(b"\x01\0\0\0\0\0\0%c%b" % (len(x), x) for x in said.splitlines(True))
        found = b""
        while found != frames:  # it is written a moment after it is said
            text, cursor = page(engine_server, container, cursor=cursor)
            found += text
    stdin.close()
    engine_server.api("DELETE", f"/containers/{container}?force=1")


def test_cursors_of_others(engine_server: EngineServer, talker: str) -> None:
    other = engine_server.create("true")
    _, cursor = page(engine_server, talker, cursor="")
    for container, sent in ((other, cursor), (talker, cursor[:-2]), (talker, "x")):
        for follow in ("", "1"):
            answer = Answer(engine_server, container, {**BOTH, "cursor": sent, "follow": follow})
            assert answer.status == 400
            assert f'invalid cursor \\"{sent}\\"' in answer.read().decode()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"grep-regex": "a("}, "invalid grep-regex: regex parse error"),
        ({"grep": "a", "grep-regex": "a"}, "one of them"),
        ({"grep": "a" * 5000}, "grep is longer than 4096 bytes"),
        ({"limit": "0"}, "limit 0: ask for one record or more"),
        ({"slow": "down"}, 'invalid slow \\"down\\": it is one of wait, drop, disconnect'),
    ],
)
def test_wishes_that_cannot_be(
    engine_server: EngineServer, talker: str, query: dict[str, str], words: str
) -> None:
    answer = Answer(engine_server, talker, {**BOTH, **query})
    assert (answer.status, words in answer.read().decode()) == (400, True)


def test_json(engine_server: EngineServer, talker: str) -> None:
    answer = Answer(engine_server, talker, {**JSON, "whole": "1", "cursor": ""})
    assert answer.headers["content-type"] == "application/jsonl"
    told = documents(answer.read())
    assert [one["Line"] for one in told if one["Source"] == "stdout"] == [
        *(f"{number}\n" for number in range(1, 11)), "x" * 20000 + "\n", "last",
    ]  # fmt: skip
    assert [one["Line"] for one in told if one["Source"] == "stderr"] == ["wrong\n"]
    assert told[-1].keys() == {"Line", "Source", "Timestamp", "Cursor"}
    assert answer.trailers == {CURSOR_FIELD: told[-1]["Cursor"]}
    older = f"/v1.53/containers/{talker}/logs?stderr=1&format=json"
    assert engine_server.api("GET", older)[1] == "\x02\0\0\0\0\0\0\x06wrong\n"


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ({"grep": "1"}, ["1\n", "10\n"]),
        ({"grep-regex": "^[2-4]$|o"}, ["2\n", "3\n", "4\n", "wrong\n"]),
        ({"grep-regex": "^x{20000}$", "whole": "1"}, ["x" * 20000 + "\n"]),
        ({"grep": "l", "tail": "1"}, ["last"]),
        ({"tail": "2", "whole": "1"}, ["x" * 20000 + "\n", "last"]),
    ],
)
def test_what_is_chosen(
    engine_server: EngineServer, talker: str, query: dict[str, str], lines: list[str]
) -> None:
    for follow in ("", "1"):
        answer = Answer(engine_server, talker, {**JSON, **query, "follow": follow})
        assert sorted(one["Line"] for one in documents(answer.read())) == sorted(lines)


def test_following_goes_on_from_a_cursor(engine_server: EngineServer) -> None:
    """Through the shim, though the engine dies; each record and the end tell where it is."""
    script = (
        "i=0; while read x; do i=$((i+1)); echo $i even; echo x; i=$((i+1)); echo $i one >&2; done"
    )
    container = engine_server.running("sh", "-c", script, OpenStdin=True, StdinOnce=True)
    wish = {**JSON, "follow": "1", "grep": "e", "whole": "1", "cursor": ""}
    first = Answer(engine_server, container, wish)
    stdin, _ = engine_server.hijack(f"/containers/{container}/attach?stdin=1&stream=1")
    stdin.sendall(b"x\n")
    told: list[dict[str, Any]] = []
    while len(told) < 2:
        told += documents(first.chunk())
    first.close()
    second = Answer(engine_server, container, {**wish, "cursor": told[0]["Cursor"]})
    assert documents(second.chunk())[0]["Line"] == told[1]["Line"]
    engine_server.kill()
    try:
        stdin.sendall(b"x\n")
        stdin.close()
        rest = documents(second.read())
    finally:
        engine_server.start()
    lines = [one["Line"] for one in (*told, *rest)]
    assert sorted(lines) == ["1 even\n", "2 one\n", "3 even\n", "4 one\n"]
    assert second.trailers == {CURSOR_FIELD: rest[-1]["Cursor"]}
    assert page(engine_server, container, cursor=rest[-1]["Cursor"])[0] == b""


def gap(engine: EngineServer, slow: str, **query: str) -> tuple[Answer, Callable[[], None]]:
    """A follower that had everything once; and what makes the log grow far beyond."""
    script = "echo begin; read x; seq 1000000 3000000; read x"
    container = engine.running("sh", "-c", script, OpenStdin=True, StdinOnce=True)
    answer = Answer(engine, container, {"stdout": "1", "follow": "1", "slow": slow, **query})
    stdin, _ = engine.hijack(f"/containers/{container}/attach?stdin=1&stream=1")
    assert b"begin" in answer.chunk()

    def grow() -> None:
        stdin.sendall(b"x\n")
        until(lambda: b"3000000\n" in page(engine, container, cursor="", tail="1")[0])
        stdin.close()
        engine.api("POST", f"/containers/{container}/wait")

    return answer, grow


def test_a_slow_reader_is_told_what_it_lost(engine_server: EngineServer) -> None:
    answer, grow = gap(engine_server, "drop", format="json")
    grow()
    told = documents(answer.read())
    lost = sum(one["Lost"] for one in told if "Lost" in one)
    assert len(told) < 1_000_000
    assert lost + sum("Line" in one for one in told) == 2_000_001
    assert told[-1]["Line"] == "3000000\n"


def test_docker_can_bear_to_be_told(engine_server: EngineServer) -> None:
    answer, grow = gap(engine_server, "drop")
    grow()
    body, streams, at = answer.read(), {1: b"", 2: b""}, 0
    while at < len(body) and not streams[2].endswith(b"\n"):
        begin = at + 8
        at = begin + int.from_bytes(body[begin - 4 : begin], "big")
        streams[body[begin - 8]] += body[begin:at]
    assert streams[2].startswith(b"drayman: ")
    assert b" records were left out, for they were not read in time\n" in streams[2]


def test_a_slow_reader_is_left_if_it_wants_that(engine_server: EngineServer) -> None:
    answer, grow = gap(engine_server, "disconnect")
    grow()
    with pytest.raises((ValueError, ConnectionResetError)):
        answer.read()
    assert not answer.trailers
