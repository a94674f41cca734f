"""What each verb answers in each state, and which state follows: as Docker has it.

One cell, one container. The state that a client sees only while a removal takes long,
``removing``, is kept up by a lock on the engine's database.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.states import container_in, wait_for_back_off

GONE = "gone"


class Cell(NamedTuple):
    """The status of the answer, a part of its text, and the container's state afterwards."""

    status: int
    text: str
    after: str


def row(*cells: tuple[int, str, str]) -> dict[str, Cell]:
    """The cells of a verb, for a container that is created, running, and so on."""
    states = ("created", "running", "paused", "restarting", "exited", "dead")
    return dict(zip(states, (Cell(*cell) for cell in cells), strict=True))


NOT_RUNNING = "container {id} is not running"
RESTARTING = "Container {id} is restarting, wait until the container is running"
MARKED = "container is marked for removal and cannot be started"
NOT_PAUSED = "Container {id} is not paused"
IS = 'cannot remove container "{id}": container is '
STOP_FIRST = ": stop the container before removing or force remove"

TABLE: dict[str, dict[str, Cell]] = {
    "POST start": row(
        (204, "", "running"),
        (304, "", "running"),
        (409, "cannot start a paused container, try unpause instead", "paused"),
        (304, "", "restarting"),
        (204, "", "running"),
        (409, MARKED, "dead"),
    ),
    "POST stop?t=0": row(
        (304, "", "created"),
        (204, "", "exited"),
        (204, "", "exited"),
        (204, "", "exited"),
        (304, "", "exited"),
        (304, "", "dead"),
    ),
    "POST restart?t=0": row(
        (204, "", "running"),
        (204, "", "running"),
        (204, "", "running"),
        # Its process ends at once, and there is a policy.
        (204, "", "restarting"),
        (204, "", "running"),
        (500, f"Cannot restart container {{id}}: {MARKED}", "dead"),
    ),
    "POST kill": row(
        (409, f"cannot kill container: {{id}}: {NOT_RUNNING}", "created"),
        (204, "", "exited"),
        (204, "", "exited"),
        (204, "", "exited"),
        (409, f"cannot kill container: {{id}}: {NOT_RUNNING}", "exited"),
        (409, f"cannot kill container: {{id}}: {NOT_RUNNING}", "dead"),
    ),
    # A signal that the process does not handle, and that does not end it.
    "POST kill?signal=WINCH": row(
        (409, NOT_RUNNING, "created"),
        (204, "", "running"),
        # No stop signal is configured, so any is taken for a wish to end.
        (204, "", "running"),
        (204, "", "exited"),
        (409, NOT_RUNNING, "exited"),
        (409, NOT_RUNNING, "dead"),
    ),
    "POST pause": row(
        (409, NOT_RUNNING, "created"),
        (204, "", "paused"),
        (409, "container {id} is already paused", "paused"),
        (409, RESTARTING, "restarting"),
        (409, NOT_RUNNING, "exited"),
        (409, NOT_RUNNING, "dead"),
    ),
    "POST unpause": row(
        (500, NOT_PAUSED, "created"),
        (500, NOT_PAUSED, "running"),
        (204, "", "running"),
        (500, NOT_PAUSED, "restarting"),
        (500, NOT_PAUSED, "exited"),
        (500, NOT_PAUSED, "dead"),
    ),
    "POST rename?name=n{id}": row(
        (204, "", "created"),
        (204, "", "running"),
        (204, "", "paused"),
        (204, "", "restarting"),
        (204, "", "exited"),
        (204, "", "dead"),
    ),
    "POST resize?h=10&w=20": row(
        (409, NOT_RUNNING, "created"),
        (200, "", "running"),
        (200, "", "paused"),
        (409, NOT_RUNNING, "restarting"),
        (409, NOT_RUNNING, "exited"),
        (409, NOT_RUNNING, "dead"),
    ),
    "POST update": row(
        (200, "", "created"),
        (200, "", "running"),
        (200, "", "paused"),
        (200, "", "restarting"),
        (200, "", "exited"),
        (409, "Cannot update container {id}: container is marked for removal", "dead"),
    ),
    "POST exec": row(
        (409, NOT_RUNNING, "created"),
        (201, "", "running"),
        (409, "Container {id} is paused, unpause the container before exec", "paused"),
        (409, RESTARTING, "restarting"),
        (409, NOT_RUNNING, "exited"),
        (409, NOT_RUNNING, "dead"),
    ),
    # Neither what was nor what comes: the answer alone.
    "POST attach": row(
        (200, "", "created"),
        (200, "", "running"),
        (409, "container {id} is paused, unpause the container before attach", "paused"),
        (
            409,
            "container {id} is restarting, wait until the container is running",
            "restarting",
        ),
        (200, "", "exited"),
        (200, "", "dead"),
    ),
    "GET top": row(
        (409, NOT_RUNNING, "created"),
        (200, "", "running"),
        (200, "", "paused"),
        (409, RESTARTING, "restarting"),
        (409, NOT_RUNNING, "exited"),
        (409, NOT_RUNNING, "dead"),
    ),
    "GET logs?stdout=1": row(
        (200, "", "created"),
        (200, "", "running"),
        (200, "", "paused"),
        (200, "", "restarting"),
        (200, "", "exited"),
        (409, "can not get logs from container which is dead or marked for removal", "dead"),
    ),
    "GET export": row(
        (200, "", "created"),
        (200, "", "running"),
        (200, "", "paused"),
        (200, "", "restarting"),
        (200, "", "exited"),
        (409, "You cannot export container {id} which is Dead", "dead"),
    ),
    "DELETE": row(
        (204, "", GONE),
        (409, f"{IS}running{STOP_FIRST}", "running"),
        (409, f"{IS}paused and must be unpaused first", "paused"),
        (409, f"{IS}restarting{STOP_FIRST}", "restarting"),
        (204, "", GONE),
        (204, "", GONE),
    ),
    "DELETE ?force=1": row(*[(204, "", GONE)] * 6),
    "POST wait": row(
        (200, "", "created"),
        # A client that waits for what goes on is told of nothing: see test_wait.py.
        *[(0, "", "")] * 3,
        (200, "", "exited"),
        (200, "", "dead"),
    ),
}
BODIES = {"update": {"CpuShares": 512}, "exec": {"Cmd": ["true"]}}
CELLS = [
    (verb, state, cell) for verb, cells in TABLE.items() for state, cell in cells.items() if cell[0]
]


