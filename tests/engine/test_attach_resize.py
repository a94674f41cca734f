"""Storms of resizes: the last size holds, and what is typed meanwhile is not lost."""

from __future__ import annotations

import asyncio

from tests.engine.shims import Place, scene

STORM = 2000
SHELL = "while read x; do echo got $x; done"


@scene
async def test_a_storm_of_sizes(place: Place) -> None:
    box = place.box("sh", "-c", SHELL, tty=True, open_stdin=True)
    shim = await box.spawn()
    client = await box.attach(stdin=True, framed=False)
    await shim.start()

    async def storm() -> None:
        for number in range(1, STORM + 1):
            await shim.resize(None, 24 + number % 50, number)

    storming = asyncio.create_task(storm())
    for number in range(100):
        await client.send(f"{number}\n".encode())
        await client.read_until(f"got {number}\r\n".encode())
    await storming
    size = await box.exec("e1", "sh", "-c", "stty size </proc/1/fd/0")
    assert await size.frames() == {1: f"{24 + STORM % 50} {STORM}\n".encode()}
    await shim.signal(9)
    await shim.closed
    client.close()


@scene
async def test_a_storm_over_an_exec(place: Place) -> None:
    box = place.box("sleep", "1000")
    shim = await box.spawn()
    await shim.start()
    client = await box.exec("e1", "sh", "-c", SHELL, tty=True, stdin=True, framed=False)
    await asyncio.gather(*(shim.resize("e1", 30, columns) for columns in range(1, STORM + 1)))
    await client.send(b"over\n")
    await client.read_until(b"got over\r\n")
    await client.send(b"\x04")
    await client.read_all()
    await shim.signal(9)
    await shim.closed
