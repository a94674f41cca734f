"""Our container and runc's, of the same bundle, look the same from inside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine import oracle, oracle_plans
from tests.engine.shims import needs_root

from drayman.runtime.host import Host

PLANS = 40

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
    for name, seen in theirs.items():
        assert ours.get(name) == seen, name
    assert str(bundle) not in Path("/proc/self/mountinfo").read_text()
    assert not [d for d in _cgroups(world, plan.container.id) if d.exists()]


def _cgroups(world: World, container_id: str) -> Iterator[Path]:
    return world.host.cgroup.directories(f"{oracle.CGROUP_PARENT}/{container_id}")
