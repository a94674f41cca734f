"""What can be asked of archives and exports beyond Docker's: each by who reads it elsewhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import zstandard
from tests.api.client import Answer, Client
from tests.engine.engines import EngineServer

MAKE = """
mkdir -p /srv/p/src /srv/p/target && cd /srv/p &&
echo code >src/a.rs && echo log >src/a.log && echo built >target/x && echo kept >target/keep &&
dd if=/dev/zero of=holed bs=1 count=0 seek=8M && echo end >>holed
"""


@pytest.fixture(scope="module")
def box(engine_server: EngineServer) -> Iterator[str]:
    """A container that runs, with a project and a file with a hole."""
    container = engine_server.running()
    engine_server.docker("exec", container, "sh", "-c", MAKE)
    yield f"/containers/{container}"
    engine_server.api("DELETE", f"/containers/{container}?force=1")


@pytest.fixture
def client(engine_server: EngineServer) -> Iterator[Client]:
    with Client(str(engine_server.socket_path)) as one:
        yield one


def project(client: Client, box: str, query: str = "", **headers: str) -> Answer:
    answer = client.ask("GET", f"{box}/archive?path=/srv/p{query}", headers=headers)
    assert answer.status in (200, 206), answer.body
    return answer


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return opened.getnames()


def test_a_coding_changes_nothing_but_the_way(client: Client, box: str) -> None:
    plain = project(client, box)
    assert "content-encoding" not in plain.headers
    for coding, decode in {
        "gzip": gzip.decompress,
        "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
    }.items():
        coded = project(client, box, **{"Accept-Encoding": coding})
        assert coded.headers["content-encoding"] == coding
        assert len(coded.body) < len(plain.body) / 100
        assert decode(coded.body) == plain.body


def test_exports_are_compressed_for_who_names_zstd_alone(client: Client, box: str) -> None:
    plain = client.ask("GET", f"{box}/export", headers={"Accept-Encoding": "gzip, deflate"})
    assert "content-encoding" not in plain.headers
    coded = client.ask("GET", f"{box}/export", headers={"Accept-Encoding": "zstd"})
    decoder = zstandard.ZstdDecompressor().decompressobj()
    assert decoder.decompress(coded.body) == plain.body


def test_patterns_choose(client: Client, box: str) -> None:
    query = "&" + "&".join(
        f"exclude={quote(one)}" for one in ("**/*.log", "target", "!target/keep")
    )
    assert names(project(client, box, query).body) == [
        *("p", "p/holed", "p/src", "p/src/a.rs", "p/target", "p/target/keep")
    ]
    assert names(project(client, box, "&include=src").body) == [
        *("p", "p/src", "p/src/a.log", "p/src/a.rs")
    ]
    exported = client.ask("GET", f"{box}/export?include=srv/*/src&exclude={quote('**/*.log')}")
    assert names(exported.body) == ["srv", "srv/p", "srv/p/src", "srv/p/src/a.rs"]


def test_a_pattern_that_is_none_is_400(client: Client, box: str) -> None:
    for path in (f"{box}/export?include=a[", f"{box}/archive?path=/srv&exclude=a["):
        answer = client.ask("GET", path)
        assert answer.status == 400
        assert 'bad pattern "a[": unclosed character class' in answer.json()["message"]


def test_holes_are_left_out_and_come_back(
    client: Client, engine_server: EngineServer, box: str
) -> None:
    sparse = project(client, box, "&sparse=1").body
    assert len(sparse) < 100_000 < 8 << 20 < len(project(client, box).body)
    with tarfile.open(fileobj=io.BytesIO(sparse)) as opened:
        file = opened.extractfile("p/holed")
        assert file
        assert file.read() == bytes(8 << 20) + b"end\n"
    assert client.ask("PUT", f"{box}/archive?path=/tmp", body=sparse).status == 200
    container = box.removeprefix("/containers/")
    done = engine_server.docker("exec", container, "stat", "-c", "%s %b", "/tmp/p/holed")
    size, blocks = map(int, done.stdout.split())
    assert size == (8 << 20) + 4
    assert blocks < 100


def test_each_files_digest_is_told(client: Client, box: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(project(client, box, "&digests=1").body)) as opened:
        for entry in opened:
            file = opened.extractfile(entry) if entry.isfile() else None
            told = entry.pax_headers.get("DRAYMAN.sha256")
            assert told == (hashlib.sha256(file.read()).hexdigest() if file else None)


def test_the_size_is_told_in_advance(client: Client, box: str) -> None:
    for path in (f"{box}/archive?path=/srv/p&total=1", f"{box}/export?total=1&sparse=1"):
        answer = client.ask("GET", path)
        assert int(answer.headers["x-drayman-tar-size"]) == len(answer.body)


def test_the_digest_of_all_follows_for_who_takes_trailers(client: Client, box: str) -> None:
    for coding in ("identity", "zstd"):
        client.request(
            "GET",
            f"{box}/archive?path=/srv/p",
            headers={"TE": "trailers", "Accept-Encoding": coding},
        )
        status, _, headers = client.head()
        assert (status, headers["trailer"]) == (200, "Repr-Digest")
        body = b""
        while size := int(client.until(b"\r\n"), 16):
            body += client.exactly(size)
            assert client.exactly(2) == b"\r\n"
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        trailers = client.until(b"\r\n\r\n").decode().rstrip("\r\n")
        assert trailers == f"Repr-Digest: sha-256=:{digest}:"
    # The connection goes on.
    assert client.ask("GET", "/_ping").body == b"OK"


def test_a_broken_download_is_resumed(client: Client, box: str) -> None:
    path = f"{box}/export?deterministic=1"
    whole = client.ask("GET", path)
    tag, size = whole.headers["etag"], len(whole.body)
    assert whole.headers["accept-ranges"] == "bytes"
    for first in (1, 700, size // 2, size - 1):
        part = client.ask("GET", path, headers={"Range": f"bytes={first}-", "If-Range": tag})
        assert (part.status, part.body) == (206, whole.body[first:])
        assert part.headers["content-range"] == f"bytes {first}-{size - 1}/{size}"
    beyond = client.ask("GET", path, headers={"Range": f"bytes={size}-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    same = client.ask("GET", path, headers={"If-None-Match": tag})
    assert (same.status, same.headers["etag"]) == (304, tag)


def test_a_stopped_containers_is_the_same_each_time(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    engine_server.docker("cp", __file__, f"{container}:/file")
    with Client(str(engine_server.socket_path)) as client:
        path = f"/containers/{container}/export?deterministic=1"
        one, other = client.ask("GET", path), client.ask("GET", path)
    assert one.headers["etag"] == other.headers["etag"]
    assert one.body == other.body


def test_what_changed_is_sent_whole(client: Client, engine_server: EngineServer, box: str) -> None:
    path = f"{box}/archive?path=/srv/p&deterministic=1"
    before = client.ask("GET", path).headers["etag"]
    container = box.removeprefix("/containers/")
    engine_server.docker("exec", container, "sh", "-c", "echo code >/srv/p/src/a.rs")
    answer = client.ask("GET", path, headers={"Range": "bytes=100-", "If-Range": before})
    assert answer.status == 200
    assert answer.headers["etag"] != before
    assert answer.body == project(client, box).body


def test_another_representation_has_another_tag(client: Client, box: str) -> None:
    path = f"{box}/archive?path=/srv/p&deterministic=1"
    tags = {
        client.ask("GET", path + more, headers={"Accept-Encoding": coding}).headers["etag"]
        for more in ("", "&sparse=1", "&digests=1", "&exclude=target")
        for coding in ("identity", "gzip", "zstd")
    }
    assert len(tags) == 12
