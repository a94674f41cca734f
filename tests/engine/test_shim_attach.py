"""Attached clients: bytes both ways, ends of input, hang-ups, and readers that stall."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket

from tests.engine.shims import Peer, Place, scene, unframe

MIB = 1 << 20


@scene
async def test_fifty_megabytes_through_cat(place: Place) -> None:
    box = place.box("cat", open_stdin=True, log="none")
    shim = await box.spawn()
    client = await box.attach(stdin=True, framed=False, early=b"early ")
    await shim.start()
    data = random.Random(1).randbytes(50 * MIB)

    async def write() -> None:
        await client.send(data)
        client.end()

    writing = asyncio.create_task(write())
    got = await client.read_all()
    await writing
    assert hashlib.sha256(got).digest() == hashlib.sha256(b"early " + data).digest()
    await shim.closed
    assert box.exit_record()["exit_code"] == 0


@scene
async def test_frames_and_log_agree(place: Place) -> None:
    script = "for i in $(seq 2000); do echo out $i; echo err $i >&2; done; printf last"
    box = place.box("sh", "-c", script)
    shim = await box.spawn()
    clients = [await box.attach() for _ in range(3)]
    only_errors = await box.attach(stdout=False)
    await shim.start()
    out = "".join(f"out {i}\n" for i in range(1, 2001)) + "last"
    err = "".join(f"err {i}\n" for i in range(1, 2001))
    for client in clients:
        assert await client.frames() == {1: out.encode(), 2: err.encode()}
    assert await only_errors.frames() == {2: err.encode()}
    await shim.closed
    assert (box.logged(), box.logged("stderr")) == (out, err)


@scene
async def test_a_client_that_only_half_closed_keeps_reading(place: Place) -> None:
    """docker run without -i half-closes at once."""
    box = place.box("sh", "-c", "read x; echo $x", open_stdin=True)
    shim = await box.spawn()
    reader = await box.attach()
    reader.end()
    await shim.start()
    writer = await box.attach(stdin=True)
    await writer.send(b"hello\n")
    assert await reader.frames() == {1: b"hello\n"}
    assert await writer.frames() == {1: b"hello\n"}
    await shim.closed


@scene
async def test_a_client_that_vanishes_is_forgotten(place: Place) -> None:
    box = place.box("sh", "-c", "cat; echo end", open_stdin=True)
    shim = await box.spawn()
    before_start = await box.attach()
    before_start.close()
    await shim.start()
    for _ in range(20):
        (await box.attach()).close()
    # What it said before it left arrives; its leaving is the end of the input.
    writer = await box.attach(stdin=True)
    await writer.send(b"parting words\n")
    writer.close()
    await shim.closed
    assert box.logged() == "parting words\nend\n"


@scene
async def test_input_for_several_clients(place: Place) -> None:
    """Without StdinOnce the end of a client's input ends its attachment, and nothing else."""
    box = place.box("cat", open_stdin=True, stdin_once=False)
    shim = await box.spawn()
    await shim.start()
    for name in (b"first\n", b"second\n"):
        client = await box.attach(stdin=True, framed=False)
        await client.send(name)
        await client.read_until(name)
        client.end()
        assert await client.read_all() == b""
        assert (await shim.status()).state == "running"
    await shim.signal(9)
    await shim.closed


@scene
async def test_input_that_nobody_wants(place: Place) -> None:
    """Stdin of a container that was not created with one is not forwarded."""
    box = place.box("sh", "-c", "cat; echo end")
    shim = await box.spawn()
    client = await box.attach(stdin=True)
    await client.send(b"unheard\n")
    await shim.start()
    assert await client.frames() == {1: b"end\n"}
    await shim.closed


@scene
async def test_a_process_that_does_not_read(place: Place) -> None:
    deaf = "trap exit TERM; exec 0<&-; echo deaf; while :; do sleep .01; done"
    box = place.box("sh", "-c", deaf, open_stdin=True)
    shim = await box.spawn()
    client = await box.attach(stdin=True, framed=False)
    await shim.start()
    await client.read_until(b"deaf")
    await client.send(b"x" * 5 * MIB)
    await shim.signal(15)
    assert await client.read_all() == b""
    await shim.closed


@scene
async def test_a_stalled_reader_holds_the_process_up(place: Place) -> None:
    """Docker's back-pressure; and a stalled reader that leaves lets it go."""
    box = place.box("sh", "-c", "yes | head -c 30000000; echo end", log="none")
    shim = await box.spawn()
    stalled = await box.attach(framed=False)
    reader = await box.attach(framed=False)
    await shim.start()
    got = 0
    while True:
        try:
            got += len(await asyncio.wait_for(reader.read(MIB), 0.5))
        except TimeoutError:
            break
    assert MIB < got < 8 * MIB
    assert (await shim.status()).state == "running"
    stalled.close()
    assert got + len(await reader.read_all()) == 30_000_004
    await shim.closed


@scene
async def test_a_slow_reader_gets_everything_after_the_exit(place: Place) -> None:
    box = place.box("sh", "-c", "yes | head -c 1500000")
    shim = await box.spawn()
    client = await box.attach()
    await shim.start()
    await shim.closed
    # The container is gone; what is left of the shim waits for us.
    assert box.exit_record()["exit_code"] == 0
    assert unframe(await client.read_all()) == {1: b"y\n" * 750_000}


@scene
async def test_the_head_is_read_before_the_first_frame(place: Place) -> None:
    """docker-py loses what it reads together with the response head."""
    box = place.box("cat", open_stdin=True)
    shim = await box.spawn()
    await shim.start()
    writer = await box.attach(stdin=True)
    for _ in range(20):
        ours, theirs = socket.socketpair()
        theirs.send(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
        with theirs:
            await shim.attach(theirs.fileno(), stdin=False, stdout=True, stderr=True, framed=False)
        await writer.send(b"data")
        await writer.read_until(b"data")
        client = Peer(ours)
        assert await client.read() == b"HTTP/1.1 101 UPGRADED\r\n\r\n"
        assert await client.read() == b"data"
        client.close()
    writer.end()
    assert await writer.read_all() == b""
    await shim.closed


@scene
async def test_clients_over_tcp(place: Place) -> None:
    box = place.box("sh", "-c", "cat; yes | head -c 3000000; echo end", open_stdin=True)
    shim = await box.spawn()
    with socket.create_server(("127.0.0.1", 0)) as server:
        pairs = []
        for speaks in (False, True):
            ours = socket.create_connection(server.getsockname())
            theirs, _ = server.accept()
            with theirs:
                await shim.attach(
                    theirs.fileno(), stdin=speaks, stdout=True, stderr=True, framed=True
                )
            pairs.append(Peer(ours))
    await shim.start()
    vanishing, client = pairs
    vanishing.close()
    await client.send(b"hello\n")
    client.end()
    assert await client.frames() == {1: b"hello\n" + b"y\n" * 1_500_000 + b"end\n"}
    await shim.closed
    assert box.exit_record()["exit_code"] == 0
