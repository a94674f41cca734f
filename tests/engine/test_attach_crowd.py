"""Many clients of one container, clients that send without reading, and ones that do nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.shims import Peer, Place, scene

MIB = 1 << 20
READERS = 64
IDLERS = 200
HELD = 1000
FEW_FILES = 512


def cpu_ticks(pid: int) -> int:
    """User and system time spent so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def peak_kib(pid: int) -> int:
    """The most memory it ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@scene
async def test_sixty_four_readers_see_the_same(place: Place) -> None:
    box = place.box("sh", "-c", "seq 300000; echo end >&2", log="none")
    shim = await box.spawn()
    readers = [await box.attach() for _ in range(READERS)]
    await shim.start()
    expected = "".join(f"{number}\n" for number in range(1, 300_001)).encode()
    digests = set()
    for seen in await asyncio.gather(*(reader.frames() for reader in readers)):
        digests.add(hashlib.sha256(seen[1]).digest())
        assert seen[2] == b"end\n"
    assert digests == {hashlib.sha256(expected).digest()}
    await shim.closed


@scene
async def test_one_that_sends_and_does_not_read(place: Place) -> None:
    """It has to wait, without memory for what it says; all arrives once it reads."""
    box = place.box("cat", open_stdin=True, log="none")
    shim = await box.spawn()
    await shim.start()
    pid = (await shim.hello()).pid
    client = await box.attach(stdin=True, framed=False)
    data = os.urandom(MIB) * 100
    sending = asyncio.create_task(client.send(data))
    # As much is on its way as there is room for.
    done, _ = await asyncio.wait({sending}, timeout=1)
    assert not done
    assert peak_kib(pid) < 16 * 1024
    # The shim answers, and serves others.
    assert (await shim.status()).state == "running"
    other = await box.exec("e1", "echo", "still here")
    assert await other.frames() == {1: b"still here\n"}
    seen = hashlib.sha256()
    left = len(data)
    while left:
        part = await client.read(MIB)
        assert part
        seen.update(part)
        left -= len(part)
    await sending
    assert peak_kib(pid) < 16 * 1024
    assert seen.digest() == hashlib.sha256(data).digest()
    client.end()
    # Half-closed twice is half-closed.
    client.end()
    assert await client.read_all() == b""
    await shim.closed


@scene
async def test_it_sleeps_when_nothing_happens(place: Place) -> None:
    """Idle clients cost no time."""
    box = place.box("sleep", "1000", open_stdin=True)
    shim = await box.spawn()
    await shim.start()
    pid = (await shim.hello()).pid
    clients = [await box.attach(stdin=number % 2 == 0) for number in range(IDLERS)]
    await shim.status()
    # Time passes: nothing is waited for, nothing shall happen.
    await asyncio.sleep(1)
    before = cpu_ticks(pid)
    await asyncio.sleep(2)
    assert cpu_ticks(pid) - before <= 1
    for client in clients:
        client.close()
    await shim.signal(9)
    await shim.closed


@contextmanager
def ours_may_open(files: int) -> Iterator[None]:
    """Let this process, and what it starts, have so many files open for now."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@scene
async def test_a_thousand_clients(place: Place) -> None:
    """More than a process may open that asks for no more: the shim asks, the container need not
    know."""
    box = place.box("sh", "-c", "read x; echo $x; ulimit -n", open_stdin=True)
    with ours_may_open(FEW_FILES):
        shim = await box.spawn()
    with ours_may_open(4 * HELD):
        clients: list[Peer] = [await box.attach() for _ in range(HELD)]
        await shim.start()
        speaker = await box.attach(stdin=True)
        limit = await box.exec("e1", "sh", "-c", "ulimit -n")
        assert await limit.frames() == {1: f"{FEW_FILES}\n".encode()}
        await speaker.send(b"all of you\n")
        for client in (*clients, speaker):
            assert await client.frames() == {1: f"all of you\n{FEW_FILES}\n".encode()}
    await shim.closed


@scene
async def test_clients_that_vanish_while_much_is_said(place: Place) -> None:
    """With input or without: what they said arrives, and none of them stays."""
    box = place.box("sh", "-c", "cat >/got & yes", open_stdin=True, stdin_once=False, log="none")
    shim = await box.spawn()
    await shim.start()
    pid = (await shim.hello()).pid
    held = len(os.listdir(f"/proc/{pid}/fd"))
    for number in range(100):
        client = await box.attach(stdin=number % 2 == 0, framed=number % 3 == 0)
        if number % 2 == 0:
            await client.send(b"x")
        await client.read()
        client.close()
    while len(os.listdir(f"/proc/{pid}/fd")) > held:
        await shim.status()
    await shim.signal(9)
    await shim.closed
