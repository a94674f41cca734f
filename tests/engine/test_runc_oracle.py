"""Our container and runc's, of the same bundle, look the same from inside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine import oracle, oracle_plans
from tests.engine.oracle import Observed
from tests.engine.shims import needs_root

from drayman.runtime.host import Host

PLANS = 40
# Kinds of difference that are faults of the executor, known and not yet mended.
UNREADABLE_CGROUP = "a container's cgroup directories are made under the shim's umask: 0750"
TMPFS_MODE = "a tmpfs without a mode does not take that of the place below it"

pytestmark = needs_root


class World:
    """What all plans share: a host, a root to copy, files to bind."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.host = Host.detect()
        self.rootfs = oracle.make_rootfs(place / "rootfs")
        self.files = oracle_plans.make_files(place / "files")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("oracle")
    # A container's user must get through to what is bound.
    for directory in (place, *place.parents[:2]):
        directory.chmod(directory.stat().st_mode | 0o055)
    made = World(place)
    yield made
    for directory in made.host.cgroup.directories(oracle.CGROUP_PARENT):
        with contextlib.suppress(OSError):
            directory.rmdir()


@pytest.mark.parametrize("seed", range(PLANS))
def test_as_under_runc(world: World, seed: int) -> None:
    plan = oracle_plans.plan(seed, world.host, world.rootfs, world.files)
    bundle = world.place / f"{seed}"
    oracle.write_bundle(bundle, world.rootfs, plan, world.host)
    theirs = oracle.settle(oracle.observe_runc(bundle, f"oracle-{plan.container.id[:12]}"))
    ours = oracle.settle(oracle.observe_shim(bundle, world.rootfs, plan.container.id, world.host))
    faults = _known_faults(theirs, ours)
    for name, seen in theirs.items():
        assert name in faults or ours.get(name) == seen, name
    assert str(bundle) not in Path("/proc/self/mountinfo").read_text()
    assert not [d for d in _cgroups(world, plan.container.id) if d.exists()]
    if faults:
        pytest.xfail("; ".join(sorted(set(faults.values()))))


def _known_faults(theirs: Observed, ours: Observed) -> dict[str, str]:
    """The sections that differ because of a known fault, with the fault."""
    denied = "Permission denied"
    faults = {
        name: UNREADABLE_CGROUP
        for name in ("memory", "cpu", "pids", "devices")
        if denied in str(ours[name]) and denied not in str(theirs[name])
    }
    wide = [line for line in ours["places"] if line.startswith("/srv 1777")]
    if wide and wide[0] not in theirs["places"]:
        faults["places"] = TMPFS_MODE
    return faults


def _cgroups(world: World, container_id: str) -> Iterator[Path]:
    return world.host.cgroup.directories(f"{oracle.CGROUP_PARENT}/{container_id}")
