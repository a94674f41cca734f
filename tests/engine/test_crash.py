"""Engine, shims or both are killed at any moment: every promise that was made is kept.

A hundred rounds; ``DRAYMAN_CRASH_ROUNDS`` makes it more, ``DRAYMAN_CRASH_SEED`` other ones.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.engine.crashing import (
    EXITED,
    GONE,
    KILLED_CODE,
    PAUSED,
    RUNNING,
    Box,
    Client,
    shim_of,
)
from tests.engine.engines import EngineServer, until

ROUNDS = int(os.environ.get("DRAYMAN_CRASH_ROUNDS", "100"))
SEED = int(os.environ.get("DRAYMAN_CRASH_SEED", "1"))
CLIENTS = 3
# The moment of the kill, from the beginning of a round.
LONGEST_S = 0.15
LOG_CHARACTERS = 4000


# A round takes a second or two, most of it the engine's start.
@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_every_promise_is_kept(engine_server: EngineServer) -> None:
    chosen = random.Random(SEED)
    clients = [
        Client(engine_server, random.Random(chosen.random()), number) for number in range(CLIENTS)
    ]
    for number in range(ROUNDS):
        kind = chosen.choice(("engine", "engine", "shim", "both"))
        try:
            with ThreadPoolExecutor(CLIENTS) as pool:
                enough = threading.Event()
                working = [pool.submit(client.work, enough.is_set) for client in clients]
                enough.wait(chosen.random() * LONGEST_S)
                boxes = [box for client in clients for box in client.boxes]
                kill(engine_server, kind, boxes, chosen)
                enough.set()
                if kind != "shim":
                    engine_server.start()
                for one in working:
                    one.result()
            judge(engine_server, clients, restarted=kind != "shim")
        except BaseException as error:
            error.add_note(f"in round {number}, where the {kind} was killed; the engine's log:")
            error.add_note(engine_server.log.read_text()[-LOG_CHARACTERS:])
            raise


def kill(engine: EngineServer, kind: str, boxes: list[Box], chosen: random.Random) -> None:
    """SIGKILL to the engine, to a shim, or to both."""
    held = [(box, pid) for box in boxes if (pid := shim_of(engine, box)) is not None]
    if kind != "engine" and held:
        box, pid = chosen.choice(held)
        box.hurt = box.run
        os.kill(pid, signal.SIGKILL)
    if kind != "shim":
        engine.kill()


def judge(engine: EngineServer, clients: list[Client], *, restarted: bool) -> None:
    """Look at everything, and let each client know how it is now."""
    for client in clients:
        for box in list(client.boxes):
            if box.late:
                # What this engine was asked and what it did by itself are not told apart.
                status, _ = engine.api("DELETE", f"/containers/{box.id or box.name}?force=1&v=1")
                assert status in (204, 404), box
                client.boxes.remove(box)
                continue
            found = settle(engine, box, restarted=restarted)
            if found is None:
                client.boxes.remove(box)
            else:
                check(engine, box, found)
    boxes = [box for client in clients for box in client.boxes]
    listed = engine.api("GET", "/containers/json?all=1")[1]
    names = {box.id: box.names for box in boxes}
    assert {one["Id"]: {name[1:] for name in one["Names"]} for one in listed} == names
    running = [box for box in boxes if box.statuses <= {RUNNING, PAUSED}]
    nothing_else(engine, boxes, running)


def settle(engine: EngineServer, box: Box, *, restarted: bool) -> dict[str, Any] | None:
    """What the engine says of a box once its policy has had its way; None when it is gone."""
    allowed = possible(box, restarted=restarted)
    found: dict[str, Any] | None = None

    def holds() -> bool:
        nonlocal found
        status, answer = engine.api("GET", f"/containers/{box.id or box.name}/json")
        found = answer if status == 200 else None
        if found is not None and run_of(found) == box.hurt:
            # Not even noticed yet.
            return False
        return (found["State"]["Status"] if found else GONE) in allowed

    until(holds, lambda: f"{box} may be {allowed}, but is {found and found['State']}")
    return found


def run_of(found: dict[str, Any]) -> tuple[int, str]:
    """Which run it is."""
    return found["State"]["Pid"], found["State"]["StartedAt"]


def possible(box: Box, *, restarted: bool) -> set[str]:
    """The statuses that a box may be found in when all has come to rest."""
    statuses = set(box.statuses)
    if box.hurt:
        statuses |= {EXITED, GONE} if box.rm else {EXITED}
        if box.run is not None:
            # Nothing was under way: it cannot have lived on.
            statuses -= {RUNNING, PAUSED}
    if EXITED in statuses:
        if box.rm:
            statuses.discard(EXITED)
        if box.policy == "always" and restarted:
            # Whoever stopped it.
            statuses = (statuses - {EXITED}) | {RUNNING}
        if box.policy == "unless-stopped" and restarted and not box.stopped:
            # It was a restart that was cut off between its halves.
            statuses = (statuses - {EXITED}) | {RUNNING}
        if box.policy in ("always", "unless-stopped") and box.hurt:
            statuses |= {RUNNING}
            if box.run is not None and not box.stopped:
                statuses -= {EXITED}
    if not box.steady and RUNNING in statuses:
        # It ends, whatever else happens.
        statuses = (statuses - {RUNNING}) | {GONE if box.rm else EXITED}
    return statuses


def check(engine: EngineServer, box: Box, found: dict[str, Any]) -> None:
    """Compare with what was promised, then remember it as it is."""
    state = found["State"]
    status = state["Status"]
    assert found["Name"][1:] in box.names, (box, found["Name"])
    run = run_of(found)
    if box.run is not None and not box.hurt:
        assert run == box.run, (box, state)
        for exec_id, code in box.execs.items():
            known, answer = engine.api("GET", f"/exec/{exec_id}/json")
            assert known == 200, (box, answer)
            assert answer["Running"] or answer["ExitCode"] == code, (box, answer)
    if status == EXITED:
        codes = box.codes | ({KILLED_CODE} if box.hurt else set())
        if box.code is not None:
            codes |= {box.code}
        assert state["ExitCode"] in codes, (box, state)
        assert state["Pid"] == 0, state
    elif status in (RUNNING, PAUSED):
        assert Path(f"/proc/{state['Pid']}").exists(), (box, state)
        box.run = run
    if status != RUNNING and status != PAUSED:
        box.run = None
    if box.run is None or box.hurt:
        box.execs = {}
    box.id, box.names, box.statuses = found["Id"], {found["Name"][1:]}, {status}
    box.codes = {state["ExitCode"]} if status == EXITED else set()
    box.hurt = None
    box.stopped = status == EXITED and box.stopped


def nothing_else(engine: EngineServer, boxes: Iterable[Box], running: list[Box]) -> None:
    """No mount, cgroup, link, namespace, directory or shim of a container that does not run."""
    known, living = [box.id for box in boxes], [box.id for box in running]
    until(
        lambda: not engine.leaks(known, living), lambda: f"{engine.leaks(known, living)} of {boxes}"
    )
    bridged = sum(box.bridged for box in running)
    ports = Path(f"/sys/class/net/{engine.bridge}/brif")
    until(
        lambda: len(list(ports.iterdir())) == bridged,
        lambda: f"there are {list(ports.iterdir())} for {bridged} of {running}",
    )
