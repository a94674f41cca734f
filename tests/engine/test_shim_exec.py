"""Further processes in a running container."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random

import pytest
from tests.engine.shims import Box, Place, descriptors, scene

from drayman.errors import Conflict, InvalidParameter, NotFound
from drayman.runtime.messages import ExecStatus
from drayman.runtime.shim import Shim, StartError


async def idle(place: Place) -> Box:
    box = place.box("sleep", "1000")
    shim = await box.spawn()
    with pytest.raises(Conflict):
        await box.exec("early", "true")
    await shim.start()
    return box


async def stop(box: Box) -> None:
    await box.shim.signal(9)
    await box.shim.closed


@scene
async def test_output_and_exit_code(place: Place) -> None:
    box = await idle(place)
    client = await box.exec("e1", "sh", "-c", "echo out; echo err >&2; pwd; exit 3")
    assert await client.frames() == {1: b"out\n/\n", 2: b"err\n"}
    status = (await box.shim.status()).execs["e1"]
    assert (status.running, status.exit_code) == (False, 3)
    assert box.events == [{"event": "exec_exit", "exec": "e1", "exit_code": 3}]
    assert json.loads((box.execs / "e1.exit").read_text()) == {"exit_code": 3}
    assert box.log.read_text() == ""
    with pytest.raises(Conflict):
        await box.exec("e1", "true")
    with pytest.raises(InvalidParameter):
        await box.shim.exec("../e", box.execs / "e1.json", None, tty=False, stdin=False,
                            stdout=False, stderr=False, framed=False)  # fmt: skip
    await stop(box)


@scene
async def test_input(place: Place) -> None:
    box = await idle(place)
    client = await box.exec("e1", "cat", stdin=True, framed=False, early=b"early ")
    data = random.Random(2).randbytes(8 << 20)

    async def write() -> None:
        await client.send(data)
        client.end()

    writing = asyncio.create_task(write())
    got = await client.read_all()
    await writing
    assert hashlib.sha256(got).digest() == hashlib.sha256(b"early " + data).digest()
    await stop(box)


@scene
async def test_commands_that_cannot_be_run(place: Place) -> None:
    box = await idle(place)
    before = sorted(descriptors((await box.shim.hello()).pid))
    for number, (command, code) in enumerate([("nonesuch", 127), ("/bin/plain", 126)]):
        with pytest.raises(StartError) as caught:
            await box.exec(f"e{number}", command)
        assert caught.value.exit_code == code
    while sorted(descriptors((await box.shim.hello()).pid)) != before:
        pass
    client = await box.exec("good", "echo", "still works")
    assert await client.frames() == {1: b"still works\n"}
    await stop(box)


@scene
async def test_a_terminal(place: Place) -> None:
    box = await idle(place)
    client = await box.exec("e1", "sh", "-c", "read x; stty size; echo $x",
                            tty=True, stdin=True, framed=False, console_size=(30, 90))  # fmt: skip
    await box.shim.resize("e1", 31, 91)
    await client.send(b"word\n")
    assert await client.read_all() == b"word\r\n31 91\r\nword\r\n"
    client = await box.exec("e2", "sh", "-c", "cat", tty=True, stdin=True, framed=False)
    await client.send(b"\x10\x11")
    await client.read_all()
    await box.shim.status()
    assert box.events[-1] == {"event": "detached", "exec": "e2"}
    assert (await box.shim.status()).execs["e2"].running
    await stop(box)


@scene
async def test_one_that_nobody_watches(place: Place) -> None:
    box = await idle(place)
    client = await box.exec("e1", "sh", "-c", "yes | head -c 1000000; cat; exit 9", attached=False)
    client.close()
    while not box.events:
        await box.shim.status()
    assert box.events == [{"event": "exec_exit", "exec": "e1", "exit_code": 9}]
    await stop(box)


@scene
async def test_killed_ones(place: Place) -> None:
    box = await idle(place)
    client = await box.exec("e1", "sleep", "1000")
    with pytest.raises(NotFound):
        await box.shim.exec_signal("e2", 9)
    await box.shim.exec_signal("e1", 9)
    assert await client.frames() == {}
    assert json.loads((box.execs / "e1.exit").read_text()) == {"exit_code": 137}
    # One that runs when the container ends is ended with it.
    client = await box.exec("e2", "sh", "-c", "echo on; sleep 1000", framed=False)
    await client.read_until(b"on")
    await stop(box)
    assert await client.read_all() == b""
    assert {event["event"] for event in box.events} >= {"exit"}


@scene
async def test_an_engine_that_dies_meanwhile(place: Place) -> None:
    box = await idle(place)
    client = await box.exec("e1", "cat", stdin=True, framed=False)
    pid = (await box.shim.status()).execs["e1"].pid
    await box.shim.close()
    await client.send(b"hello")
    await client.read_until(b"hello")
    box.adopt(await Shim.connect(box.socket))
    assert (await box.shim.status()).execs["e1"] == ExecStatus(pid, True, None)
    client.end()
    assert await client.read_all() == b""
    assert (await box.shim.status()).execs["e1"] == ExecStatus(pid, False, 0)
    await stop(box)


@scene
async def test_many_leave_nothing_behind(place: Place) -> None:
    box = await idle(place)
    pid = (await box.shim.hello()).pid
    before = sorted(descriptors(pid))
    for round_ in range(10):
        clients = [await box.exec(f"e{round_}-{n}", "echo", str(n)) for n in range(20)]
        for number, client in enumerate(clients):
            assert await client.frames() == {1: f"{number}\n".encode()}
    status = await box.shim.status()
    assert len(status.execs) <= 64
    # It learns of our hanging up as of anything else: after a while.
    while sorted(descriptors(pid)) != before:
        await box.shim.status()
    assert len(box.events) == 200
    await stop(box)
