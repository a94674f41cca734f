"""Terminals: size, echo, detach keys."""

from __future__ import annotations

from tests.engine.shims import Place, scene

LOOP = "while read x; do case $x in size) stty size;; *) echo got $x;; esac; done"


@scene
async def test_a_session_in_a_terminal(place: Place) -> None:
    box = place.box("sh", "-c", LOOP, tty=True, open_stdin=True, console_size=(20, 70))
    shim = await box.spawn()
    await shim.resize(None, 21, 71)
    client = await box.attach(stdin=True, framed=False, stderr=False)
    await shim.start()
    await client.send(b"size\n")
    assert await client.read_until(b"71\r\n") == b"size\r\n21 71\r\n"
    for columns in range(100, 200):
        await shim.resize(None, 50, columns)
    await client.send(b"size\n")
    assert (await client.read_until(b"199\r\n")).endswith(b"50 199\r\n")
    await client.send(b"\x04")
    assert await client.read_all() == b""
    await shim.closed
    assert box.exit_record()["exit_code"] == 0
    assert box.logged().startswith("size\r\n21 71\r\n")


@scene
async def test_detach_keys(place: Place) -> None:
    box = place.box("sh", "-c", LOOP, tty=True, open_stdin=True)
    shim = await box.spawn()
    client = await box.attach(stdin=True, framed=False)
    await shim.start()
    await client.send(b"a\x10")
    await client.send(b"b\n")
    assert (await client.read_until(b"got")).startswith(b"a^Pb\r\n")
    await client.send(b"\x10")
    await client.send(b"\x11ignored\n")
    assert b"ignored" not in await client.read_all()
    assert (await shim.status()).state == "running"

    own = await box.attach(stdin=True, framed=False, detach_keys="x,y")
    await own.send(b"\x10\x11\n")
    await own.read_until(b"got")
    await own.send(b"xy")
    await own.read_all()
    await shim.status()
    assert [event["event"] for event in box.events] == ["detached", "detached"]
    await shim.signal(9)
    await shim.closed


@scene
async def test_the_end_of_input_ends_the_attachment_only(place: Place) -> None:
    box = place.box("sh", "-c", LOOP, tty=True, open_stdin=True)
    shim = await box.spawn()
    client = await box.attach(stdin=True, framed=False)
    await shim.start()
    await client.send(b"one\n")
    await client.read_until(b"got one\r\n")
    client.end()
    assert await client.read_all() == b""
    assert (await shim.status()).state == "running"
    await shim.signal(9)
    await shim.closed
    assert box.exit_record()["exit_code"] == 137


@scene
async def test_a_terminal_that_is_let_go(place: Place) -> None:
    """A process that closes its terminal goes on, and the shim does not spin."""
    box = place.box("sh", "-c", "exec 0<&- 1>&- 2>&-; sleep .3; exit 6", tty=True)
    shim = await box.spawn()
    await shim.start()
    await shim.closed
    assert box.exit_record()["exit_code"] == 6
