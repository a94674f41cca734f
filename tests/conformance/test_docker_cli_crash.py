"""The docker CLI while its engine is killed under it: `docker_cli_crash.sh`."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from tests.conformance import checks
from tests.engine.engines import EngineServer

SCRIPT = Path(__file__).with_name("docker_cli_crash.sh")


def test_clients_and_containers_survive(engine_server: EngineServer) -> None:
    place = engine_server.place
    for name in ("orders", "done"):
        os.mkfifo(place / name)
    over = threading.Event()
    taker = threading.Thread(target=take_orders, args=(engine_server, over))
    taker.start()
    try:
        reports = checks.reports(SCRIPT, str(place), DOCKER_HOST=engine_server.url)
    finally:
        over.set()
        (place / "orders").write_text("\n")
        taker.join()
    assert reports == dict.fromkeys(checks.names(SCRIPT), "")
    # What was half sent is not kept.
    assert not any((engine_server.root / "tmp").iterdir())


def take_orders(server: EngineServer, over: threading.Event) -> None:
    """Do what the script asks for, and tell it."""
    while not over.is_set():
        # Opening waits for the script.
        order = (server.place / "orders").read_text().strip()
        if order:
            getattr(server, order)()
            (server.place / "done").write_text("\n")
