"""The docker CLI while its engine is killed under it: `docker_cli_crash.sh`."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from tests.engine.engines import EngineServer

SCRIPT = Path(__file__).with_name("docker_cli_crash.sh")
TIMEOUT_S = 100


def test_clients_and_containers_survive(engine_server: EngineServer) -> None:
    place = engine_server.place
    for name in ("orders", "done"):
        os.mkfifo(place / name)
    over = threading.Event()
    taker = threading.Thread(target=take_orders, args=(engine_server, over))
    taker.start()
    try:
        done = subprocess.run(
            ["bash", SCRIPT, place],
            env={**os.environ, "DOCKER_HOST": engine_server.url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        over.set()
        (place / "orders").write_text("\n")
        taker.join()
    assert done.returncode == 0, done.stdout + done.stderr


def take_orders(server: EngineServer, over: threading.Event) -> None:
    """Do what the script asks for, and tell it."""
    while not over.is_set():
        # Opening waits for the script.
        order = (server.place / "orders").read_text().strip()
        if order:
            getattr(server, order)()
            (server.place / "done").write_text("\n")
