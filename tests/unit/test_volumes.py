"""Volumes are made once, kept while used, and removed with what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from drayman.engine.events import Events
from drayman.engine.store import Store
from drayman.engine.volumes import ANONYMOUS_LABEL, Volumes
from drayman.errors import Conflict, DraymanError, InvalidParameter, NotFound, Unimplemented
from drayman.model.container import Container, ContainerConfig, HostConfig
from drayman.model.mount import MountPoint, Volume
from drayman.storage.paths import Paths

T = TypeVar("T")


class World:
    def __init__(self, home: Path) -> None:
        self.paths = Paths(home / "root", home / "run")
        self.paths.make()
        self.users: dict[str, list[str]] = {}
        self.open()

    def open(self) -> None:
        self.events = Events()
        self.store = Store(self.paths)
        self.volumes = Volumes(
            self.paths, self.store, self.events, lambda name: self.users.get(name, [])
        )

    def run(self, work: Callable[[Volumes], Awaitable[T]]) -> T:
        async def do() -> T:
            return await asyncio.wait_for(work(self.volumes), 60)

        return asyncio.run(do())

    def create(self, name: str, **labels: str) -> Volume:
        return self.run(lambda volumes: volumes.volume_create(name, "", {}, labels))

    def names(self, **filters: list[str]) -> list[str]:
        return [one.name for one in self.run(lambda volumes: volumes.volume_list(filters))]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_volume_is_made_once(world: World) -> None:
    made = world.create("data", a="b")
    Path(made.mountpoint, "kept").touch()
    assert world.create("data", c="d") == made
    assert made.labels == {"a": "b"}
    assert Path(made.mountpoint, "kept").exists()
    assert not made.anonymous
    world.store.close()
    world.open()
    assert world.run(lambda volumes: volumes.volume_inspect("data")) == made
    assert world.volumes.find("data") == made
    assert world.names() == ["data"]


def test_two_at_once_make_one(world: World) -> None:
    async def both(volumes: Volumes) -> list[Volume]:
        return await asyncio.gather(*(volumes.volume_create("xx", "", {}, {}) for _ in range(5)))

    assert len({one.created_at_ns for one in world.run(both)}) == 1
    assert [event.action for event in world.events._kept] == ["create"]


def test_one_without_a_name_gets_one(world: World) -> None:
    made = world.create("")
    assert len(made.name) == 64
    assert made.anonymous
    assert made.labels == {ANONYMOUS_LABEL: ""}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("!", "create !: volume name is too short, names should be at least two alphanumeric"
         " characters"),
        ("a", "create a: volume name is too short, names should be at least two alphanumeric"
         " characters"),
        ("a/b", 'create a/b: "a/b" includes invalid characters for a local volume name, only'
         ' "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory,'
         " use absolute path"),
    ],
)  # fmt: skip
def test_bad_names(world: World, name: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        world.create(name)
    assert str(caught.value) == text
    for bad in ("..", ".a", "-a", "a b", "ä" * 2, "a\n", "a\0b"):
        with pytest.raises(InvalidParameter):
            world.create(bad)


def test_other_drivers_and_options(world: World) -> None:
    with pytest.raises(NotFound) as caught:
        world.run(lambda volumes: volumes.volume_create("xx", "nfs", {}, {}))
    assert str(caught.value) == (
        'create xx: error looking up volume plugin nfs: plugin "nfs" not found'
    )
    with pytest.raises(Unimplemented):
        world.run(lambda volumes: volumes.volume_create("xx", "local", {"type": "nfs"}, {}))
    assert world.names() == []


def test_removal(world: World) -> None:
    made = world.create("data")
    world.users["data"] = ["a" * 64, "b" * 64]
    with pytest.raises(Conflict) as caught:
        world.run(lambda volumes: volumes.volume_remove("data", force=True))
    assert str(caught.value) == (f"remove data: volume is in use - [{'a' * 64}, {'b' * 64}]")
    world.users.clear()
    world.run(lambda volumes: volumes.volume_remove("data", force=False))
    assert not Path(made.mountpoint).exists()
    assert not list(world.paths.volumes.iterdir())
    world.run(lambda volumes: volumes.volume_remove("data", force=True))
    for verb in (
        lambda volumes: volumes.volume_remove("data", force=False),
        lambda volumes: volumes.volume_inspect("data"),
    ):
        with pytest.raises(NotFound, match=r"^get data: no such volume$"):
            world.run(verb)
    assert [event.action for event in world.events._kept] == ["create", "destroy"]


def test_filters(world: World) -> None:
    world.create("one", k="v")
    world.create("two")
    world.users["one"] = ["x"]
    assert world.names(name=["o"]) == ["one", "two"]
    assert world.names(name=["^o"]) == ["one"]
    assert world.names(name=["("]) == []
    assert world.names(dangling=["true"]) == ["two"]
    assert world.names(dangling=["0"]) == ["one"]
    assert world.names(driver=["local"]) == ["one", "two"]
    assert world.names(driver=["other"]) == []
    assert world.names(label=["k=v"]) == ["one"]
    assert world.names(**{"label!": ["k"]}) == ["two"]
    for bad in ({"colour": ["red"]}, {"dangling": ["maybe"]}):
        with pytest.raises(InvalidParameter):
            world.names(**bad)


def test_prune_takes_the_unused_that_nobody_named(world: World) -> None:
    world.create("named")
    unnamed, used = world.create(""), world.create("")
    world.users[used.name] = ["x"]
    Path(unnamed.mountpoint, "file").write_bytes(b"12345")
    assert world.run(lambda volumes: volumes.volumes_prune({})) == {
        "VolumesDeleted": [unnamed.name],
        "SpaceReclaimed": 5,
    }
    event = world.events._kept[-1]
    assert (event.action, event.actor_id, event.attributes) == ("prune", "", {"reclaimed": "5"})
    pruned = world.run(lambda volumes: volumes.volumes_prune({"all": ["true"]}))
    assert pruned["VolumesDeleted"] == ["named"]
    assert world.names() == [used.name]
    with pytest.raises(DraymanError, match="invalid filter 'name'"):
        world.run(lambda volumes: volumes.volumes_prune({"name": ["x"]}))


def test_anonymous_volumes_go_with_their_container(world: World) -> None:
    named, own, shared = world.create("named"), world.create(""), world.create("")
    points = [MountPoint(type="volume", name=one.name) for one in (named, own, shared)]
    box = Container(
        id="c" * 64,
        name="box",
        created_at_ns=1,
        image_id="",
        config=ContainerConfig(),
        host_config=HostConfig(),
        mount_points=[*points, MountPoint(type="bind", source="/")],
    )
    world.users = {own.name: [box.id], shared.name: [box.id, "another"]}
    world.run(lambda volumes: volumes.release(box))
    assert world.names() == sorted(["named", shared.name])
