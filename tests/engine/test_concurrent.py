"""Many clients and one container, clients that hang up, and containers that do not wait for
each other."""

from __future__ import annotations

import json
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.api.client import Client
from tests.engine.engines import EngineServer, until
from tests.engine.states import TRAP, container_in, ready

from drayman.runtime import cgroups
from drayman.runtime.host import Host

SEED = int(os.environ.get("DRAYMAN_STORM_SEED", "1"))
CLIENTS, REQUESTS, BOXES = 6, 40, 2
VERBS = (
    *("start", "stop?t=1", "restart?t=1", "kill", "kill?signal=HUP", "pause", "unpause"),
    *("update", "exec", "rename?name=n{}", "wait?condition=not-running"),
)
BODIES = {"update": {"CpuShares": 256}, "exec": {"Cmd": ["true"]}}
# What may be answered, and 500 where Docker says so.
EXPECTED = (200, 201, 204, 304, 404, 409)
FAULTS = ("is not paused", "Cannot restart container")


def hang_up(engine: EngineServer, method: str, path: str, after_s: float, body: Any = None) -> None:
    """Ask, and be gone before there is an answer."""
    document = b"" if body is None else json.dumps(body).encode()
    with Client(str(engine.socket_path)) as client:
        client.request(method, path, body=document, headers={"Content-Type": "application/json"})
        threading.Event().wait(after_s)


def ask(engine: EngineServer, chosen: random.Random, container: str) -> None:
    """One request of any kind, by a client that may not wait for the answer."""
    verb = chosen.choice(VERBS).format(chosen.randrange(1 << 30))
    path = f"/containers/{container}/{verb}"
    body = BODIES.get(verb.partition("?")[0])
    if "wait" in verb or chosen.random() < 0.2:
        hang_up(engine, "POST", path, chosen.random() * 0.02, body)
        return
    status, answer = engine.api("POST", path, body)
    if status == 404:
        assert "No such container: " in answer["message"], verb
    fault = status == 500 and any(text in answer["message"] for text in FAULTS)
    assert status in EXPECTED or fault, (verb, status, answer)


def is_coherent(engine: EngineServer, container: str) -> bool:
    """Whether what is said of it and what there is agree."""
    state = engine.state(container)
    group = f"{engine.cgroup}/{container}"
    layout = Host.detect().cgroup
    if not state["Running"]:
        return state["Pid"] == 0 and not any(one.exists() for one in layout.directories(group))
    if not Path(f"/proc/{state['Pid']}").exists():
        return False
    return cgroups.frozen(layout, group) is bool(state["Paused"])


def test_many_clients_of_one_container(engine_server: EngineServer) -> None:
    boxes = [engine_server.create("sh", "-c", TRAP) for _ in range(BOXES)]

    def work(number: int) -> None:
        chosen = random.Random(f"{SEED} {number}")
        for _ in range(REQUESTS):
            ask(engine_server, chosen, chosen.choice(boxes))

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    for box in boxes:
        until(
            lambda box=box: is_coherent(engine_server, box),
            lambda box=box: f"{engine_server.state(box)}",
        )
        was_running = engine_server.state(box)["Running"]
        check_order(engine_server.actions(box), was_running=was_running)
        # It can be used as if nothing had happened.
        engine_server.docker("rm", "-f", box)


def test_many_clients_of_one_name(engine_server: EngineServer) -> None:
    """It is made and removed all the time, by whom does not matter."""

    def work(number: int) -> None:
        chosen = random.Random(f"{SEED} {number}")
        body = {"Image": "busybox", "Cmd": ["sleep", "1000"]}
        for _ in range(REQUESTS // 2):
            status, answer = engine_server.api("POST", "/containers/create?name=contended", body)
            assert status in (201, 409), answer
            engine_server.api("POST", "/containers/contended/start")
            ask(engine_server, chosen, "contended")
            status, answer = engine_server.api("DELETE", "/containers/contended?force=1")
            assert status in (204, 404, 409), answer

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(work, range(CLIENTS)))
    for one in engine_server.api("GET", "/containers/json?all=1")[1]:
        if not any(name == "/contended" or name.startswith("/n") for name in one["Names"]):
            continue
        engine_server.docker("rm", "-f", one["Id"])
    engine_server.docker("run", "--rm", "--name", "contended", "busybox", "true")


