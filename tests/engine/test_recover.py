"""Engines that die, and what the next one makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import images
from tests.engine.engines import EngineServer, until

# Takes long enough to unpack, compressed, to be interrupted.
SLOW_BYTES = 128 << 20


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
    engine_server.kill()
    os.kill(pid, signal.SIGTERM)
    until(lambda: (engine_server.root / "containers" / container / "exit.json").exists())
    engine_server.start()
    state = engine_server.state(container)
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 9, 0)


def test_rm_is_kept_by_the_next_engine(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig={"AutoRemove": True})
    pid = engine_server.state(container)["Pid"]
    engine_server.kill()
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


def test_a_kill_is_ended_that_was_cut_off_before_the_thaw(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert engine_server.api("POST", f"/containers/{container}/pause")[0] == 204
    pid = engine_server.state(container)["Pid"]
    engine_server.kill()
    # What is frozen hears of it when it is thawed, in the freezer of cgroup v1.
    os.kill(pid, signal.SIGKILL)
    engine_server.start()
    until(lambda: engine_server.state(container)["Status"] == "exited")
    assert engine_server.state(container)["ExitCode"] == 137


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


def test_layers_of_a_load_that_was_killed_are_swept(
    engine_server: EngineServer, tmp_path: Path
) -> None:
    # The first image's layer has its place while the second one's is still being unpacked.
    quick = images.tar([("quick", b"1", 0o644)])
    slow = images.tar([("slow", bytes(SLOW_BYTES), 0o644)])
    manifest = [{"Config": f"{name}.json", "Layers": [f"{name}.tar"]} for name in ("quick", "slow")]
    archive = {
        "quick.json": images.configuration([quick]),
        "quick.tar": quick,
        "slow.json": images.configuration([slow]),
        "slow.tar": images.compress(slow, "xz"),
        "manifest.json": json.dumps(manifest).encode(),
    }
    (tmp_path / "two.tar").write_bytes(images.docker_archive(archive))
    layers = engine_server.root / "layers"
    before = set(layers.iterdir())
    loading = subprocess.Popen(
        ["docker", "load", "-i", tmp_path / "two.tar"],
        env={**os.environ, "DOCKER_HOST": engine_server.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: set(layers.iterdir()) > before)
    engine_server.kill()
    assert loading.wait(20) != 0
    assert set(layers.iterdir()) > before
    engine_server.start()
    assert engine_server.api("GET", "/_ping")[0] == 200
    assert set(layers.iterdir()) == before
