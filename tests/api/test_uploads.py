"""Bodies left on the connection for others to read."""

from __future__ import annotations

import pytest

from drayman.api.options import PutOptions
from drayman.errors import InvalidParameter, NotFound, System
from tests.api.client import Client
from tests.api.conftest import Running
from tests.api.fake import Fake

PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
PUT = b"PUT /containers/box/archive?path=/x&noOverwriteDirNonDir=true HTTP/1.1\r\nHost: d\r\n"
BULK = b"0123456789abcdef" * 65536


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("behind", [b"", PING])
@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"Content-Length: 1048576\r\n\r\n", BULK),
        (b"Transfer-Encoding: chunked\r\n\r\n", chunks(BULK, 32768)),
        (b"Content-Length: 3\r\n\r\n", b"abc"),
        (b"Transfer-Encoding: chunked\r\n\r\n", chunks(b"abc", 2)),
    ],
)
def test_the_connection_comes_back(
    client: Client, engine: Fake, header: bytes, body: bytes, behind: bytes
) -> None:
    for _ in range(2):
        client.send(PUT + header + body + behind)
        answer = client.answer()
        assert (answer.status, answer.body) == (200, b"")
        assert not behind or client.answer().body == b"OK"
    assert engine.uploads == [BULK if len(body) > 100 else b"abc"] * 2
    (name, path, options), _ = engine.asks("archive_put")[0]
    assert (name, path) == ("box", "/x")
    assert options == PutOptions(no_overwrite_dir_non_dir=True)


@pytest.mark.parametrize(
    ("told", "codings"),
    [
        ("", []),
        ("identity", []),
        ("gzip", ["gzip"]),
        ("X-GZip", ["gzip"]),
        (" zstd ,identity, deflate", ["zstd", "deflate"]),
        ("gzip\r\nContent-Encoding: zstd", ["gzip", "zstd"]),
    ],
)
def test_what_was_done_to_a_body_is_passed_on(
    client: Client, engine: Fake, told: str, codings: list[str]
) -> None:
    path = "/containers/box/archive?path=/x"
    assert client.ask("PUT", path, body=b"", headers={"Content-Encoding": told}).status == 200
    assert engine.asks("archive_put")[0][0][2].codings == codings


@pytest.mark.parametrize("told", ["br", "gzip, br", "gzip;q=1", "x-zstd", "gzip, gzip, gzip"])
def test_a_coding_that_is_not_read_is_415(client: Client, engine: Fake, told: str) -> None:
    client.send(PUT + f"Content-Encoding: {told}\r\nContent-Length: 5\r\n\r\nhello".encode())
    answer = client.answer()
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, deflate, zstd")
    assert answer.json()["message"].startswith("cannot decode Content-Encoding ")
    assert not engine.asks("archive_put")


def test_no_body_at_all_is_an_empty_one(client: Client, engine: Fake) -> None:
    assert client.ask("PUT", "/containers/box/archive?path=/x&copyUIDGID=1&name=y").status == 200
    assert engine.uploads == [b""]
    assert engine.asks("archive_put")[0][0][2] == PutOptions(copy_uid_gid=True, name="y")
    assert client.ask("GET", "/_ping").status == 200


def test_a_client_that_expects_it_is_told_to_continue(client: Client, engine: Fake) -> None:
    client.send(PUT + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert client.head()[0] == 100
    client.send(b"hello" + PING)
    assert client.answer().status == 200
    assert client.answer().body == b"OK"
    assert engine.uploads == [b"hello"]


def test_one_that_expects_it_may_be_told_no(client: Client, engine: Fake) -> None:
    engine.answers["archive_check"] = NotFound("no such path")
    client.send(PUT + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (404, "close")
    assert client.is_closed


def test_an_early_error_is_seen_by_who_still_sends(client: Client, engine: Fake) -> None:
    engine.answers["archive_check"] = InvalidParameter("extraction point is not a directory")
    client.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n")
    answer = client.answer()
    assert answer.status == 400
    for _ in range(100):
        client.send(chunks(b"x" * 100_000, 100_000)[:-5])
    assert engine.uploads == []


def test_an_unwanted_body_is_not_read_for_ever(client: Client, engine: Fake) -> None:
    engine.answers["archive_check"] = NotFound("no such container")
    client.send(PUT + b"Content-Length: 1000000000\r\n\r\n")
    assert client.answer().status == 404
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        client.send(b"x" * (65 << 20))


def test_a_reader_that_fails_answers_and_ends(client: Client, engine: Fake) -> None:
    engine.answers["archive_put"] = System("no space left on device")
    client.send(PUT + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000)
    answer = client.answer()
    assert (answer.status, answer.json()) == (500, {"message": "no space left on device"})
    assert client.is_closed


def test_loading_tells_of_errors_in_its_stream(client: Client, engine: Fake) -> None:
    answer = client.ask("POST", "/images/load?quiet=0", body=b"tar")
    assert answer.body == b'{"stream":"Loaded image: busybox:latest\\n"}\r\n'
    assert engine.asks("image_load")[0][1] == {"quiet": False}
    engine.answers["image_load"] = InvalidParameter("not a tar")
    answer = client.ask("POST", "/images/load", body=b"tar")
    assert answer.status == 200
    assert answer.json() == {"errorDetail": {"message": "not a tar"}, "error": "not a tar"}
    assert engine.asks("image_load")[1][1] == {"quiet": True}


def test_an_upload_is_no_form_whatever_it_says(client: Client, engine: Fake) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.ask("POST", "/images/load?quiet=0", body=b"quiet=1", headers=form).status == 200
    assert engine.uploads == [b"quiet=1"]
    assert engine.asks("image_load")[0][1] == {"quiet": False}


def test_pulling_is_not_built(client: Client) -> None:
    answer = client.ask("POST", "/images/create?fromImage=busybox&tag=latest")
    assert answer.status == 501
    assert "pulling an image is not available" in answer.json()["message"]


@pytest.mark.parametrize("sent", [0, 10, 300_000])
def test_a_client_that_vanishes_ends_the_reading(running: Running, sent: int) -> None:
    with running.client() as client:
        client.send(PUT + b"Content-Length: 10000000\r\n\r\n" + b"x" * sent)
    running.see_no_connection()
