"""What has happened: Docker's events in Docker's order, and those of before a restart."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.engine.engines import EngineServer


def told(engine: EngineServer, since_s: float) -> list[str]:
    """Type and action of each event since then."""
    _, text = engine.api("GET", f"/events?since={since_s:.9f}&until={time.time():.9f}")
    lines = [json.dumps(text)] if isinstance(text, dict) else text.splitlines()
    return [f"{one['Type']} {one['Action']}" for one in map(json.loads, lines)]


@pytest.fixture
def box(engine_server: EngineServer) -> Iterator[str]:
    name = engine_server.running(
        Labels={"k": "v"}, HostConfig={"NetworkMode": "none", "Binds": ["eventful:/data"]}
    )
    yield name
    engine_server.api("DELETE", f"/containers/{name}?force=1")


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("pause", ["container pause"]),
        ("top", ["container top"]),
        ("rename?name=other-name", ["container rename"]),
        ("update", ["container update"]),
        ("kill?signal=HUP", ["container kill"]),
        ("kill", ["container kill", "DIED"]),
        ("stop?t=0", ["container kill", "container kill", "DIED", "container stop"]),
        (
            "restart?t=0",
            [
                *("container kill", "container kill", "DIED", "container stop"),
                *("volume mount", "network connect", "container start", "container restart"),
            ],
        ),
    ],
)
def test_what_a_verb_tells(
    engine_server: EngineServer, box: str, verb: str, wanted: list[str]
) -> None:
    since_s = time.time()
    method = "GET" if verb == "top" else "POST"
    body = {} if verb == "update" else None
    assert engine_server.api(method, f"/containers/{box}/{verb}", body)[0] < 300
    died = ["network disconnect", "volume unmount", "container die"]
    expected = [one for part in wanted for one in (died if part == "DIED" else [part])]
    found = told(engine_server, since_s)
    # What ends by itself after a second signal may do so before it is told of.
    assert sorted(found) == sorted(expected)
    assert [one for one in found if "kill" not in one] == [
        one for one in expected if "kill" not in one
    ]
    assert found[0] == expected[0]


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("kill", ["container kill"]),
        ("kill?signal=HUP", ["container kill", "container unpause"]),
        ("stop?t=0", ["container kill", "container unpause", "container kill"]),
    ],
)
def test_a_paused_container_is_thawed_behind_the_signal(
    engine_server: EngineServer, box: str, verb: str, wanted: list[str]
) -> None:
    engine_server.api("POST", f"/containers/{box}/pause")
    since_s = time.time()
    assert engine_server.api("POST", f"/containers/{box}/{verb}")[0] == 204
    found = [one for one in told(engine_server, since_s) if "kill" in one or "pause" in one]
    assert found == wanted


def test_a_run_from_its_creation_to_its_removal(engine_server: EngineServer) -> None:
    since_s = time.time()
    engine_server.docker("run", "--rm", "-v", "/data", "busybox", "true")
    assert told(engine_server, since_s) == [
        *("volume create", "container create", "container attach"),
        *("volume mount", "network connect", "container start"),
        *("network disconnect", "volume unmount", "container die"),
        *("volume destroy", "container destroy"),
    ]


def test_execs_bear_their_command(engine_server: EngineServer, box: str) -> None:
    engine_server.docker("exec", box, "true")
    actions = [one["Action"] for one in engine_server.events(container=[box])]
    # Docker's blank behind a program without arguments.
    assert actions[-3:] == ["exec_create: true ", "exec_start: true ", "exec_die"]
    for name, count in (("exec_create", 1), ("exec_die", 1), ("exec", 0)):
        assert len(engine_server.events(container=[box], event=[name])) == count


def test_filters_of_the_cli(engine_server: EngineServer, box: str) -> None:
    def shown(*filters: str) -> list[str]:
        given = [word for text in filters for word in ("--filter", text)]
        until = f"{time.time():.9f}"
        done = engine_server.docker(
            *("events", "--since", "0", "--until", until, *given),
            *("--format", "{{.Type}} {{.Action}}"),
        )
        return done.stdout.decode().splitlines()

    started = "container start"
    assert shown(f"container={box}", "event=start") == [started]
    assert shown(f"container={box[:8]}", "type=container", "event=start") == [started]
    assert shown(f"container={box}", "image=busybox", "event=start") == [started]
    assert shown(f"container={box}", "label=k=v", "event=start") == [started]
    assert shown(f"container={box}", "label=k=w") == []
    assert shown(f"container={box}", "scope=swarm") == []
    assert set(shown("volume=eventful", "type=volume")) >= {"volume create", "volume mount"}
    assert set(shown("network=none", "type=network")) >= {"network connect"}
    assert shown("daemon=nosuch") == []


def test_times_as_the_cli_takes_them(engine_server: EngineServer, box: str) -> None:
    def count(*given: str) -> int:
        done = engine_server.docker("events", "--filter", f"container={box}", *given)
        return len(done.stdout.splitlines())

    now = time.time()
    date = datetime.fromtimestamp(now, UTC).isoformat()
    all_of_them = count("--since", "0", "--until", f"{now:.9f}")
    assert all_of_them >= 2
    assert count("--since", "10m", "--until", f"{now:.9f}") == all_of_them
    assert count("--since", "10m", "--until", date) == all_of_them
    assert count("--since", date, "--until", f"{time.time():.9f}") == 0
    happened = engine_server.events(container=[box], event=["start"])[0]["timeNano"]
    moment = f"{happened // 10**9}.{happened % 10**9:09d}"
    # Both ends belong to it.
    assert count("--since", moment, "--until", moment) == 1


def test_who_listens_is_told_at_once(engine_server: EngineServer) -> None:
    events = engine_server.client().events(decode=True, filters={"event": "create"})
    created = engine_server.create("true")
    heard = next(events)
    events.close()
    assert (heard["Type"], heard["Action"]) == ("container", "create")
    assert heard["Actor"]["ID"] == created
    assert heard["scope"] == "local"
    assert heard["time"] == heard["timeNano"] // 10**9


def test_nothing_told_is_lost_by_a_kill(engine_server: EngineServer) -> None:
    since_s = time.time()
    command = ["docker", "-H", engine_server.url, "events", "--format", "{{json .}}"]
    listening = subprocess.Popen(
        [*command, "--since", f"{since_s:.9f}"], stdout=subprocess.PIPE, text=True
    )
    assert listening.stdout is not None
    for _ in range(3):
        engine_server.create("true")
    heard = [json.loads(listening.stdout.readline()) for _ in range(3)]
    engine_server.kill()
    listening.communicate()
    engine_server.start()
    engine_server.create("true")
    _, text = engine_server.api("GET", f"/events?since={since_s:.9f}&until={time.time():.9f}")
    again = [json.loads(line) for line in text.splitlines()]
    assert [one["timeNano"] for one in again[:3]] == [one["timeNano"] for one in heard]
    assert len(again) == 4


def test_since_reaches_behind_what_memory_holds(engine_server: EngineServer, box: str) -> None:
    since_s = time.time()
    for _ in range(300):
        assert engine_server.api("POST", f"/containers/{box}/update", {})[0] == 200
    # Who was told of an event finds it again.
    assert told(engine_server, since_s).count("container update") == 300
    engine_server.crash()
    assert told(engine_server, since_s).count("container update") == 300
    # Without a beginning it is Docker's number.
    _, text = engine_server.api("GET", f"/events?until={time.time():.9f}")
    assert len(text.splitlines()) == 256
