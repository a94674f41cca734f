"""Archives that no one should send, put into a container that runs: what is wrong is told,
naming the entry; what came before it stays; nothing is touched beside the container or held
afterwards."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from tests.api.client import Answer, Client
from tests.engine.engines import EngineServer
from tests.engine.holdings import nothing_left
from tests.engine.raw_tars import END, entry, long_name, pax, record

SECRET = b"told to no container"
ENTRIES_LIMIT = 200
RATIO_LIMIT = 50
FIRST = entry("first", b"1")
DEEP = 100_000
# A frame's head: no content size, a window of 2^(10 + 21) bytes; one raw block of a byte.
WINDOW_OF_TWO_GIGABYTES = b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x09\x00\x00x"
# What the threads that answer may become without any of them being lost: two pools' worth of idle
# ones, of which the larger grows with the clients that are served at once.
IDLE_THREADS = 40


@pytest.fixture(scope="module")
def engine_server() -> Iterator[EngineServer]:
    """An engine that holds archives to what bombs of a test's size break."""
    server = EngineServer(
        unpack_entries=str(ENTRIES_LIMIT), unpack_ratio=str(RATIO_LIMIT), unpack_ratio_from_mib="1"
    )
    try:
        server.load_busybox()
        (server.place / "canary").write_bytes(SECRET)
        server.running(name="box", HostConfig={"Tmpfs": {"/mem": ""}})
        # What an engine opens with the first download and keeps is open from here on.
        server.docker("cp", "box:/etc/passwd", "-")
        yield server
    finally:
        server.close()


@pytest.fixture(autouse=True)
def unharmed(engine_server: EngineServer) -> Iterator[None]:
    """An empty /work in the container; afterwards the host is as it was."""
    engine_server.docker("exec", "box", "sh", "-c", "rm -rf /work; mkdir /work; cd /; ls >/mem/ls")
    beside = sorted(os.listdir(engine_server.place))
    with nothing_left(engine_server):
        yield
    assert sorted(os.listdir(engine_server.place)) == beside
    assert (engine_server.place / "canary").read_bytes() == SECRET


def put(engine: EngineServer, body: bytes, query: str = "", path: str = "/work") -> Answer:
    with Client(str(engine.socket_path)) as client:
        return client.ask("PUT", f"/containers/box/archive?path={path}{query}", body=body)


def inside(engine: EngineServer, *command: str) -> bytes:
    return engine.docker("exec", "box", *command).stdout


LONG = b"n/" * DEEP + b"x"
MAX_SIZE = b"18446744073709551615"
# What is refused, and what is told of it: the entry it is met in, or the one before.
REFUSED = {
    "a name that climbs": (entry("../up"), '"../up" is outside of "/work"'),
    "one that climbs later": (entry("a/../../up"), '"a/../../up" is outside of "/work"'),
    "one with a newline": (entry("../up\nhost: x"), r'"../up\nhost: x" is outside of "/work"'),
    "one that is not UTF-8": (entry(b"../\xff"), r'"../\xff" is outside of "/work"'),
    "a hard link that climbs": (
        entry("l", kind=b"1", link="../../etc/passwd"),
        'invalid hardlink "/work/l" -> "../../etc/passwd"',
    ),
    "a hard link to the host": (
        entry("l", kind=b"1", link="{place}/canary"),
        "link /work/l: no such file or directory",
    ),
    "a link to the host, and through it": (
        entry("out", kind=b"2", link="{place}") + entry("out/canary", b"x"),
        "mkdir /work/out: not a directory",
    ),
    "a hard link through such a link": (
        entry("out", kind=b"2", link="{place}") + entry("l", kind=b"1", link="out/canary"),
        "link /work/l: no such file or directory",
    ),
    "a file where a directory should be": (
        entry("f", b"x") + entry("f/below", b"x"),
        "mkdir /work/f: not a directory",
    ),
    "a device that cannot be": (
        entry("n", kind=b"3", device=(4096 + 1, 3)),
        "mknod /work/n: invalid device 4097:3",
    ),
    "100,000 directories deep, as PAX": (
        pax(record(b"path", LONG)) + entry("x"),
        "file name too long",
    ),
    "100,000 directories deep, as GNU": (long_name(LONG) + entry("x"), "file name too long"),
    "a PAX length beyond its header": (
        pax(b"99 path=y\n") + entry("x"),
        "after first: archive/tar: invalid tar header (PAX record)",
    ),
    "a PAX length that ends early": (pax(b"8 path=y\n") + entry("x"), "after first: archive/tar"),
    "a PAX length of 2^64": (pax(b"18446744073709551616 path=y\n") + entry("x"), "(PAX record)"),
    "a PAX length below nothing": (pax(b"-10 path=y\n") + entry("x"), "(PAX record)"),
    "a PAX header beyond the archive": (entry("p", b"", b"x", size=b"00003777777"), "after first"),
    "a size below nothing": (entry("x", size=b"\xff" * 12), "after first: archive/tar"),
    "a size that overflows": (entry("x", size=b"\x80" + b"\xff" * 11), "invalid tar header (size)"),
    "a PAX size of 2^64 - 1": (
        pax(record(b"size", MAX_SIZE)) + entry("x", b"abc"),
        "/work/x: unexpected EOF",
    ),
    "a PAX size below nothing": (pax(record(b"size", b"-1")) + entry("x"), "(size)"),
    "an owner below nothing": (entry("x", uid=b"\xff" * 8), "lchown x: invalid owner -1:0"),
    "an owner of 2^32": (
        pax(record(b"uid", b"4294967296")) + entry("x"),
        "lchown x: invalid owner 4294967296:0",
    ),
    "a sparse file of 2^64 bytes": (
        pax(record(b"GNU.sparse.size", MAX_SIZE), record(b"GNU.sparse.map", b"")) + entry("x"),
        "truncate /work/x: ",
    ),
    "a sparse map that overflows": (
        pax(record(b"GNU.sparse.size", b"9"), record(b"GNU.sparse.map", MAX_SIZE + b",1"))
        + entry("x", b"1"),
        "after first: archive/tar: invalid tar header (sparse map",
    ),
    "no tar": (b"no tar at all, " * 100, "after first: archive/tar: invalid tar header (checksum)"),
}


