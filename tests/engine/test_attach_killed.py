"""The engine dies while clients are attached: none of them notices, and the next one knows all."""

from __future__ import annotations

import random
import socket
from concurrent.futures import ThreadPoolExecutor

from tests.engine.engines import EngineServer, until
from tests.engine.shims import unframe

SESSIONS = 10
LINES = 60_000
TALK = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; done; exit 7"
ALL = "".join(f"{number}\n" for number in range(1, LINES + 1)).encode()
KILLS = 3


class Reader:
    """Reads one session, and tells how far it is."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()

    def read_all(self) -> bytes:
        """What came on standard output."""
        self.connection.settimeout(60)
        with self.connection:
            while part := self.connection.recv(1 << 20):
                self.received += part
        return unframe(bytes(self.received))[1]


def test_nothing_is_lost(engine_server: EngineServer) -> None:
    box = engine_server.running()
    chosen = random.Random(3)
    readers: list[Reader] = []
    execs, containers = [], []
    for _ in range(SESSIONS):
        container = engine_server.create("sh", "-c", TALK)
        containers.append(container)
        attach = f"/containers/{container}/attach?stream=1&stdout=1"
        readers.append(Reader(engine_server.hijack(attach)[0]))
        assert engine_server.api("POST", f"/containers/{container}/start")[0] == 204
        asked = {"Cmd": ["sh", "-c", TALK], "AttachStdout": True}
        execs.append(engine_server.api("POST", f"/containers/{box}/exec", asked)[1]["Id"])
        readers.append(Reader(engine_server.hijack(f"/exec/{execs[-1]}/start", {})[0]))

    def come() -> int:
        return sum(len(one.received) for one in readers)

    with ThreadPoolExecutor(len(readers)) as pool:
        reading = [pool.submit(one.read_all) for one in readers]
        # Each at some moment of the way.
        for share in sorted(chosen.random() for _ in range(KILLS)):
            due = int(share * len(ALL) * len(readers))
            until(lambda due=due: come() >= due)
            engine_server.crash()
        for one in reading:
            assert one.result() == ALL
    for exec_id in execs:
        path = f"/exec/{exec_id}/json"
        until(lambda path=path: engine_server.api("GET", path)[1]["ExitCode"] == 7)
    for container in containers:
        waited = engine_server.api("POST", f"/containers/{container}/wait")
        assert waited == (200, {"StatusCode": 7})
