"""Engines that die, and what the next one makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.engine.engines import EngineServer, until


def lives(pid: int) -> bool:
    """Whether a process runs; one that waits for the host's init to collect it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_running_container_does_not_notice(engine_server: EngineServer) -> None:
    container = engine_server.running(
        "sh", "-c", "httpd -f -p 80 & read x; echo $x; exit 7", OpenStdin=True, StdinOnce=True
    )
    before = engine_server.state(container)
    engine_server.crash()
    assert engine_server.state(container) == before
    done = engine_server.docker("attach", container, stdin=b"after\n", code=7)
    assert done.stdout == b"after\n"
    assert engine_server.state(container)["ExitCode"] == 7


def test_what_died_meanwhile_keeps_its_code(engine_server: EngineServer) -> None:
    container = engine_server.running(
        "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.01; done"
    )
    pid = engine_server.state(container)["Pid"]
    engine_server.process.kill()
    engine_server.process.wait()
    os.kill(pid, signal.SIGTERM)
    until(lambda: (engine_server.root / "containers" / container / "exit.json").exists())
    engine_server.start()
    state = engine_server.state(container)
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 9, 0)


def test_rm_is_kept_by_the_next_engine(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig={"AutoRemove": True})
    pid = engine_server.state(container)["Pid"]
    engine_server.process.kill()
    engine_server.process.wait()
    os.kill(pid, signal.SIGKILL)
    engine_server.start()
    until(lambda: engine_server.api("GET", f"/containers/{container}/json")[0] == 404)


def test_a_killed_shim_takes_its_container_along(engine_server: EngineServer) -> None:
    container = engine_server.running()
    state = engine_server.state(container)
    shim = int(Path(f"/proc/{state['Pid']}/stat").read_text().split()[3])
    os.kill(shim, signal.SIGKILL)
    until(lambda: engine_server.state(container)["Status"] == "exited")
    assert engine_server.state(container)["ExitCode"] == 137
    assert not lives(state["Pid"])
    assert engine_server.api("POST", f"/containers/{container}/start")[0] == 204


def test_shim_and_engine_killed_together(engine_server: EngineServer) -> None:
    container = engine_server.running()
    pid = engine_server.state(container)["Pid"]
    shim = int(Path(f"/proc/{pid}/stat").read_text().split()[3])
    engine_server.process.kill()
    os.kill(shim, signal.SIGKILL)
    engine_server.process.wait()
    engine_server.start()
    state = engine_server.state(container)
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)
    assert not lives(pid)


def test_policies_are_honoured_at_start(engine_server: EngineServer) -> None:
    names = ("always", "unless-stopped", "no")
    policies = {name: {"HostConfig": {"RestartPolicy": {"Name": name}}} for name in names}
    stopped = {name: engine_server.running(**body) for name, body in policies.items()}
    for container in stopped.values():
        engine_server.api("POST", f"/containers/{container}/stop?t=0")
    engine_server.crash()
    until(lambda: engine_server.state(stopped["always"])["Running"])
    assert not engine_server.state(stopped["unless-stopped"])["Running"]
    assert not engine_server.state(stopped["no"])["Running"]


def test_paused_stays_paused(engine_server: EngineServer) -> None:
    container = engine_server.running()
    engine_server.api("POST", f"/containers/{container}/pause")
    engine_server.crash()
    assert engine_server.state(container)["Status"] == "paused"
    assert engine_server.api("POST", f"/containers/{container}/unpause")[0] == 204


def test_execs_are_adopted(engine_server: EngineServer) -> None:
    container = engine_server.running()
    _, made = engine_server.api("POST", f"/containers/{container}/exec", {"Cmd": ["sleep", "1000"]})
    engine_server.api("POST", f"/exec/{made['Id']}/start", {"Detach": True})
    before = engine_server.api("GET", f"/exec/{made['Id']}/json")
    engine_server.crash()
    assert engine_server.api("GET", f"/exec/{made['Id']}/json") == before
    os.kill(before[1]["Pid"], signal.SIGKILL)
    until(lambda: engine_server.api("GET", f"/exec/{made['Id']}/json")[1]["ExitCode"] == 137)


def test_half_made_containers_are_cleared(engine_server: EngineServer) -> None:
    half = engine_server.root / "containers" / ("ab" * 32)
    (half / "upper").mkdir(parents=True)
    (engine_server.run / "c" / ("ab" * 32)).mkdir()
    (engine_server.root / "tmp" / "rest").mkdir()
    engine_server.crash()
    assert not half.exists()
    assert not (engine_server.run / "c" / ("ab" * 32)).exists()
    assert not (engine_server.root / "tmp" / "rest").exists()


def test_a_second_engine_is_refused(engine_server: EngineServer) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "drayman", "serve", "-H", f"unix://{engine_server.place}/other",
         "--root", str(engine_server.root), "--run", str(engine_server.place / "run2")],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{engine_server.root} is in use by process {engine_server.process.pid}" in done.stderr
