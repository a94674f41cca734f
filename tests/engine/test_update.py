"""docker update: limits and policies changed while a container runs; all of it, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.engine.block_devices import block_device
from tests.engine.engines import EngineServer, until

from drayman.runtime.host import Host

HOST = Host.detect()
MIB = 1 << 20
# What may change, by the file of cgroup v1.
FILES = {
    "memory": "memory/memory.limit_in_bytes",
    "memory-swap": "memory/memory.memsw.limit_in_bytes",
    "memory-reservation": "memory/memory.soft_limit_in_bytes",
    "cpu-shares": "cpu/cpu.shares",
    "cpu-period": "cpu/cpu.cfs_period_us",
    "cpu-quota": "cpu/cpu.cfs_quota_us",
    "cpuset-cpus": "cpuset/cpuset.cpus",
    "pids-limit": "pids/pids.max",
}


class Running:
    """A container that runs, its limits as the kernel has them and as inspect tells."""

    def __init__(self, engine: EngineServer, *options: str) -> None:
        self.engine = engine
        command = ("run", "-d", "--network", "none", *options, "busybox", "sleep", "1000")
        self.id = engine.docker(*command).stdout.decode().strip()

    def update(self, *options: str) -> None:
        self.engine.docker("update", *options, self.id)

    def refused(self, changes: dict[str, Any]) -> tuple[int, str]:
        """The answer to an update that leaves everything as it was."""
        before = self.held(), self.told()
        status, answer = self.engine.api("POST", f"/containers/{self.id}/update", changes)
        assert (self.held(), self.told()) == before
        return status, answer["message"]

    def file(self, place: str) -> Path:
        controller, name = place.split("/")
        directory = HOST.cgroup.directory(controller, f"{self.engine.cgroup}/{self.id}")
        assert directory is not None
        return directory / name

    def held(self) -> dict[str, str]:
        return {option: self.file(place).read_text().strip() for option, place in FILES.items()}

    def told(self) -> dict[str, Any]:
        _, answer = self.engine.api("GET", f"/containers/{self.id}/json")
        settings: dict[str, Any] = answer["HostConfig"]
        return settings


@pytest.fixture(scope="module")
def running(engine_server: EngineServer) -> Running:
    return Running(engine_server)


def test_every_limit_grows_and_shrinks_live(running: Running) -> None:
    for scale in (4, 2, 8):
        wanted = {
            "memory": str(scale * 16 * MIB),
            "memory-swap": str(scale * 20 * MIB),
            "memory-reservation": str(scale * 8 * MIB),
            "cpu-shares": str(scale * 100),
            "cpu-period": str(scale * 10_000),
            "cpu-quota": str(scale * 5000),
            "cpuset-cpus": "0",
            "pids-limit": str(scale * 10),
        }
        running.update(*(f"--{option}={value}" for option, value in wanted.items()))
        assert running.held() == wanted
    told = running.told()
    assert (told["Memory"], told["CpuQuota"], told["PidsLimit"]) == (128 * MIB, 40_000, 80)
    running.update("--pids-limit", "-1")
    assert (running.held()["pids-limit"], running.told()["PidsLimit"]) == ("max", None)
    running.update("--memory-swap", "-1")
    assert int(running.held()["memory-swap"]) > 1 << 60


def test_cpus_are_a_quota(engine_server: EngineServer) -> None:
    running = Running(engine_server, "--cpus", "0.5")
    running.update("--cpus", "1.5")
    held = running.held()
    assert (held["cpu-quota"], held["cpu-period"]) == ("150000", "100000")
    text = f"Cannot update container {running.id}: Conflicting options: "
    assert running.refused({"CpuQuota": 50_000}) == (
        409,
        f"{text}NanoCPUs has already been set.",
    )


def test_what_the_kernel_refuses_changes_nothing(engine_server: EngineServer) -> None:
    running = Running(engine_server, "--memory", "64m", "--memory-swap", "64m", "--cpu-shares=99")
    fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=40"
    engine_server.docker("exec", running.id, "sh", "-c", fill)
    answer = running.refused({"CpuShares": 500, "PidsLimit": 50, "Memory": 8 * MIB})
    field = "Memory: failed to write 8388608 to memory.limit_in_bytes: device or resource busy"
    assert answer == (400, f"Cannot update container {running.id}: {field}")
    # A group below holds it to its processors.
    below = running.file("cpuset/cpuset.cpus").parent / "below"
    below.mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (below / name).write_text((below.parent / name).read_text())
    try:
        status, text = running.refused({"CpuShares": 500, "CpusetCpus": "0"})
    finally:
        below.rmdir()
    assert status == 400
    assert "CpusetCpus: failed to write 0 to cpuset.cpus: device or resource busy" in text


def test_what_cannot_be_is_refused_in_dockers_words(engine_server: EngineServer) -> None:
    running = Running(engine_server, "--memory", "64m", "--memory-swap", "128m")
    for changes, status, text in (
        ({"Memory": 1024}, 400, "Minimum memory limit allowed is 6MB"),
        ({"Memory": 256 * MIB}, 409, "should be smaller than already set memoryswap limit"),
        ({"Memory": 64 * MIB, "MemorySwap": 32 * MIB}, 400, "Minimum memoryswap limit should"),
        ({"CpuPeriod": 5}, 400, "CPU cfs period can not be less than 1ms"),
        ({"CpuQuota": 5}, 400, "CPU cfs quota can not be less than 1ms"),
        ({"CpusetCpus": "4096"}, 400, "Requested CPUs are not available"),
        ({"CpusetCpus": "x"}, 400, "Invalid value x for cpuset cpus"),
        ({"RestartPolicy": {"Name": "maybe"}}, 400, "invalid restart policy"),
        ({"Memory": "much"}, 400, ""),
    ):
        answered, told = running.refused(changes)
        assert (answered, text in told) == (status, True), (changes, told)


def test_settings_are_looked_at_before_the_container(engine_server: EngineServer) -> None:
    for changes, status, text in (
        ({"Memory": 5}, 400, "Minimum memory limit allowed is 6MB"),
        ({"Memory": 5 << 30, "PidsLimit": 2**40}, 400, "HostConfig.PidsLimit: 1099511627776 is"),
        ({"CpuShares": 5}, 404, "No such container: nosuch"),
    ):
        answered, answer = engine_server.api("POST", "/containers/nosuch/update", changes)
        assert answered == status
        assert answer["message"].startswith(text)


class Rates:
    """Of reads and writes of a block device, for a container that runs."""

    def __init__(self, engine: EngineServer) -> None:
        self.device, self.number = block_device(engine.place)
        self.running = Running(engine, f"--device-read-bps={self.device}:1mb")

    def of(self, rate: int) -> list[dict[str, Any]]:
        return [{"Path": self.device, "Rate": rate}]

    def ask(self, changes: dict[str, Any], version: str = "") -> None:
        path = f"{version}/containers/{self.running.id}/update"
        assert self.running.engine.api("POST", path, changes)[0] == 200

    def held(self) -> list[str]:
        """What the kernel has for reads in bytes and writes in operations."""
        names = ("read_bps", "write_iops")
        files = [self.running.file(f"blkio/blkio.throttle.{name}_device") for name in names]
        return [file.read_text().strip() for file in files]


@pytest.fixture
def rates(engine_server: EngineServer) -> Rates:
    return Rates(engine_server)


def test_a_list_of_devices_replaces_the_one_before(rates: Rates) -> None:
    rates.ask({"BlkioDeviceReadBps": rates.of(2 << 20), "BlkioDeviceWriteIOps": rates.of(9)})
    assert rates.held() == [f"{rates.number} {2 << 20}", f"{rates.number} 9"]
    rates.ask({"BlkioDeviceWriteIOps": None, "CpuShares": 80})
    assert rates.held() == [f"{rates.number} {2 << 20}", f"{rates.number} 9"]
    rates.ask({"BlkioDeviceReadBps": []})
    assert rates.held() == ["", f"{rates.number} 9"]
    told = rates.running.told()
    assert (told["BlkioDeviceReadBps"], told["BlkioDeviceWriteIOps"]) == ([], rates.of(9))


def test_older_clients_change_no_lists_of_devices(rates: Rates) -> None:
    rates.ask({"BlkioDeviceReadBps": [], "CpuShares": 80}, version="/v1.54")
    assert rates.held() == [f"{rates.number} {1 << 20}", ""]


def test_a_refused_update_leaves_the_rates_of_devices(rates: Rates) -> None:
    fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=20"
    rates.running.engine.docker("exec", rates.running.id, "sh", "-c", fill)
    held = rates.held()
    changes = {"BlkioDeviceReadBps": [], "BlkioDeviceWriteIOps": rates.of(9)}
    status, text = rates.running.refused({**changes, "Memory": 8 * MIB})
    assert (status, rates.held()) == (400, held), text
    device = [*rates.of(7), {"Path": "/dev/null", "Rate": 8}]
    status, text = rates.running.refused({**changes, "BlkioDeviceReadBps": device})
    assert (status, rates.held()) == (400, held)
    assert "BlkioDeviceReadBps: failed to write 1:3 8 to blkio.throttle.read_bps_device" in text


def test_a_stopped_container_starts_with_what_it_was_given(engine_server: EngineServer) -> None:
    running = Running(engine_server)
    engine_server.docker("kill", running.id)
    running.update("--memory", "64m", "--memory-swap", "64m", "--pids-limit", "7")
    engine_server.docker("start", running.id)
    held = running.held()
    assert (held["memory"], held["pids-limit"]) == (str(64 * MIB), "7")


def test_a_paused_container_is_held_too(engine_server: EngineServer) -> None:
    running = Running(engine_server)
    engine_server.docker("pause", running.id)
    running.update("--cpu-shares", "77")
    assert running.held()["cpu-shares"] == "77"
    engine_server.docker("unpause", running.id)


def test_limits_survive_the_engine(engine_server: EngineServer) -> None:
    running = Running(engine_server)
    running.update("--cpu-shares", "78")
    engine_server.crash()
    assert (running.told()["CpuShares"], running.held()["cpu-shares"]) == (78, "78")
    running.update("--cpu-shares", "79")
    assert running.held()["cpu-shares"] == "79"


def test_a_policy_counts_while_a_restart_is_waited_for(engine_server: EngineServer) -> None:
    container = engine_server.running("false", HostConfig={"RestartPolicy": {"Name": "always"}})
    until(lambda: engine_server.state(container)["Status"] == "restarting")
    engine_server.docker("update", "--restart", "no", container)
    until(lambda: engine_server.state(container)["Status"] == "exited")
    engine_server.docker("update", "--restart", "always", container)
    engine_server.docker("start", container)
    until(lambda: engine_server.state(container)["Status"] == "restarting")


def test_a_container_that_goes_with_its_process_keeps_no_policy(
    engine_server: EngineServer,
) -> None:
    running = Running(engine_server, "--rm")
    assert running.refused({"RestartPolicy": {"Name": "always"}}) == (
        409,
        f"Cannot update container {running.id}: Restart policy cannot be updated because"
        " AutoRemove is enabled",
    )
