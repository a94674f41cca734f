"""From container to container: as through a client, but without one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.engine.engines import EngineServer, until

MAKE = """
mkdir -p /srv/p/sub && cd /srv/p &&
echo one >small && ln small twin && ln -s small way && mkfifo -m 640 pipe && chown 5:6 sub &&
head -c 3000000 /dev/urandom >large && chmod 6711 large && touch -d '2001-02-03 04:05:06' sub &&
dd if=/dev/zero of=holed bs=1 count=0 seek=32M 2>/dev/null && echo end >>holed
"""
# Everything that cp keeps of a file.
LIST = "cd {} && find . | sort | xargs stat -c '%n %F %a %u %g %s %Y' && md5sum large holed twin"


@pytest.fixture(scope="module")
def source(engine_server: EngineServer) -> Iterator[str]:
    """A container that runs, with one of each in /srv/p."""
    container = engine_server.running(name="source")
    engine_server.docker("exec", container, "sh", "-c", MAKE)
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


def between(
    server: EngineServer, name: str, path: str, source: str, src: str, /, **more: str
) -> tuple[int, str]:
    """The status, and what was said."""
    query = urlencode({"container": source, "src": src, "path": path, **more})
    status, answer = server.api("POST", f"/containers/{name}/archive/from?{query}")
    return status, answer["message"] if isinstance(answer, dict) else answer


def shell(server: EngineServer, container: str, script: str) -> str:
    return server.docker("exec", container, "sh", "-c", script).stdout.decode()


@pytest.mark.parametrize("volume", [False, True])
def test_everything_arrives_as_through_a_client(
    engine_server: EngineServer, source: str, volume: bool
) -> None:
    mounts = {"HostConfig": {"Binds": ["between:/to"]}} if volume else {}
    target = engine_server.running(**mounts)
    shell(engine_server, target, "mkdir -p /to /through")
    assert between(engine_server, target, "/to", source, "/srv/p") == (200, "")
    tar = engine_server.docker("cp", "-a", "source:/srv/p", "-").stdout
    engine_server.docker("cp", "-", f"{target}:/through", stdin=tar)
    assert shell(engine_server, target, LIST.format("/to/p")) == shell(
        engine_server, target, LIST.format("/through/p")
    )
    assert int(shell(engine_server, target, "stat -c %b /to/p/holed")) < 1000
    engine_server.api("DELETE", f"/containers/{target}?force=1&v=1")
    engine_server.api("DELETE", "/volumes/between")


def test_stopped_ones_do_as_well(engine_server: EngineServer, source: str) -> None:
    first, second = engine_server.create(), engine_server.create()
    assert between(engine_server, first, "/srv", source, "/srv/p/.", name="q")[0] == 404
    assert between(engine_server, first, "/", source, "/srv/p/.", name="q") == (200, "")
    assert between(engine_server, second, "/var", first, "/q", exclude="large") == (200, "")
    status, _ = engine_server.api("HEAD", f"/containers/{second}/archive?path=/var/q/small")
    assert status == 200
    status, _ = engine_server.api("HEAD", f"/containers/{second}/archive?path=/var/q/large")
    assert status == 404
    for container in (first, second):
        engine_server.api("DELETE", f"/containers/{container}")


def test_both_tell_of_it(engine_server: EngineServer, source: str) -> None:
    target = engine_server.create(HostConfig={"Binds": ["told:/v"]})
    earlier = len(engine_server.actions(source))
    assert between(engine_server, target, "/v", source, "/srv/p/small")[0] == 200
    assert engine_server.actions(source)[earlier:] == ["archive-path"]
    assert engine_server.actions(target) == ["create", "extract-to-dir"]
    told = [one["Action"] for one in engine_server.events(volume=["told"])]
    assert told == ["create", "mount", "unmount"]
    engine_server.api("DELETE", f"/containers/{target}?v=1")
    engine_server.api("DELETE", "/volumes/told")


def test_errors_name_the_side(engine_server: EngineServer, source: str) -> None:
    target = engine_server.create(name="target")
    read_only = engine_server.create(name="frozen", HostConfig={"ReadonlyRootfs": True})
    for arguments, status, words in (
        (("target", "/", "nobody", "/x"), 404, "No such container: nobody"),
        (("nobody", "/", "source", "/x"), 404, "No such container: nobody"),
        (("target", "/", "source", "/no"), 404, "file /no in container source"),
        (("target", "/no", "source", "/srv"), 404, "file /no in container target"),
        (("target", "/etc/passwd", "source", "/srv"), 400, "extraction point is not a dir"),
        (("frozen", "/", "source", "/srv"), 400, "container rootfs is marked read-only"),
        (("target", "", "source", "/srv"), 400, "path cannot be empty"),
        (("target", "/", "source", ""), 400, "src cannot be empty"),
        (("target", "/", "", "/srv"), 400, "container cannot be empty"),
    ):
        found = between(engine_server, *arguments)
        assert (found[0], words in found[1]) == (status, True), (arguments, found)
    assert between(engine_server, "target", "/", "source", "/srv", name="a/b")[0] == 400
    clash = {"noOverwriteDirNonDir": "1", "name": "etc"}
    status, said = between(engine_server, "target", "/", "source", "/srv/p/small", **clash)
    assert (status, "cannot overwrite directory" in said) == (500, True)
    for container in (target, read_only):
        engine_server.api("DELETE", f"/containers/{container}")


def test_the_same_container_is_no_trap(engine_server: EngineServer, source: str) -> None:
    for path, src in (("/srv/p", "/srv/p"), ("/srv/p/sub", "/srv"), ("/srv", "/")):
        status, said = between(engine_server, source, path, source, src)
        assert (status, "into itself" in said) == (400, True), said
    status, said = between(engine_server, source, "/srv/p", source, "/srv/p/large")
    assert (status, "the very file" in said) == (400, True), said
    assert between(engine_server, source, "/tmp", source, "/srv/p")[0] == 200
    stopped = engine_server.create()
    assert between(engine_server, stopped, "/tmp", stopped, "/etc") == (200, "")
    engine_server.api("DELETE", f"/containers/{stopped}")


def test_to_and_fro_while_both_start(engine_server: EngineServer) -> None:
    """Starts wait for views: in no order may views wait for starts in turn."""
    pair = [engine_server.create("sleep", "1000") for _ in range(2)]
    told: list[tuple[int, object]] = []

    def copy(one: str, other: str) -> None:
        told.extend(between(engine_server, one, "/tmp", other, "/etc") for _ in range(5))

    def start(one: str) -> None:
        told.append(engine_server.api("POST", f"/containers/{one}/start"))

    threads = [threading.Thread(target=copy, args=order) for order in (pair, pair[::-1])]
    threads += [threading.Thread(target=start, args=(one,)) for one in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(status for status, _ in told) == [200] * 10 + [204] * 2, told
    for one in pair:
        engine_server.api("DELETE", f"/containers/{one}?force=1")


def test_it_ends_when_the_client_leaves(engine_server: EngineServer) -> None:
    """Nothing of it stays open: the descriptors are as before, and containers can be removed."""
    one, other = engine_server.running(), engine_server.running()
    shell(engine_server, one, "mkdir /m && cd /m && dd if=/dev/zero of=a bs=1M count=300")
    shell(engine_server, one, "cd /m && for f in b c d e f g; do ln a $f; cp a x$f; done")
    descriptors = Path(f"/proc/{engine_server.process.pid}/fd")
    before = len(os.listdir(descriptors))
    query = urlencode({"container": one, "src": "/m", "path": "/"})
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(engine_server.socket_path))
        client.sendall(f"POST /containers/{other}/archive/from?{query} HTTP/1.1\r\n".encode())
        client.sendall(b"Host: d\r\nContent-Length: 0\r\n\r\n")
        until(lambda: "a" in shell(engine_server, other, "ls /m || true"))
    until(lambda: len(os.listdir(descriptors)) <= before)
    assert "extract-to-dir" not in engine_server.actions(other)
    assert "xg" not in shell(engine_server, other, "ls /m").split()
    for container in (one, other):
        assert engine_server.api("DELETE", f"/containers/{container}?force=1")[0] == 204
