"""Output that goes from a pipe to its only reader inside the kernel: all bytes, whole frames."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.shims import Peer, Place, descriptors, scene, unframe

# More than pipe and socket hold together, in writes that differ in size.
NUMBERS = "seq 1 400000"
ALL = "".join(f"{number}\n" for number in range(1, 400_001)).encode()
BOTH = f"{NUMBERS} & {NUMBERS} >&2; wait"


async def slowly(peer: Peer) -> bytes:
    """Everything, by a client that stops again and again, so that frames are cut anywhere."""
    parts = []
    sizes = (1, 5000, 7, 65537, 300_001)
    turn = 0
    while part := await peer.read(sizes[turn % len(sizes)]):
        parts.append(part)
        turn += 1
        if turn % 16 == 0:
            await asyncio.sleep(0.001)
    peer.close()
    return b"".join(parts)


@scene
async def test_an_exec_that_prints_on_both_streams(place: Place) -> None:
    box = place.box("sleep", "1000")
    shim = await box.spawn()
    await shim.start()
    streams = unframe(await slowly(await box.exec("e", "sh", "-c", BOTH)))
    assert streams == {1: ALL, 2: ALL}
    await shim.signal(9)
    await shim.closed


@scene
async def test_a_container_without_a_log(place: Place) -> None:
    box = place.box("sh", "-c", BOTH, log="none")
    shim = await box.spawn()
    client = await box.attach()
    await shim.start()
    assert unframe(await slowly(client)) == {1: ALL, 2: ALL}
    await shim.closed


@scene
async def test_a_stream_without_frames(place: Place) -> None:
    box = place.box("sh", "-c", NUMBERS, log="none")
    shim = await box.spawn()
    client = await box.attach(framed=False)
    await shim.start()
    assert await slowly(client) == ALL
    await shim.closed


@scene
async def test_a_second_client_in_the_middle_of_a_frame(place: Place) -> None:
    box = place.box("sh", "-c", f"read x; {NUMBERS}; read x", open_stdin=True, log="none")
    shim = await box.spawn()
    first = await box.attach(stdin=True)
    await shim.start()
    await first.send(b"\n")
    got = await first.read(1000)
    # It does not read on: a frame is under way that its socket cannot take.
    second = await box.attach()
    reading = asyncio.create_task(slowly(first))
    late = asyncio.create_task(slowly(second))
    third = await box.attach(stdin=True, stdout=False, stderr=False)
    await third.send(b"\n")
    assert unframe(got + await reading) == {1: ALL}
    assert ALL.endswith(unframe(await late).get(1, b""))
    third.close()
    await shim.closed


@pytest.mark.parametrize("leave", ["close", "end"])
def test_a_client_that_leaves_in_the_middle_of_a_frame(leave: str) -> None:
    @scene
    async def play(place: Place) -> None:
        box = place.box("sh", "-c", f"{NUMBERS}; echo done > /tmp/done; sleep 1000", log="none")
        shim = await box.spawn()
        client = await box.attach()
        await shim.start()
        begun = await client.read(1000)
        getattr(client, leave)()
        if leave == "end":
            # Having nothing to say is not leaving.
            reading = asyncio.create_task(slowly(client))
        while not (box.path / "upper/tmp/done").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await shim.signal(9)
        if leave == "end":
            assert unframe(begun + await reading) == {1: ALL}
        await shim.closed

    play()


@scene
async def test_nothing_is_left_open(place: Place) -> None:
    box = place.box("sleep", "1000")
    shim = await box.spawn()
    await shim.start()
    pid = (await shim.hello()).pid
    before = len(list(descriptors(pid)))
    for number in range(20):
        peer = await box.exec(f"e{number}", "sh", "-c", NUMBERS)
        await peer.read(100_000)
        peer.close()
    while len(list(descriptors(pid))) != before:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await shim.signal(9)
    await shim.closed
