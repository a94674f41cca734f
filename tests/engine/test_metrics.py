"""Metrics: read by Prometheus' own parser while an engine works."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse
from tests.engine.engines import EngineServer, until

FILE_BYTES = 100 << 10

Labels = frozenset[tuple[str, str]]


def free_address() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


@pytest.fixture(scope="module")
def address() -> str:
    return free_address()


@pytest.fixture(scope="module")
def measured(address: str) -> Iterator[EngineServer]:
    if os.geteuid() != 0:
        pytest.skip("an engine takes root")
    server = EngineServer(metrics_addr=address)
    try:
        server.load_busybox()
        yield server
    finally:
        server.close()


def scrape(address: str) -> dict[tuple[str, Labels], float]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/plain")
        text = answer.read().decode()
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in parse(text)
        for one in family.samples
    }


def value(address: str, name: str, **labels: str) -> float:
    return scrape(address).get((name, frozenset(labels.items())), 0)


def actions(address: str, action: str, result: str = "done") -> float:
    return value(address, "drayman_action_seconds_count", action=action, result=result)


def test_states_are_counted(measured: EngineServer, address: str) -> None:
    def states() -> dict[str, float]:
        return {
            dict(labels)["state"]: count
            for (name, labels), count in scrape(address).items()
            if name == "drayman_containers"
        }

    assert set(states()) == {
        *("created", "running", "paused", "restarting", "exited", "removing", "dead")
    }
    before = states()
    measured.create("true")
    box = measured.running()
    measured.api("POST", f"/containers/{measured.running()}/pause")
    measured.api("POST", f"/containers/{measured.running()}/kill")
    after = states()
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"created": 1, "running": 1, "paused": 1, "exited": 1}
    measured.api("DELETE", f"/containers/{box}?force=1")
    assert states()["running"] == before["running"]


def test_actions_are_timed(measured: EngineServer, address: str) -> None:
    verbs = ("create", "start", "stop", "remove", "exec")
    before = {verb: actions(address, verb) for verb in verbs}
    unchanged = actions(address, "start", "NotModified")
    box = measured.running()
    measured.docker("exec", box, "true")
    assert measured.api("POST", f"/containers/{box}/start")[0] == 304
    measured.api("POST", f"/containers/{box}/stop?t=0")
    measured.api("DELETE", f"/containers/{box}")
    assert {verb: actions(address, verb) - before[verb] for verb in verbs} == dict.fromkeys(
        verbs, 1
    )
    assert actions(address, "start", "NotModified") == unchanged + 1
    total = value(address, "drayman_action_seconds_sum", action="start", result="done")
    assert 0 < total < 60


def test_what_policies_do_counts_too(measured: EngineServer, address: str) -> None:
    starts, removals = actions(address, "start"), actions(address, "remove")
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}
    measured.running("false", HostConfig=policy)
    until(lambda: actions(address, "start") == starts + 3)
    measured.running("true", HostConfig={"AutoRemove": True})
    until(lambda: actions(address, "remove") == removals + 1)


def test_health_is_counted(measured: EngineServer, address: str) -> None:
    def checked(health: str) -> float:
        return value(address, "drayman_containers_checked", health=health)

    before = {health: checked(health) for health in ("starting", "healthy", "unhealthy")}
    check = {"Interval": 50_000_000, "Retries": 1}
    well = measured.running(Healthcheck={"Test": ["FILE", "/etc/hosts"], **check})
    ill = measured.running(Healthcheck={"Test": ["FILE", "/nosuch"], **check})
    until(lambda: checked("healthy") == before["healthy"] + 1)
    until(lambda: checked("unhealthy") == before["unhealthy"] + 1)
    assert checked("starting") == before["starting"]
    for container in (well, ill):
        measured.api("DELETE", f"/containers/{container}?force=1")
    assert checked("healthy") == before["healthy"]


def test_bytes_that_are_moved_count(measured: EngineServer, address: str) -> None:
    def moved(way: str) -> float:
        return value(address, "drayman_moved_bytes_total", way=way)

    ways = ("in", "out", "between")
    before = {way: moved(way) for way in ways}
    one, other = measured.create("true"), measured.create("true")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = FILE_BYTES
        tar.addfile(info, io.BytesIO(bytes(FILE_BYTES)))
    path = "archive?path=/file"
    root = f"/containers/{one}/archive?path=/"
    assert measured.api("PUT", root, content.getvalue())[0] == 200
    assert moved("in") == before["in"] + FILE_BYTES
    assert measured.api("GET", f"/containers/{one}/{path}")[0] == 200
    # With its header, and two blocks that end the tar.
    assert moved("out") == before["out"] + FILE_BYTES + 512 + 1024
    query = urlencode({"path": "/", "container": one, "src": "/file"})
    assert measured.api("POST", f"/containers/{other}/archive/from?{query}")[0] == 200
    assert moved("between") == before["between"] + FILE_BYTES + 512 + 1024
    for container in (one, other):
        measured.api("DELETE", f"/containers/{container}")


def test_requests_by_template_alone(measured: EngineServer, address: str) -> None:
    def count(method: str, route: str, status: str) -> float:
        labels = {"method": method, "route": route, "status": status}
        return value(address, "drayman_request_seconds_count", **labels)

    inspect = ("GET", "/containers/{name}/json", "404")
    before, unknown = count(*inspect), count("", "", "404")
    for number in range(3):
        measured.api("GET", f"/containers/nosuch{number}/json")
        measured.api("GET", f"/v1.44/containers/nosuch{number}/json")
        measured.api("GET", f"/nosuch/{number}")
    assert count(*inspect) == before + 6
    assert count("", "", "404") == unknown + 3
    assert "nosuch" not in str(scrape(address))


def test_the_process_is_told_of(measured: EngineServer, address: str) -> None:
    found = scrape(address)
    assert found["process_resident_memory_bytes", frozenset()] > 1 << 20
    assert any(name == "drayman_engine_info" for name, _ in found)


def test_an_engine_without_metrics_does_not_load_them() -> None:
    program = "import drayman.commands.serve, sys; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"


def test_an_address_that_is_taken_is_named(measured: EngineServer, address: str) -> None:
    environment = {**measured.settings, "DRAYMAN_ROOT": f"{measured.place}/other"}
    environment["DRAYMAN_RUN"] = f"{measured.place}/other-run"
    command = [sys.executable, "-m", "drayman", "serve", "-H", f"unix://{measured.place}/o.sock"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    assert f"cannot listen on tcp://{address}: Address already in use" in done.stderr