@pytest.fixture(scope="module")
def backed_off(engine_server: EngineServer) -> Iterator[list[str]]:
    """A container in its back-off for each verb, made side by side: each takes seconds."""
    count = sum(state == "restarting" for _, state, _ in CELLS)
    with ThreadPoolExecutor(4) as pool:
        yield list(pool.map(lambda _: container_in(engine_server, "restarting"), range(count)))


@pytest.mark.parametrize(
    ("verb", "state", "cell"), CELLS, ids=[f"{verb}-{state}" for verb, state, _ in CELLS]
)
def test_each_verb_in_each_state(
    engine_server: EngineServer, backed_off: list[str], verb: str, state: str, cell: Cell
) -> None:
    if state == "restarting":
        container = backed_off.pop()
        wait_for_back_off(engine_server, container)
    else:
        container = container_in(engine_server, state)
    assert state_of(engine_server, container) == state

    status, answer = ask(engine_server, verb, container)
    assert status == cell.status, answer
    if cell.status >= 400:
        text = answer["message"] if isinstance(answer, dict) else answer
        assert cell.text.format(id=container) in text
    until(
        lambda: state_of(engine_server, container) == cell.after,
        lambda: f"{state_of(engine_server, container)}, not {cell.after}",
    )
    if cell.after != GONE:
        assert engine_server.api("DELETE", f"/containers/{container}?force=1")[0] == 204


def ask(engine: EngineServer, verb: str, container: str) -> tuple[int, object]:
    """Ask it; the status and what was answered."""
    method, _, rest = verb.partition(" ")
    name = rest.partition("?")[0]
    path = f"/containers/{container}"
    if rest:
        path += ("" if rest.startswith("?") else "/") + rest.format(id=container[:8])
    return engine.api(method, path, BODIES.get(name))


def state_of(engine: EngineServer, container: str) -> str:
    status, answer = engine.api("GET", f"/containers/{container}/json")
    return str(answer["State"]["Status"]) if status == 200 else GONE


def test_a_dead_container_is_removed_by_the_next_engine(engine_server: EngineServer) -> None:
    container = container_in(engine_server, "dead")
    assert "Dead" in engine_server.docker("ps", "-a", "--format", "{{.Status}}").stdout.decode()
    engine_server.crash()
    until(lambda: state_of(engine_server, container) == GONE)


@contextlib.contextmanager
def removing(engine: EngineServer, container: str) -> Iterator[None]:
    """Its removal has begun, and does not get on."""
    database = sqlite3.connect(engine.root / "drayman.db", isolation_level=None)
    with ThreadPoolExecutor(1) as pool:
        database.execute("BEGIN IMMEDIATE")
        try:
            removal = pool.submit(engine.api, "DELETE", f"/containers/{container}")
            until(lambda: state_of(engine, container) == "removing")
            yield
        finally:
            database.execute("ROLLBACK")
            database.close()
        assert removal.result()[0] == 204
    assert state_of(engine, container) == GONE


@pytest.mark.parametrize(
    ("verb", "status", "text"),
    [
        ("DELETE", 409, "removal of container {id} is already in progress"),
        ("GET logs?stdout=1", 409, "can not get logs from container which is dead"),
        ("GET export", 409, "You cannot export container {id} which is being removed"),
        ("GET top", 409, NOT_RUNNING),
        ("POST resize?h=1&w=1", 409, NOT_RUNNING),
        ("POST exec", 409, NOT_RUNNING),
        ("POST stop", 304, ""),
    ],
)
def test_while_a_removal_takes_long(
    engine_server: EngineServer, verb: str, status: int, text: str
) -> None:
    container = container_in(engine_server, "created")
    with removing(engine_server, container):
        answered, answer = ask(engine_server, verb, container)
        assert answered == status, answer
        if isinstance(answer, dict):
            assert text.format(id=container) in answer["message"]


@pytest.mark.parametrize("verb", ["POST start", "POST kill", "POST pause", "POST rename?name=x"])
def test_what_has_to_wait_for_a_removal_finds_nothing(
    engine_server: EngineServer, verb: str
) -> None:
    container = container_in(engine_server, "created")
    with ThreadPoolExecutor(1) as pool:
        with removing(engine_server, container):
            waiting = pool.submit(ask, engine_server, verb, container)
        status, answer = waiting.result()
    assert status == 404
    assert f"No such container: {container}" in str(answer)