def check_order(actions: list[str], *, was_running: bool) -> None:
    """Runs begin and end by turns, and so do pauses within one."""
    assert actions[0] == "create"
    runs = [one for one in actions if one in ("start", "die")]
    expected = ["start", "die"] * (len(runs) // 2) + ["start"] * was_running
    assert runs == expected, actions
    paused = False
    for action in actions:
        if action in ("pause", "unpause"):
            assert paused is (action == "unpause"), actions
        paused = action == "pause" or (paused and action not in ("unpause", "die"))


def test_nobody_waits_for_another_container(engine_server: EngineServer) -> None:
    deaf = ready(engine_server, "trap '' TERM; echo ready; while :; do sleep 0.01; done")
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(engine_server.api, "POST", f"/containers/{deaf}/stop?t=-1")
        until(lambda: "kill" in engine_server.actions(deaf))
        for verb in ("run", "create"):
            engine_server.docker(verb, "--name", f"other-{verb}", "busybox", "true")
        engine_server.docker("rm", "other-run", "other-create")
        # Nor does who ends it by force wait for who asks it to end.
        assert not stopping.done()
        assert engine_server.api("POST", f"/containers/{deaf}/kill")[0] == 204
        assert stopping.result()[0] == 204


BEGUN_IN = {
    "start": ("created", "running"),
    "stop?t=0": ("running", "exited"),
    "restart?t=0": ("running", "running"),
    "kill": ("running", "exited"),
    "pause": ("running", "paused"),
    "unpause": ("paused", "running"),
}


@pytest.mark.parametrize("after_s", [0, 0.001, 0.003, 0.01, 0.03])
@pytest.mark.parametrize("verb", BEGUN_IN)
def test_a_client_that_hangs_up(engine_server: EngineServer, verb: str, after_s: float) -> None:
    before, after = BEGUN_IN[verb]
    container = container_in(engine_server, before)
    hang_up(engine_server, "POST", f"/containers/{container}/{verb}", after_s)
    # What was asked for happens, as it does in Docker.
    last = verb.partition("?")[0]
    until(lambda: last in engine_server.actions(container), "never done")
    # A kill is told of before its effect is there.
    until(lambda: engine_server.state(container)["Status"] == after)
    assert is_coherent(engine_server, container)
    engine_server.docker("rm", "-f", container)


@pytest.mark.parametrize("after_s", [0, 0.001, 0.003, 0.01])
def test_a_client_that_hangs_up_over_a_creation(
    engine_server: EngineServer, after_s: float
) -> None:
    name = f"left-{int(after_s * 1000)}"
    body = {"Image": "busybox", "Cmd": ["true"], "Volumes": {"/v": {}}}
    hang_up(engine_server, "POST", f"/containers/create?name={name}", after_s, body)
    until(lambda: engine_server.api("GET", f"/containers/{name}/json")[0] == 200)
    assert engine_server.docker("start", "-a", name).returncode == 0
    engine_server.docker("rm", "-v", name)


@pytest.mark.parametrize("after_s", [0, 0.001, 0.003, 0.01])
def test_a_client_that_hangs_up_over_a_removal(engine_server: EngineServer, after_s: float) -> None:
    container = engine_server.running()
    hang_up(engine_server, "DELETE", f"/containers/{container}?force=1", after_s)
    until(lambda: "destroy" in engine_server.actions(container))
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == 404
    until(lambda: not [one for one in engine_server.leaks() if container in one])
