"""The engine dies while clients are attached: none of them notices, and the next one knows all."""

from __future__ import annotations

import random
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from tests.engine.engines import EngineServer, until
from tests.engine.shims import unframe

SESSIONS = 10
LINES = 60_000
TALK = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; done; exit 7"
ALL = "".join(f"{number}\n" for number in range(1, LINES + 1)).encode()
KILLS = 3
# Within what the sessions take, on a slow host as well.
BETWEEN_KILLS_S = 0.3


def read_all(connection: socket.socket, head: bytes) -> bytes:
    # What came with the head is behind its last line break, which is not the CR LF of a line.
    received = re.split(rb"(?<!\r)\n", head, maxsplit=1)[1]
    connection.settimeout(60)
    with connection:
        while part := connection.recv(1 << 20):
            received += part
    return unframe(received)[1]


def test_nothing_is_lost(engine_server: EngineServer) -> None:
    box = engine_server.running()
    chosen = random.Random(3)
    clients, execs, containers = [], [], []
    for _ in range(SESSIONS):
        container = engine_server.create("sh", "-c", TALK)
        containers.append(container)
        attach = f"/containers/{container}/attach?stream=1&stdout=1"
        clients.append(engine_server.hijack(attach))
        assert engine_server.api("POST", f"/containers/{container}/start")[0] == 204
        asked = {"Cmd": ["sh", "-c", TALK], "AttachStdout": True}
        execs.append(engine_server.api("POST", f"/containers/{box}/exec", asked)[1]["Id"])
        clients.append(engine_server.hijack(f"/exec/{execs[-1]}/start", {}))
    with ThreadPoolExecutor(len(clients)) as pool:
        reading = [pool.submit(read_all, *client) for client in clients]
        for _ in range(KILLS):
            time.sleep(chosen.random() * BETWEEN_KILLS_S)
            engine_server.crash()
        for one in reading:
            assert one.result() == ALL
    for exec_id in execs:
        path = f"/exec/{exec_id}/json"
        until(lambda path=path: engine_server.api("GET", path)[1]["ExitCode"] == 7)
    for container in containers:
        waited = engine_server.api("POST", f"/containers/{container}/wait")
        assert waited == (200, {"StatusCode": 7})
