"""What is put: in which codings it may come, and what becomes of it where there is no room."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
import zstandard
from tests.api.client import Answer, Client
from tests.engine.engines import EngineServer
from tests.engine.holdings import nothing_left
from tests.engine.raw_tars import END, entry

TAR = entry("file", b"content") + END


@pytest.fixture(scope="module")
def box(engine_server: EngineServer) -> str:
    """A container with little room in two places."""
    tmpfs = {"/small": "size=1m", "/few": "nr_inodes=4"}
    return engine_server.running(HostConfig={"Tmpfs": tmpfs})


@pytest.fixture
def client(engine_server: EngineServer) -> Iterator[Client]:
    with Client(str(engine_server.socket_path)) as one:
        yield one


def put(client: Client, box: str, path: str, body: bytes, **headers: str) -> Answer:
    return client.ask("PUT", f"/containers/{box}/archive?path={path}", body=body, headers=headers)


CODED = {
    "identity": TAR,
    "gzip": gzip.compress(TAR),
    "deflate": zlib.compress(TAR),
    "zstd": zstandard.compress(TAR),
    "zstd, gzip": gzip.compress(zstandard.compress(TAR)),
}


@pytest.mark.parametrize(("coding", "body"), CODED.items(), ids=CODED)
def test_codings_are_undone(
    engine_server: EngineServer, client: Client, box: str, coding: str, body: bytes
) -> None:
    # Docker's clients say nothing of it; who does may send a compressed archive all the same.
    twice = zstandard.compress(gzip.compress(TAR))
    for headers, sent in (
        ({"Content-Encoding": coding}, body),
        ({"Content-Encoding": "zstd"}, twice),
        ({}, gzip.compress(TAR)),
    ):
        engine_server.docker("exec", box, "rm", "-f", "/tmp/file")
        assert put(client, box, "/tmp", sent, **headers).status == 200
        assert engine_server.docker("exec", box, "cat", "/tmp/file").stdout == b"content"


def test_what_docker_sends_back_is_taken(
    engine_server: EngineServer, client: Client, box: str
) -> None:
    for coding in ("gzip", "deflate", "zstd"):
        tar = client.ask(
            "GET",
            f"/containers/{box}/archive?path=/etc/passwd",
            headers={"Accept-Encoding": coding},
        )
        headers = {"Content-Encoding": tar.headers["content-encoding"]}
        engine_server.docker("exec", box, "rm", "-f", "/tmp/passwd")
        assert put(client, box, "/tmp", tar.body, **headers).status == 200
        sent, back = (
            engine_server.docker("exec", box, "cat", f"/{place}/passwd").stdout
            for place in ("etc", "tmp")
        )
        assert back == sent


def test_a_body_in_another_coding_than_told(client: Client, box: str) -> None:
    answer = put(client, box, "/tmp", gzip.compress(TAR), **{"Content-Encoding": "zstd"})
    assert answer.status == 400
    message = "the body is not zstd, as its Content-Encoding says"
    assert answer.json()["message"] == message


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (
            "/small",
            entry("first", b"1") + entry("big", bytes(2 << 20)) + END,
            "write /small/big: no space left on device",
        ),
        (
            "/few",
            entry("first", b"1") + b"".join(entry(f"f{n}") for n in range(4)) + END,
            "open /few/f2: no space left on device",
        ),
    ],
    ids=["bytes", "inodes"],
)
def test_a_full_disk(
    engine_server: EngineServer, box: str, path: str, body: bytes, told: str
) -> None:
    with nothing_left(engine_server), Client(str(engine_server.socket_path)) as client:
        answer = put(client, box, path, body)
        assert (answer.status, answer.json()["message"]) == (500, told)
    assert engine_server.docker("exec", box, "cat", f"{path}/first").stdout == b"1"
    # With room made, the same goes in.
    engine_server.docker("exec", box, "sh", "-c", f"rm {path}/*")
    with Client(str(engine_server.socket_path)) as client:
        assert put(client, box, path, TAR).status == 200
