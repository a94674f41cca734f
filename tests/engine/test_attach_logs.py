"""Attaching with what was logged: nothing is lost or told twice where past meets present."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.engine.engines import EngineServer
from tests.engine.shims import Place, scene, unframe

from drayman.runtime.messages import Past

LINES = 50_000
COUNT = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; done"
ALL = "".join(f"{number}\n" for number in range(1, LINES + 1)).encode()


def payload(connection: socket.socket, end: bytes) -> bytes:
    """What comes on standard output, up to ``end``; the client leaves then."""
    received = bytearray()
    with connection:
        while not received.endswith(end):
            part = connection.recv(1 << 20)
            if not part:
                break
            received += part
    return unframe(bytes(received)).get(1, b"")


@pytest.mark.parametrize("options", [{}, {"mode": "non-blocking"}])
def test_at_any_moment_everything_is_seen_once(
    engine_server: EngineServer, options: dict[str, str]
) -> None:
    log = {"Type": "json-file", "Config": options}
    container = engine_server.running("sh", "-c", COUNT, HostConfig={"LogConfig": log})
    end = f"{LINES}\n".encode()

    def follow(_: int) -> bytes:
        path = f"/containers/{container}/attach?logs=1&stream=1&stdout=1&stderr=1"
        connection, head = engine_server.hijack(path)
        assert head.startswith(b"HTTP/1.1 101 UPGRADED")
        return payload(connection, end)

    with ThreadPoolExecutor(4) as pool:
        # Some come while the past is short, some while it is long, some after the end.
        for seen in pool.map(follow, range(40)):
            assert seen == ALL


@scene
async def test_a_line_that_is_not_ended_yet(place: Place) -> None:
    """The log does not have it, and the client gets it all the same, once."""
    box = place.box(
        "sh",
        "-c",
        "echo one; printf tw; printf er >&2; read x; echo o; echo r >&2",
        open_stdin=True,
    )
    shim = await box.spawn()
    await shim.start()
    watcher = await box.attach()
    # Both pieces are on their way once the two have come to somebody.
    seen = b""
    while b"tw" not in seen or b"er" not in seen:
        early = await box.attach(past=Past())
        seen = await early.read()
        early.close()
    late = await box.attach(past=Past())
    begun = await late.read_until(b"er")
    speaker = await box.attach(stdin=True, stdout=False, stderr=False)
    await speaker.send(b"\n")
    streams = unframe(begun + await late.read_all())
    assert streams == {1: b"one\ntwo\n", 2: b"err\n"}
    watcher.close()
    speaker.close()
    await shim.closed
    assert (box.logged(), box.logged("stderr")) == ("one\ntwo\n", "err\n")


@scene
async def test_a_client_that_comes_late_and_reads_slowly(place: Place) -> None:
    """It gets everything, and nobody waits for it: until it is up to date the log is its buffer."""
    box = place.box("sh", "-c", f"read x; {COUNT}", open_stdin=True)
    shim = await box.spawn()
    await shim.start()
    slow = await box.attach(past=Past(), stderr=False)
    speaker = await box.attach(stdin=True)
    await speaker.send(b"\n")
    assert (await speaker.frames())[1] == ALL
    assert (await slow.frames())[1] == ALL
    await shim.closed


@scene
async def test_only_what_was_asked_for(place: Place) -> None:
    box = place.box("sh", "-c", "echo out; echo err >&2; read x; echo err >&2", open_stdin=True)
    shim = await box.spawn()
    await shim.start()
    errors = await box.attach(past=Past(), stdout=False)
    await errors.read_until(b"err\n")
    speaker = await box.attach(stdin=True)
    await speaker.send(b"\n")
    assert await errors.frames() == {2: b"err\n"}
    await speaker.read_all()
    await shim.closed