@pytest.mark.parametrize(("hostile", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_told_and_what_came_before_stays(
    engine_server: EngineServer, hostile: bytes, told: str
) -> None:
    place = str(engine_server.place).encode()
    # The sums are of the names as they will be.
    for kind, name in ((b"2", "out"), (b"1", "l")):
        for tail in ("", "/canary"):
            hostile = hostile.replace(
                entry(name, kind=kind, link="{place}" + tail),
                entry(name, kind=kind, link=place + tail.encode()),
            )
    answer = put(engine_server, FIRST + hostile + END)
    assert answer.status == 500
    assert told in answer.json()["message"]
    assert inside(engine_server, "cat", "/work/first") == b"1"
    # The root beside the place of extraction is as it was, too.
    assert inside(engine_server, "sh", "-c", "cd / && ls") == inside(
        engine_server, "cat", "/mem/ls"
    )


TAKEN = {
    # An archive, a command that shows what became of it, and what that prints.
    "an absolute name": (entry("/etc/canary", b"x"), "cat /work/etc/canary", b"x"),
    "one that climbs to the root": (entry("/../../canary", b"x"), "cat /work/canary", b"x"),
    "a link that climbs, and through it": (
        entry("up", kind=b"2", link="../" * 20 + "work") + entry("up/canary", b"x"),
        "cat /work/canary",
        b"x",
    ),
    "a link of the root, and onto it": (
        entry("l", kind=b"2", link="/etc/passwd") + entry("l", b"x"),
        "cat /work/l; grep -c root: /etc/passwd",
        b"x1\n",
    ),
    "a device": (entry("n", kind=b"3", device=(1, 3)), "stat -c %F%t:%T /work/n", None),
    "a file in place of a device": (
        entry("n", kind=b"3", device=(1, 3)) + entry("n", b"kept"),
        "cat /work/n",
        b"kept",
    ),
    "a file in place of a pipe": (entry("p", kind=b"6") + entry("p", b"x"), "cat /work/p", b"x"),
    "a name of newlines": (entry("a\n\nb", b"x"), "cat '/work/a\n\nb'", b"x"),
    "a name that is not UTF-8": (
        entry(b"\xff\xfe", b"x"),
        "cat \"$(printf '/work/\\377\\376')\"",
        b"x",
    ),
    "an archive in a file's content": (
        pax(record(b"size", b"1024")) + entry("outer") + entry("hidden", b"x"),
        "wc -c </work/outer; ls /work",
        b"1024\nfirst\nouter\n",
    ),
}


@pytest.mark.parametrize(("hostile", "shown", "expected"), TAKEN.values(), ids=TAKEN)
def test_what_is_odd_stays_below_the_place(
    engine_server: EngineServer, hostile: bytes, shown: str, expected: bytes | None
) -> None:
    assert put(engine_server, FIRST + hostile + END).status == 200
    if expected is None:
        expected = b"character special file1:3\n"
    assert inside(engine_server, "sh", "-c", shown) == expected


def test_names_come_back_as_they_went(engine_server: EngineServer) -> None:
    names = [b"\xff\xfe", b"a\nb", b"\xc3\xa4" * 45, b"\\x", b"%s"]
    body = b"".join(entry(name, b"x") for name in names)
    assert put(engine_server, body + END).status == 200
    with Client(str(engine_server.socket_path)) as client:
        tar = client.ask("GET", "/containers/box/archive?path=/work/.").body
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        back = [os.fsencode(name).removeprefix(b"./") for name in opened.getnames()]
    assert back == [b".", *sorted(names)]


def test_a_tree_of_any_depth_makes_way(engine_server: EngineServer) -> None:
    root = Path(f"/proc/{engine_server.state('box')['Pid']}/root/mem")
    above = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(DEEP):
        os.mkdir("d", dir_fd=above)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=above)
        os.close(above)
        above = below
    os.close(above)
    strict = put(engine_server, entry("d", b"x") + END, "&noOverwriteDirNonDir=1", "/mem")
    assert strict.status == 500
    assert 'cannot overwrite directory "/mem/d"' in strict.json()["message"]
    assert put(engine_server, entry("d", b"x") + END, path="/mem").status == 200
    assert inside(engine_server, "cat", "/mem/d") == b"x"


def test_more_entries_than_the_limit_are_told(engine_server: EngineServer) -> None:
    body = b"".join(entry(f"f{number}", b"x") for number in range(ENTRIES_LIMIT + 1))
    answer = put(engine_server, body + END)
    assert answer.status == 400
    assert answer.json()["message"] == (
        f"f{ENTRIES_LIMIT}: the archive has more than {ENTRIES_LIMIT} entries;"
        " the engine's setting unpack_entries raises that limit"
    )
    assert inside(engine_server, "sh", "-c", "ls /work | wc -l") == b"%d\n" % ENTRIES_LIMIT


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_bomb_is_given_up(engine_server: EngineServer, pack: type[bytes], tmp_path: Path) -> None:
    answer = put(engine_server, pack(FIRST + entry("bomb", bytes(16 << 20)) + END))
    assert answer.status == 400
    assert answer.json()["message"] == (
        f"/work/bomb: the archive decompresses to more than {RATIO_LIMIT} times its size;"
        " the engine's setting unpack_ratio raises that limit"
    )
    # What came before it stays; it does not, for half a file would pass for a whole one.
    assert inside(engine_server, "ls", "/work") == b"first\n"


def test_a_window_of_two_gigabytes_is_refused(engine_server: EngineServer) -> None:
    answer = put(engine_server, WINDOW_OF_TWO_GIGABYTES)
    assert (answer.status, "too much memory" in answer.json()["message"]) == (500, True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_body_that_ends_early(engine_server: EngineServer, pack: type[bytes]) -> None:
    whole = FIRST + entry("second", os.urandom(100_000)) + END
    body = pack(whole)[:50_000]
    answer = put(engine_server, body)
    assert answer.status == 500
    assert answer.json()["message"].startswith("/work/second: ")
    assert inside(engine_server, "cat", "/work/first") == b"1"


@pytest.mark.parametrize("framing", ["Content-Length: 9999999", "Transfer-Encoding: chunked"])
def test_clients_that_leave(engine_server: EngineServer, framing: str) -> None:
    part = FIRST + entry("second", size=b"00001000000") + b"x" * 5000
    if "chunked" in framing:
        part = b"%x\r\n%b\r\n" % (len(part), part)
    head = f"PUT /containers/box/archive?path=/work HTTP/1.1\r\nHost: d\r\n{framing}\r\n\r\n"
    tasks = Path(f"/proc/{engine_server.process.pid}/task")
    before = len(os.listdir(tasks))
    with nothing_left(engine_server):
        for _ in range(2 * IDLE_THREADS):
            with Client(str(engine_server.socket_path)) as leaving:
                leaving.send(head.encode() + part)
    assert len(os.listdir(tasks)) <= before + IDLE_THREADS
    assert inside(engine_server, "cat", "/work/first") == b"1"
    assert put(engine_server, entry("second", b"whole") + END).status == 200
    assert inside(engine_server, "cat", "/work/second") == b"whole"
