"""Images are found, shown, named and removed as Docker does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.images import configuration, digest, docker_archive, docker_archive_files, tar
from tests.unit.image_world import World

from drayman.api.lending import Framing
from drayman.engine import moments
from drayman.errors import Conflict, DraymanError, InvalidParameter, NotFound

BASE = tar([("base", b"12345", 0o644)])
TOP = tar([("top", b"123", 0o644)])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def image(world: World, *tags: str, layers: int = 1, **config: Any) -> str:
    """Load a tiny image; returns its id."""
    tars = [BASE, TOP][:layers]
    created = config.pop("created", "2026-01-02T03:04:05Z")
    blob = configuration(tars, config, created=created)
    world.load(docker_archive(docker_archive_files(tars, tags, blob)))
    return digest(blob)


def remove(world: World, name: str, force: bool = False) -> list[str]:
    removed = world.run(lambda images: images.image_remove(name, force=force, prune=True))
    return [f"{key} {value}" for one in removed for key, value in one.items()]


def listed(world: World, **filters: list[str]) -> list[str]:
    found = world.run(
        lambda images: images.image_list(all=False, filters=filters, shared_size=False)
    )
    return [tag for one in found for tag in one["RepoTags"] or ["<none>"]]


def test_an_image_is_found_by_id_name_and_prefix(world: World) -> None:
    image_id = image(world, "a:1", "a:latest", "localhost:5000/b:x")
    for name in (
        image_id, image_id[7:], image_id[7:19], image_id[:20], image_id[7:8],
        "a", "a:1", "docker.io/library/a:1", "localhost:5000/b:x",
    ):  # fmt: skip
        assert world.images.get(name).id == image_id
    for name, text in (
        ("b", "b:latest"), ("a:2", "a:2"), ("0" * 64, "sha256:" + "0" * 64),
        (f"a@sha256:{'0' * 64}", f"a@sha256:{'0' * 64}"), ("x/y", "x/y:latest"),
    ):  # fmt: skip
        with pytest.raises(NotFound) as caught:
            world.images.get(name)
        assert str(caught.value) == f"No such image: {text}"
    with pytest.raises(InvalidParameter, match="invalid reference format"):
        world.images.get("not a name")


def test_an_ambiguous_prefix_finds_nothing(world: World) -> None:
    first = image(world, "a:1")
    number = 0
    while world.run(lambda images: images.image_get("a:1")).id == first or not any(
        one.id[7] == first[7] and one.id != first for one in world.images.all()
    ):
        number += 1
        image(world, "a:1", Labels={"n": str(number)})
    with pytest.raises(NotFound, match="No such image"):
        world.images.get(first[7])


def test_the_list_has_what_clients_read(world: World) -> None:
    base = image(world, "base:1", Labels={"k": "v"})
    top = image(world, "top:1", layers=2, created="2026-02-02T03:04:05Z")
    world.use(top, "exited")
    found = world.run(lambda images: images.image_list(all=True, filters={}, shared_size=True))
    assert found == [
        {
            "Id": top,
            "ParentId": "",
            "RepoTags": ["top:1"],
            "RepoDigests": [],
            "Created": 1770001445,
            "Size": 8,
            "SharedSize": 5,
            "Labels": None,
            "Containers": 1,
        },
        {
            "Id": base,
            "ParentId": "",
            "RepoTags": ["base:1"],
            "RepoDigests": [],
            "Created": 1767323045,
            "Size": 5,
            "SharedSize": 5,
            "Labels": {"k": "v"},
            "Containers": 0,
        },
    ]
    found = world.run(lambda images: images.image_list(all=True, filters={}, shared_size=False))
    assert [one["SharedSize"] for one in found] == [-1, -1]


def test_filters(world: World) -> None:
    image(world, "old:1", "other/old:2", Labels={"k": "v"}, created="2025-01-01T00:00:00Z")
    image(world, "new:1", created="2026-01-01T00:00:00+01:00")
    image(world, created="2024-01-01T00:00:00Z")
    assert listed(world) == ["new:1", "old:1", "other/old:2", "<none>"]
    assert listed(world, dangling=["true"]) == ["<none>"]
    assert listed(world, dangling=["false"]) == ["new:1", "old:1", "other/old:2"]
    assert listed(world, reference=["old"]) == ["old:1"]
    assert listed(world, reference=["*:1", "*/*"]) == ["new:1", "old:1", "other/old:2"]
    assert listed(world, label=["k"]) == ["old:1", "other/old:2"]
    assert listed(world, label=["k=w"]) == []
    assert listed(world, **{"label!": ["k"]}) == ["new:1", "<none>"]
    assert listed(world, before=["new:1"]) == ["old:1", "other/old:2", "<none>"]
    assert listed(world, since=["old:1"]) == ["new:1"]
    assert listed(world, until=["2024-06-01"]) == ["<none>"]
    with pytest.raises(NotFound):
        listed(world, since=["missing"])
    for bad in ({"colour": ["red"]}, {"dangling": ["maybe"]}, {"until": ["soon"]}):
        with pytest.raises(InvalidParameter):
            listed(world, **bad)


def test_moments() -> None:
    s, now = 1_000_000_000, time.time_ns()
    assert moments.parse_ns("1700000000", now) == 1_700_000_000 * s
    assert moments.parse_ns("1700000000.25", now) == 1_700_000_000 * s + s // 4
    assert moments.parse_ns("2026-01-02T03:04:05.000000001Z", now) == 1767323045 * s + 1
    assert moments.parse_ns("2026-01-02T04:04:05+01:00", now) == 1767323045 * s
    assert moments.parse_ns("10m", now) == now - 600 * s
    for bad in ("", "2026-13-01", "yesterday"):
        with pytest.raises(InvalidParameter):
            moments.parse_ns(bad, now)


def test_inspect_and_history(world: World) -> None:
    image_id = image(world, "a:1", layers=2, User="u", ExposedPorts={"80/tcp": {}})
    document = world.run(lambda images: images.image_inspect("a:1"))
    json.dumps(document)
    assert document["Id"] == image_id
    assert document["RootFS"] == {"Type": "layers", "Layers": [digest(BASE), digest(TOP)]}
    assert document["Config"]["User"] == "u"
    assert document["Config"]["Cmd"] == ["sh"]
    assert document["Config"]["ExposedPorts"] == {"80/tcp": {}}
    assert "Labels" not in document["Config"]
    assert document["Created"] == "2026-01-02T03:04:05Z"
    assert document["Size"] == 8
    data = document["GraphDriver"]["Data"]
    assert Path(data["UpperDir"], "top").exists()
    assert Path(data["LowerDir"], "base").exists()
    history = world.run(lambda images: images.image_history("a:1"))
    assert [(step["Id"], step["CreatedBy"], step["Size"]) for step in history] == [
        (image_id, "CMD sh", 0),
        ("<missing>", "ADD layer1", 3),
        ("<missing>", "ADD layer0", 5),
    ]
    assert [step["Tags"] for step in history] == [["a:1"], None, None]


def test_tags(world: World) -> None:
    first, second = image(world, "a:1"), image(world, "b:1", layers=2)
    world.run(lambda images: images.image_tag("a:1", "localhost:5000/x", ""))
    assert world.images.get("localhost:5000/x").id == first
    world.run(lambda images: images.image_tag(second, "a", "1"))
    assert world.images.get("a:1").id == second
    assert world.images.get(first).tags == ["localhost:5000/x:latest"]
    assert world.told()[-2:] == ["tag localhost:5000/x:latest", "tag a:1"]
    for name, repository, tag, kind in (
        ("missing", "x", "y", NotFound),
        ("a:1", "", "y", InvalidParameter),
        ("a:1", "UPPER", "", InvalidParameter),
        ("a:1", "x", "no good", InvalidParameter),
    ):
        with pytest.raises(kind):
            world.run(lambda images, a=(name, repository, tag): images.image_tag(*a))


def test_the_last_name_takes_the_image_along(world: World) -> None:
    image_id = image(world, "a:1", "a:2", layers=2)
    base = image(world, "base:1")
    top_layer = world.images.get("a:1").layer_ids[1]
    assert remove(world, "a:1") == ["Untagged a:1"]
    assert remove(world, "a:2") == [
        "Untagged a:2",
        f"Deleted {image_id}",
        f"Deleted sha256:{top_layer}",
    ]
    assert [one.id for one in world.images.all()] == [base]
    remove(world, base)
    assert world.leftovers() == []
    told = [f"untag {image_id}"] * 2 + [f"delete {image_id}", f"untag {base}", f"delete {base}"]
    assert world.told()[2:] == told
    with pytest.raises(NotFound, match="No such image: a:1"):
        remove(world, "a:1")


def test_by_id_all_names_go_if_they_are_one(world: World) -> None:
    image_id = image(world, "a:1", "b:1")
    with pytest.raises(Conflict) as caught:
        remove(world, image_id[7:19])
    assert str(caught.value) == (
        f"conflict: unable to delete {image_id[7:19]} (must be forced)"
        " - image is referenced in multiple repositories"
    )
    assert remove(world, image_id[7:19], force=True)[:3] == [
        "Untagged a:1", "Untagged b:1", f"Deleted {image_id}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "force", "by_id", "outcome"),
    [
        ("exited", False, False, "conflict: unable to remove repository reference"
         ' "a:1" (must force)'
         " - container 000000000000 is using its referenced image {short}"),
        ("exited", False, True, "conflict: unable to delete {short} (must be forced)"
         " - image is being used by stopped container 000000000000"),
        ("running", False, True, "conflict: unable to delete {short} (cannot be forced)"
         " - image is being used by running container 000000000000"),
        ("paused", True, True, "conflict: unable to delete {short} (cannot be forced)"
         " - image is being used by running container 000000000000"),
        ("running", True, False, "Untagged a:1"),
        ("exited", True, False, "Untagged a:1 Deleted {id}"),
        ("exited", True, True, "Untagged a:1 Deleted {id}"),
    ],
)  # fmt: skip
def test_what_containers_stand_against(
    world: World, status: str, force: bool, by_id: bool, outcome: str
) -> None:
    image_id = image(world, "a:1")
    world.use(image_id, status)
    try:
        found = " ".join(remove(world, image_id if by_id else "a:1", force))
    except DraymanError as error:
        found = str(error)
    assert found == outcome.format(short=image_id[7:19], id=image_id)
    # A container can be started again, whatever happened.
    assert Path(world.images.lower(image_id)[1], "base").exists()
    assert world.images.get(image_id).size_bytes == 5
    if "Deleted" in outcome:
        assert world.images.all() == []
        with pytest.raises(NotFound):
            world.run(lambda images: images.image_inspect(image_id))
        world.run(lambda images: images.sweep())
        assert Path(world.images.lower(image_id)[1], "base").exists()
        world.containers.clear()
        world.run(lambda images: images.sweep())
        assert not list(world.paths.layers.iterdir())
        with pytest.raises(NotFound):
            world.images.lower(image_id)


def test_a_removed_image_comes_back_by_loading(world: World) -> None:
    image_id = image(world, "a:1")
    world.use(image_id, "exited")
    remove(world, "a:1", force=True)
    assert image(world, "b:1") == image_id
    assert world.images.get("b:1").tags == ["b:1"]


def import_(world: World, content: bytes, **asked: Any) -> list[dict[str, Any]]:
    wanted = {"repository": "", "tag": "", "message": "", "changes": [], "platform": "", **asked}
    return world.receive(
        content, lambda fd: world.images.image_import(fd, Framing(False, None), **wanted)
    )


def test_an_import_makes_an_image_of_one_layer(world: World) -> None:
    changes = ['CMD ["sh"]', "ENV A=ö"]
    (document,) = import_(world, BASE, repository="in", tag="1", message="why", changes=changes)
    made = world.images.get("in:1")
    assert document == {"status": made.id}
    assert made.diff_ids == [digest(BASE)]
    assert (made.config.cmd, made.config.env, made.comment) == (["sh"], ["A=ö"], "why")
    assert made.size_bytes == 5
    assert Path(world.images.lower(made.id)[1], "base").exists()
    assert world.told() == ["tag in:1", f"import {made.id}"]
    (step,) = world.run(lambda images: images.image_history("in:1"))
    assert (step["Comment"], step["Size"]) == ("why", 5)
    (unnamed,) = import_(world, TOP)
    assert world.images.get(unnamed["status"]).tags == []


@pytest.mark.parametrize(
    "asked",
    [
        {"repository": "NO"},
        {"changes": ["RUN x"]},
        {"platform": "windows/amd64"},
        {"repository": "a", "tag": "b c"},
    ],
)
def test_a_bad_import_is_refused_before_the_body(world: World, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        import_(world, b"", **asked)
    assert world.leftovers() == []


def test_an_import_of_no_tar_leaves_nothing(world: World) -> None:
    with pytest.raises(DraymanError):
        import_(world, b"this is no tar" * 100)
    assert world.leftovers() == []
