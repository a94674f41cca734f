"""Limits of a running container: what changes is written, and what is refused changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drayman.errors import InvalidParameter, System
from drayman.runtime import limits
from drayman.runtime.cgroups import Layout

V2 = {
    "memory.max": "max",
    "memory.swap.max": "max",
    "cpu.max": "max 100000",
    "cpu.weight": "100",
    "cpuset.cpus": "",
    "pids.max": "max",
    "io.weight": "default 100\n8:0 200",
}


class Kernel:
    """A recorded v2 tree whose files take a value whole, or refuse it, as the kernel's do."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.layout = Layout(mode="v2", unified=str(place))
        self.directory = place / "c"
        self.directory.mkdir()
        for name, text in V2.items():
            (self.directory / name).write_text(text + "\n")
        self.order: list[str] = []
        self.refuses: Callable[[str, str], int | None] = lambda name, value: None
        monkeypatch.setattr(limits, "write", self.write)

    def write(self, path: Path, value: str) -> None:
        if not path.exists():
            raise FileNotFoundError(2, "No such file or directory", str(path))
        number = self.refuses(path.name, value)
        if number is not None:
            raise OSError(number, os.strerror(number))
        self.order.append(path.name)
        path.write_text(value)

    def update(self, before: dict[str, Any], after: dict[str, Any]) -> list[limits.Written]:
        return limits.update(self.layout, "/c", before, after)

    def told(self) -> dict[str, str]:
        return {name: (self.directory / name).read_text().strip() for name in V2}


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(tmp_path, monkeypatch)


AFTER = {
    "memory": {"limit": 100, "swap": 300},
    "cpu": {"quota": 50_000, "cpus": "0"},
    "pids": {"limit": 5},
    "blockIO": {"weight": 10},
}


def test_what_changes_is_written_and_nothing_else(kernel: Kernel) -> None:
    kernel.update({"cpu": {"cpus": "0"}}, AFTER)
    assert kernel.told() == V2 | {
        "memory.max": "100",
        "memory.swap.max": "200",
        "cpu.max": "50000 100000",
        "pids.max": "5",
        "io.weight": "default 1",
    }
    kernel.order.clear()
    kernel.update(AFTER, {**AFTER, "pids": {}})
    assert (kernel.order, kernel.told()["pids.max"]) == (["pids.max"], "max")


def test_a_refused_value_puts_all_others_back(kernel: Kernel) -> None:
    kernel.refuses = lambda name, value: 16 if (name, value) == ("pids.max", "5") else None
    with pytest.raises(
        InvalidParameter,
        match=r"^PidsLimit: failed to write 5 to pids\.max: device or resource busy$",
    ):
        kernel.update({}, AFTER)
    assert kernel.told() == V2 | {"io.weight": "default 100"}


def test_what_was_there_can_be_put_back_later(kernel: Kernel) -> None:
    held = kernel.update({}, AFTER)
    limits.put_back(held)
    assert kernel.told() == V2 | {"io.weight": "default 100"}


def test_values_that_bound_one_another_are_written_in_either_order(kernel: Kernel) -> None:
    def bound(name: str, value: str) -> int | None:
        """As v1's memory, which is never above memory and swap together."""
        swap = kernel.told()["memory.swap.max"]
        above = name == "memory.max" and swap != "max" and int(value) > int(swap)
        below = name == "memory.swap.max" and int(value) < int(kernel.told()["memory.max"])
        return 22 if above or below else None

    kernel.update({}, {"memory": {"limit": 10, "swap": 30}})
    kernel.refuses = bound
    kernel.update({}, {"memory": {"limit": 100, "swap": 300}})
    assert kernel.order[-2:] == ["memory.swap.max", "memory.max"]
    kernel.update({}, {"memory": {"limit": 15, "swap": 35}})
    assert kernel.order[-2:] == ["memory.max", "memory.swap.max"]
    with pytest.raises(InvalidParameter, match=r"^Memory: .*invalid argument$"):
        kernel.update({}, {"memory": {"limit": 50, "swap": 60}})
    assert (kernel.told()["memory.max"], kernel.told()["memory.swap.max"]) == ("15", "20")


def test_a_cgroup_that_is_gone_is_no_fault_of_the_client(kernel: Kernel) -> None:
    with pytest.raises(System, match=r"pids\.max: no such file or directory"):
        limits.update(kernel.layout, "/gone", {}, {"pids": {"limit": 5}})
