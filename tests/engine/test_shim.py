"""A container's life under its shim: start, exit, record, log, and an engine that dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import time
from pathlib import Path

import pytest
import uvloop
from tests.engine.shims import Place, scene

from drayman.errors import Conflict, InvalidParameter, NotFound
from drayman.runtime.shim import Gone, Shim, StartError


@scene
async def test_a_run_from_start_to_nothing_left(place: Place) -> None:
    box = place.box("sh", "-c", "echo out; echo err >&2; exit 7")
    shim = await box.spawn()
    assert (await shim.hello()).state == "created"
    client = await box.attach()
    started = await shim.start()
    assert abs(started.started_at_ns - time.time_ns()) < 5_000_000_000
    assert await client.frames() == {1: b"out\n", 2: b"err\n"}
    await shim.closed
    (event,) = box.events
    assert (event["event"], event["exit_code"], event["oom"]) == ("exit", 7, False)
    record = box.exit_record()
    assert record == {
        "exit_code": 7,
        "signal": None,
        "oom": False,
        "started_at_ns": started.started_at_ns,
        "finished_at_ns": event["finished_at_ns"],
    }
    assert (box.logged(), box.logged("stderr")) == ("out\n", "err\n")
    assert stat.S_IMODE(box.log.stat().st_mode) == 0o640
    assert not box.socket.exists()
    assert not os.path.exists(f"/proc/{started.pid}")  # noqa: ASYNC240


def test_the_same_on_uvloop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def run() -> None:
            place = Place()
            try:
                box = place.box("echo", "hello")
                shim = await box.spawn()
                client = await box.attach(framed=False)
                await shim.start()
                assert await client.read_all() == b"hello\n"
                await shim.closed
            finally:
                place.close()

        runner.run(run())


@scene
async def test_its_program_cannot_be_written(place: Place) -> None:
    """Not even by who is root, and it is called by its name (CVE-2019-5736)."""
    pids = [(await (await place.box("true").spawn()).hello()).pid for _ in range(2)]
    for process in (Path(f"/proc/{pid}") for pid in pids):
        assert (process / "comm").read_text() == "drayman-shim\n"
        # In a mount that is attached nowhere.
        assert os.readlink(process / "exe") == "/drayman-shim"
        with pytest.raises(OSError, match="Read-only file system"):
            os.open(process / "exe", os.O_WRONLY)
    # One is made for both.
    assert len({os.stat(f"/proc/{pid}/exe").st_dev for pid in pids}) == 1


@scene
async def test_signals(place: Place) -> None:
    box = place.box("sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep .01; done")
    shim = await box.spawn()
    with pytest.raises(Conflict):
        await shim.signal(signal.SIGTERM)
    client = await box.attach()
    await shim.start()
    await client.read_until(b"ready")
    with pytest.raises(InvalidParameter):
        await shim.signal(1000)
    await shim.signal(signal.SIGTERM)
    await shim.closed
    assert box.exit_record()["exit_code"] == 3
    client.close()


@scene
async def test_a_killed_container_ends_with_137(place: Place) -> None:
    for everyone in (False, True):
        box = place.box("sh", "-c", "sleep 100 & sleep 100")
        shim = await box.spawn()
        started = await shim.start()
        status = await shim.status()
        assert (status.state, status.init_pid) == ("running", started.pid)
        await shim.signal(signal.SIGKILL, everyone=everyone)
        await shim.closed
        record = box.exit_record()
        assert (record["exit_code"], record["signal"], record["oom"]) == (137, 9, False)


@scene
async def test_out_of_memory(place: Place) -> None:
    box = place.box("sh", "-c", "x=a; while :; do x=$x$x; done", memory_bytes=16 << 20)
    shim = await box.spawn()
    await shim.start()
    await shim.closed
    assert (box.exit_record()["exit_code"], box.exit_record()["oom"]) == (137, True)


@scene
async def test_a_command_that_cannot_be_run(place: Place) -> None:
    for command, code, words in [
        ("nonesuch", 127, 'exec: "nonesuch": executable file not found in $PATH'),
        ("/bin/nonesuch", 127, "no such file or directory"),
        ("/bin/plain", 126, "permission denied"),
        ("/tmp", 126, "is a directory"),
    ]:
        box = place.box(command)
        shim = await box.spawn()
        client = await box.attach()
        with pytest.raises(StartError) as caught:
            await shim.start()
        assert caught.value.exit_code == code
        assert words in str(caught.value)
        await shim.closed
        assert await client.read_all() == b""
        assert not box.exit_file.exists()
        assert not box.socket.exists()


@scene
async def test_nobody_listens(place: Place) -> None:
    """The output goes to the log alone, or nowhere, but never holds the process up."""
    for log, logged in (("json-file", 3_000_000), ("none", None)):
        box = place.box("sh", "-c", "yes | head -c 3000000; printf end", log=log)
        shim = await box.spawn()
        await shim.start()
        await shim.closed
        assert box.exit_record()["exit_code"] == 0
        if logged is None:
            assert not box.log.exists()
        else:
            assert box.logged() == "y\n" * (logged // 2) + "end"


@scene
async def test_an_engine_that_never_starts_it(place: Place) -> None:
    box = place.box("true")
    shim = await box.spawn()
    client = await box.attach()
    second = await Shim.connect(box.socket)
    await shim.close()
    assert (await second.hello()).state == "created"
    await second.close()
    assert await client.read_all() == b""
    with pytest.raises(Gone):
        await shim.hello()


@scene
async def test_an_engine_that_dies(place: Place) -> None:
    """A session goes on without an engine; the next one learns how it went."""
    box = place.box("sh", "-c", "cat; exit 5", open_stdin=True)
    shim = await box.spawn()
    client = await box.attach(stdin=True, framed=False)
    started = await shim.start()
    await shim.close()
    await client.send(b"without engine\n")
    assert await client.read_until(b"\n") == b"without engine\n"

    box.adopt(await Shim.connect(box.socket))
    status = await box.shim.status()
    assert (status.state, status.init_pid) == ("running", started.pid)
    with pytest.raises(Conflict):
        await box.shim.start()
    client.end()
    assert await client.read_all() == b""
    await box.shim.closed
    assert [event["exit_code"] for event in box.events] == [5]


@scene
async def test_an_exit_that_no_engine_sees(place: Place) -> None:
    box = place.box("sh", "-c", "read x; exit 4", open_stdin=True)
    shim = await box.spawn()
    client = await box.attach(stdin=True)
    await shim.start()
    await shim.close()
    await client.send(b"\n")
    assert await client.read_all() == b""
    assert box.exit_record()["exit_code"] == 4
    # Too late to be told, whichever of the two is first.
    with contextlib.suppress(OSError):
        await (await Shim.connect(box.socket)).closed


@scene
async def test_a_grandchild_that_keeps_the_pipe(place: Place) -> None:
    box = place.box("sh", "-c", "sleep 100 & echo done")
    shim = await box.spawn()
    client = await box.attach(framed=False)
    began = time.monotonic()
    await shim.start()
    assert await client.read_all() == b"done\n"
    await shim.closed
    assert time.monotonic() - began < 2.0


@scene
async def test_hostile_messages(place: Place) -> None:
    box = place.box("true")
    shim = await box.spawn()
    await shim.hello()
    for message in (b"x", b"{}", b'{"id":1,"do":"dance"}', b"[" * 60_000, b"x" * 100_000):
        with box.stranger() as stranger:
            fds = [stranger.fileno()] * 3
            socket.send_fds(stranger, [message], fds)
            answer = json.loads(await asyncio.to_thread(stranger.recv, 1 << 16))
            assert answer["error"]["kind"] == "invalid"
    with box.stranger() as flood:
        flood.setblocking(False)
        # Either no more goes in, or the shim gave up whom 1024 answers wait for.
        with contextlib.suppress(BlockingIOError, ConnectionError):
            for _ in range(10_000):
                flood.send(b"x" * 1000)
        read, write = os.pipe()
        with pytest.raises(InvalidParameter):
            await shim.attach(write, stdin=True, stdout=True, stderr=True, framed=True)
        with pytest.raises(NotFound):
            await shim.resize("e1", 1, 1)
        os.close(read)
        os.close(write)
    assert (await shim.hello()).state == "created"
    await shim.start()
    await shim.closed
