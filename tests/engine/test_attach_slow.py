"""Clients that read too slowly and chose what becomes of them: the container waits for none."""

from __future__ import annotations

import re

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.shims import Peer, Place, scene, unframe

LINES = 1_000_000
# Some 7 MB: more than everything between the process and a client that does not read.
TALK = f"read x; seq {LINES}"
ALL_BYTES = sum(len(str(number)) + 1 for number in range(1, LINES + 1))
NOTICE = re.compile(rb"\r\n\[drayman: (\d+) bytes of output were dropped here: [^\]]*\]\r\n")


async def begin(place: Place, **options: object) -> tuple[Peer, Peer]:
    """A container that talks to one client that reads, and one that does not yet."""
    box = place.box("sh", "-c", TALK, open_stdin=True, log="none")
    shim = await box.spawn()
    slow = await box.attach(**options)
    await shim.start()
    reader = await box.attach(stdin=True)
    await reader.send(b"\n")
    return slow, reader


@scene
async def test_framed_output_is_dropped_in_whole_frames(place: Place) -> None:
    slow, reader = await begin(place, slow="drop")
    assert len((await reader.frames())[1]) == ALL_BYTES
    # Nothing is cut: it would not come apart.
    streams = unframe(await slow.read_all())
    lost = sum(int(found[1]) for found in NOTICE.finditer(streams[2]))
    assert lost > ALL_BYTES // 2
    assert len(streams[1]) + lost == ALL_BYTES
    assert NOTICE.sub(b"", streams[2]) == b""


@scene
async def test_raw_output_is_dropped_in_whole_lines(place: Place) -> None:
    slow, reader = await begin(place, slow="drop", framed=False)
    await reader.read_all()
    seen = await slow.read_all()
    lost = sum(int(found[1]) for found in NOTICE.finditer(seen))
    kept = NOTICE.sub(b"", seen)
    assert len(kept) + lost == ALL_BYTES
    numbers = list(map(int, kept.split()))
    assert numbers == sorted(numbers)
    assert kept.startswith(b"1\n2\n")
    assert all(line == str(int(line)).encode() for line in kept.splitlines())


@scene
async def test_one_that_reads_again_is_told_and_goes_on(place: Place) -> None:
    box = place.box("sh", "-c", f"read x; seq {LINES}; read x; echo last", open_stdin=True)
    shim = await box.spawn()
    slow = await box.attach(slow="drop", framed=False)
    await shim.start()
    reader = await box.attach(stdin=True, framed=False)
    await reader.send(b"\n")
    await reader.read_until(f"{LINES}\n".encode())
    # Though the process says nothing now.
    assert NOTICE.search(await slow.read_until(b"not read in time]\r\n"))
    await reader.send(b"\n")
    assert await slow.read_all() == b"last\n"
    await reader.read_all()
    await shim.closed


@scene
async def test_one_that_is_disconnected(place: Place) -> None:
    slow, reader = await begin(place, slow="disconnect")
    assert len((await reader.frames())[1]) == ALL_BYTES
    assert 0 < len(await slow.read_all()) < ALL_BYTES // 2


@scene
async def test_one_that_reads_in_time_loses_nothing(place: Place) -> None:
    for slow in ("drop", "disconnect"):
        box = place.box("sh", "-c", "seq 1000; echo end >&2", log="none")
        shim = await box.spawn()
        client = await box.attach(slow=slow)
        await shim.start()
        numbers = "".join(f"{number}\n" for number in range(1, 1001)).encode()
        assert await client.frames() == {1: numbers, 2: b"end\n"}
        await shim.closed


def test_over_the_api(engine_server: EngineServer) -> None:
    script = f"read x; seq {LINES}; sleep 1000"
    container = engine_server.running("sh", "-c", script, OpenStdin=True)
    attach = f"/containers/{container}/attach?stream=1"
    clients = [engine_server.hijack(f"{attach}&stdin=1")[0]]
    for slow in ("drop", "disconnect"):
        connection, head = engine_server.hijack(f"{attach}&stdout=1&slow={slow}")
        assert head.startswith(b"HTTP/1.1 101 UPGRADED")
        clients.append(connection)
    clients[0].sendall(b"\n")
    last = f"/containers/{container}/logs?stdout=1&tail=1"
    until(lambda: f"{LINES}\n" in engine_server.api("GET", last)[1])
    assert b"a client was disconnected" in engine_server.log.read_bytes()
    for connection in clients:
        connection.close()


@pytest.mark.parametrize("path", ["/containers/{}/attach?stream=1&", "/exec/nosuch/start?"])
def test_an_unknown_choice_is_named(engine_server: EngineServer, path: str) -> None:
    container = engine_server.running()
    status, answer = engine_server.api("POST", path.format(container) + "slow=down")
    text = answer if isinstance(answer, str) else answer["message"]
    assert (status, text.strip()) == (
        400,
        'invalid slow "down": it is one of wait, drop, disconnect',
    )


def test_an_exec_that_nobody_reads_ends(engine_server: EngineServer) -> None:
    container = engine_server.running()
    body = {"Cmd": ["seq", str(LINES)], "AttachStdout": True}
    exec_id = engine_server.api("POST", f"/containers/{container}/exec", body)[1]["Id"]
    connection, _ = engine_server.hijack(f"/exec/{exec_id}/start?slow=drop", {})
    with connection:
        until(lambda: engine_server.api("GET", f"/exec/{exec_id}/json")[1]["ExitCode"] == 0)
