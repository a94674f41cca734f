"""Health checks: every kind of probe, and what becomes of the container's state."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import images
from tests.engine.engines import EngineServer, until

MS = 1_000_000
S = 1000 * MS
# No second probe comes in a test's time.
SELDOM = 600 * S
HTTPD = "mkdir /w; echo fine > /w/index.html; httpd -p 127.0.0.1:8080 -h /w; exec sleep 1000"


def check(*words: str, interval: int = 20 * MS, **more: int) -> dict[str, Any]:
    """A health check that need not be waited for."""
    return {"Test": list(words), "Interval": interval, **more}


def health(server: EngineServer, container: str) -> dict[str, Any]:
    """``State.Health``."""
    found: dict[str, Any] = server.state(container)["Health"]
    return found


def becomes(server: EngineServer, container: str, status: str) -> dict[str, Any]:
    """Wait for a status; the document that has it."""
    until(
        lambda: health(server, container)["Status"] == status,
        lambda: f"not {status}: {health(server, container)}",
    )
    return health(server, container)


def last(server: EngineServer, container: str) -> dict[str, Any]:
    """Wait for a result; the latest."""
    until(lambda: bool(health(server, container)["Log"]))
    found: dict[str, Any] = health(server, container)["Log"][-1]
    return found


def statuses(server: EngineServer, container: str) -> list[str]:
    """Events of health."""
    return [one for one in server.actions(container) if one.startswith("health_status")]


@pytest.fixture(autouse=True)
def alone(engine_server: EngineServer) -> Iterator[None]:
    """Containers that are checked all the time crowd out the events of others."""
    yield
    for one in engine_server.api("GET", "/containers/json?all=1")[1]:
        assert engine_server.api("DELETE", f"/containers/{one['Id']}?force=1")[0] == 204


@pytest.mark.parametrize(
    ("command", "words", "code", "output"),
    [
        ("exec sleep 1000", ("CMD", "echo", "a", "b"), 0, "a b\n"),
        ("exec sleep 1000", ("CMD-SHELL", "echo a; echo b >&2"), 0, "a\nb\n"),
        ("exec sleep 1000", ("CMD-SHELL", "echo no; exit 2"), 2, "no\n"),
        ("exec sleep 1000", ("CMD-SHELL", "id -u; pwd; echo $X"), 0, "7\n/tmp\ny\n"),
        (HTTPD, ("HTTP", "http://localhost:8080/"), 0, "HTTP 200\nfine\n"),
        (HTTPD, ("HTTP", "http://127.0.0.1:8080/", "204"), 1, "HTTP 200\nfine\n"),
        (HTTPD, ("TCP", "8080"), 0, ""),
        ("touch /tmp/r; exec sleep 1000", ("FILE", "/tmp/r"), 0, ""),
        ("ln -s /../../tmp/r /tmp/l; touch /tmp/r; exec sleep 1000", ("FILE", "/tmp/l"), 0, ""),
        (
            "exec sleep 1000",
            ("FILE", "/run/ready"),
            1,
            "/run/ready: no such file or directory",
        ),
        # Of the host there is nothing to see: a link leads nowhere out of the container.
        (
            "ln -s /proc/1/root/proc/self /tmp/l; exec sleep 1000",
            ("FILE", "/tmp/l/exe"),
            1,
            "/tmp/l/exe: too many levels of symbolic links",
        ),
    ],
)
def test_every_kind(
    engine_server: EngineServer, command: str, words: tuple[str, ...], code: int, output: str
) -> None:
    user = "7" if words[-1].startswith("id") else ""
    container = engine_server.running(
        *("sh", "-c", command),
        User=user,
        Env=["X=y"],
        WorkingDir="/tmp",
        Healthcheck=check(*words, Retries=1),
    )
    # What it waits for may not be there at once.
    until(
        lambda: last(engine_server, container)["Output"] == output,
        lambda: str(health(engine_server, container)),
    )
    result = last(engine_server, container)
    assert result["ExitCode"] == code
    assert result["Start"] < result["End"]
    becomes(engine_server, container, "unhealthy" if code else "healthy")


def test_nobody_answers(engine_server: EngineServer) -> None:
    for words in [("TCP", "9"), ("HTTP", "http://127.0.0.1:9/")]:
        container = engine_server.running(Healthcheck=check(*words, Retries=1))
        becomes(engine_server, container, "unhealthy")
        result = last(engine_server, container)
        assert (result["ExitCode"], result["Output"]) == (
            1,
            "connect to 127.0.0.1:9: Connection refused (os error 111)",
        )


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ("SSH-2.0-x\\r\\n", "malformed HTTP answer: invalid HTTP version"),
        ("HTTP/1.1 200 OK\\r\\n", "the answer was cut short"),
        ("HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nx", "the answer was cut short"),
        ("HTTP/1.1 500 No\\r\\nContent-Length: 2\\r\\n\\r\\nno", "HTTP 500\nno"),
    ],
)
def test_hostile_answers(engine_server: EngineServer, answer: str, output: str) -> None:
    container = engine_server.running(
        *("sh", "-c", f"while :; do printf '{answer}' | nc -l -p 80; done"),
        Healthcheck=check("HTTP", "http://127.0.0.1/"),
    )
    until(
        lambda: last(engine_server, container)["Output"] == output,
        lambda: str(health(engine_server, container)),
    )
    assert last(engine_server, container)["ExitCode"] == 1


def test_a_server_that_never_answers(engine_server: EngineServer) -> None:
    container = engine_server.running(
        *("nc", "-ll", "-p", "80", "-e", "sleep", "100"),
        Healthcheck=check("HTTP", "http://127.0.0.1/", Timeout=50 * MS),
    )
    until(
        lambda: last(engine_server, container)["Output"] == "Health check exceeded timeout (50ms)",
        lambda: str(health(engine_server, container)),
    )
    assert last(engine_server, container)["ExitCode"] == -1


def test_from_starting_over_healthy_to_unhealthy(engine_server: EngineServer) -> None:
    container = engine_server.running(
        name="states",
        Healthcheck=check(
            "FILE", "/tmp/ready", Retries=2, StartPeriod=SELDOM, StartInterval=20 * MS
        ),
    )
    assert health(engine_server, container)["Status"] == "starting"
    # What fails in the start period does not count.
    until(lambda: len(health(engine_server, container)["Log"]) == 5)
    assert health(engine_server, container)["FailingStreak"] == 0
    listed = engine_server.docker("ps", "--filter", "health=starting", "--format", "{{.Status}}")
    assert listed.stdout.strip().endswith(b"(health: starting)")
    engine_server.docker("exec", container, "touch", "/tmp/ready")
    assert becomes(engine_server, container, "healthy")["FailingStreak"] == 0
    listed = engine_server.docker("ps", "--filter", "health=healthy", "--format", "{{.Status}}")
    assert listed.stdout.strip().endswith(b"(healthy)")
    engine_server.docker("exec", container, "rm", "/tmp/ready")
    assert becomes(engine_server, container, "unhealthy")["FailingStreak"] >= 2
    assert statuses(engine_server, container) == [
        "health_status: healthy",
        "health_status: unhealthy",
    ]
    found = engine_server.client().containers.list(filters={"health": "unhealthy"})
    assert container in [one.id for one in found]
    listing = engine_server.api("GET", '/containers/json?filters={"name":["^states$"]}')[1]
    assert listing[0]["Health"]["Status"] == "unhealthy"
    assert engine_server.client().containers.get(container).health == "unhealthy"


def test_events_of_a_command(engine_server: EngineServer) -> None:
    container = engine_server.running(
        Healthcheck=check(
            "CMD-SHELL",
            "exit 3",
            interval=SELDOM,
            StartPeriod=SELDOM,
            StartInterval=1 * MS,
            Timeout=5 * S,
        )
    )
    until(lambda: "exec_die" in engine_server.actions(container))
    events = [
        one
        for one in engine_server.events(container=[container])
        if one["Action"].startswith("exec")
    ][:3]
    assert [one["Action"] for one in events] == [
        "exec_create: /bin/sh -c exit 3",
        "exec_start: /bin/sh -c exit 3",
        "exec_die",
    ]
    attributes = [one["Actor"]["Attributes"] for one in events]
    assert len({one["execID"] for one in attributes}) == 1
    assert attributes[2]["exitCode"] == "3"


def test_a_probe_that_takes_too_long_is_killed_whole(engine_server: EngineServer) -> None:
    container = engine_server.running(
        Healthcheck=check("CMD-SHELL", "echo begun; sleep 4321; true", Timeout=300 * MS)
    )
    result = last(engine_server, container)
    assert result["ExitCode"] == -1
    assert result["Output"] == "Health check exceeded timeout (300ms): begun\n"
    engine_server.api("POST", f"/containers/{container}/pause")
    rows = engine_server.docker("top", container).stdout
    engine_server.api("POST", f"/containers/{container}/unpause")
    # One may run now, those before it do not.
    assert rows.count(b"sleep 4321") <= 2, rows


@pytest.mark.parametrize("command", ["yes", "printf 'a\\377\\n'; head -c 100000 /dev/zero"])
def test_hostile_output_is_cut(engine_server: EngineServer, command: str) -> None:
    container = engine_server.running(Healthcheck=check("CMD-SHELL", command, Timeout=200 * MS))
    output = last(engine_server, container)["Output"]
    assert output.endswith("...")
    text = output.removeprefix("Health check exceeded timeout (200ms): ")
    assert len(text) == 4096 + 3
    assert text.startswith("y\ny\n" if command == "yes" else "a\ufffd\n\0\0")


def test_a_command_that_is_not_there(engine_server: EngineServer) -> None:
    container = engine_server.running(Healthcheck=check("CMD", "/nonesuch", Retries=1))
    becomes(engine_server, container, "unhealthy")
    result = last(engine_server, container)
    assert result["ExitCode"] == -1
    assert "stat /nonesuch: no such file or directory" in result["Output"]


def test_checks_go_on_while_the_engine_is_down(engine_server: EngineServer) -> None:
    container = engine_server.running(Healthcheck=check("FILE", "/tmp/ready", Retries=1))
    becomes(engine_server, container, "unhealthy")
    kept = engine_server.run / "c" / container / "health.json"
    pid = engine_server.state(container)["Pid"]
    root = Path(f"/proc/{pid}/root")
    engine_server.kill()
    (root / "tmp" / "ready").touch()
    until(lambda: json.loads(kept.read_text())["status"] == "healthy")
    engine_server.start()
    found = health(engine_server, container)
    assert (found["Status"], found["Log"][-1]["ExitCode"]) == ("healthy", 0)
    assert len({one["Start"] for one in found["Log"]}) == len(found["Log"])
    # It is heard from again.
    before = statuses(engine_server, container)
    (root / "tmp" / "ready").unlink()
    becomes(engine_server, container, "unhealthy")
    assert statuses(engine_server, container) == [*before, "health_status: unhealthy"]
    # The log of one that has ended is kept, whether an engine saw it end or not.
    engine_server.kill()
    (root / "tmp" / "ready").touch()
    until(lambda: json.loads(kept.read_text())["status"] == "healthy")
    os.kill(pid, signal.SIGKILL)
    until(lambda: (engine_server.root / "containers" / container / "exit.json").exists())
    engine_server.start()
    found = health(engine_server, container)
    assert (found["Status"], found["Log"][-1]["ExitCode"]) == ("unhealthy", 0)


def test_pausing_suspends_checks(engine_server: EngineServer) -> None:
    # A probe is in flight whenever it is paused; frozen, it would be one that timed out.
    container = engine_server.running(
        Healthcheck=check("CMD", "sleep", "0.2", interval=1 * MS, Timeout=2 * S)
    )
    becomes(engine_server, container, "healthy")
    assert engine_server.api("POST", f"/containers/{container}/pause")[0] == 204
    paused = health(engine_server, container)
    # Docker's way: what is not checked is not healthy, and no event tells it.
    assert paused["Status"] == "unhealthy"
    listed = engine_server.docker("ps", "--filter", f"id={container}", "--format", "{{.Status}}")
    assert listed.stdout.strip().endswith(b"(Paused)")
    engine_server.crash()
    assert engine_server.state(container)["Status"] == "paused"
    assert health(engine_server, container) == paused
    assert engine_server.api("POST", f"/containers/{container}/unpause")[0] == 204
    log = becomes(engine_server, container, "healthy")["Log"]
    assert [one["ExitCode"] for one in log] == [0] * len(log)


def test_a_restart_begins_anew_and_a_stop_ends_it(engine_server: EngineServer) -> None:
    container = engine_server.running(
        *("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.01; done"),
        Healthcheck=check("FILE", "/bin/sh"),
    )
    assert "Health" in engine_server.state(container)
    becomes(engine_server, container, "healthy")
    engine_server.docker("stop", container)
    assert health(engine_server, container)["Status"] == "unhealthy"
    assert statuses(engine_server, container) == ["health_status: healthy"]
    engine_server.docker("start", container)
    becomes(engine_server, container, "healthy")
    engine_server.docker("restart", container)
    becomes(engine_server, container, "healthy")
    assert statuses(engine_server, container) == ["health_status: healthy"] * 3


def test_the_image_has_a_check(engine_server: EngineServer) -> None:
    layers = images.busybox_layers(1)
    config = {"Healthcheck": check("CMD", "echo", "image")}
    configuration = images.configuration(layers, config)
    files = images.docker_archive_files(layers, ["checked:latest"], configuration)
    engine_server.docker("load", stdin=images.docker_archive(files))
    inherited = engine_server.running(Image="checked")
    assert last(engine_server, inherited)["Output"] == "image\n"
    slower = engine_server.running(Image="checked", Healthcheck={"Test": [], "Interval": SELDOM})
    found = engine_server.api("GET", f"/containers/{slower}/json")[1]["Config"]["Healthcheck"]
    assert found == {"Test": ["CMD", "echo", "image"], "Interval": SELDOM}
    other = engine_server.running(Image="checked", Healthcheck={"Test": ["CMD", "echo", "mine"]})
    assert last(engine_server, other)["Output"] == "mine\n"
    done = engine_server.docker("run", "-d", "--no-healthcheck", "checked", "sleep", "1000")
    off = done.stdout.decode().strip()
    assert "Health" not in engine_server.state(off)
    listed = engine_server.docker("ps", "-q", "--no-trunc", "--filter", "health=none")
    assert off in listed.stdout.decode()


def test_an_unknown_kind_is_warned_of(engine_server: EngineServer) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Healthcheck": {"Test": ["EXTERNAL", "x"]}}
    status, answer = engine_server.api("POST", "/containers/create", body)
    assert status == 201
    assert answer["Warnings"] == [
        "Unknown health check type 'EXTERNAL': the container's health is not checked"
    ]
    assert engine_server.api("POST", f"/containers/{answer['Id']}/start")[0] == 204
    assert "Health" not in engine_server.state(answer["Id"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["HTTP", "https://127.0.0.1/"], "the URL must begin with http:// and hold no blanks"),
        (["TCP", "70000"], "'70000' is no port"),
        (["FILE", "ready"], "it takes an absolute path"),
    ],
)
def test_what_cannot_be_meant(engine_server: EngineServer, words: list[str], why: str) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "Healthcheck": {"Test": words}}
    assert engine_server.api("POST", "/containers/create", body) == (
        400,
        {"message": f"invalid health check {words!r}: {why}"},
    )
