"""A database that is damaged in any way is kept, and made anew from the copies of its records."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drayman.engine.reconciling import reconcile
from drayman.engine.store import Store
from drayman.errors import System
from drayman.model import go_json
from drayman.model.container import Container, ContainerConfig, HostConfig
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network
from drayman.storage.paths import Paths

BOXES = 6


def container(number: int, name: str | None = None) -> Container:
    return Container(
        id=f"{number:064x}",
        name=name or f"box{number}",
        created_at_ns=number,
        image_id="sha256:1",
        # Several pages for some of them.
        config=ContainerConfig(env=["A=" + "x" * 3000 * number]),
        host_config=HostConfig(),
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Of an engine that has some of everything and was killed."""
    paths = Paths(tmp_path / "root", tmp_path / "run")
    paths.make()
    fill(paths).close()
    return paths


def fill(paths: Paths) -> Store:
    store = Store(paths)
    for number in range(BOXES):
        home = paths.container(f"{number:064x}")
        home.make()
        (home.upper / "precious").write_text(str(number))
        store.containers.put(container(number))
    store.images.put(Image(id="sha256:1", tags=["a:b"]), Image(id="sha256:2"))
    store.networks.put(Network(id="0f", name="bridge"))
    for name in ("one", "two"):
        paths.volume_data(name).mkdir(parents=True)
        store.volumes.put(Volume(name=name, labels={"a": "b"}))
    return store


def opened(paths: Paths) -> Store:
    store = Store(paths)
    reconcile(store)
    return store


def everything(store: Store) -> list[list[object]]:
    return [list(table.all()) for table in store.tables]


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def write_over(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)


def spoil_a_row(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE containers SET body = ? WHERE name = 'box3'", (b"{",))
    database.close()


def forget_a_table(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE volumes")
        database.execute("CREATE TABLE volumes (other TEXT)")
    database.close()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no database": lambda path: path.write_bytes(b"no database at all" * 1000),
    "cut in the head": cut(50),
    "cut in a page": cut(6000),
    "cut between pages": cut(8192),
    "pages of garbage": write_over,
    "a record that is none": spoil_a_row,
    "another table": forget_a_table,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_kept_and_made_anew(
    paths: Paths, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = everything(Store(paths))
    DAMAGES[damage](paths.database)
    damaged = paths.database.read_bytes()
    store = opened(paths)
    assert everything(store) == before
    (aside,) = paths.root.glob("drayman.db.corrupt-*[0-9Z]")
    assert aside.read_bytes() == damaged
    said = caplog.records[0]
    assert said.levelno == logging.ERROR
    assert str(paths.database) in said.getMessage()
    assert str(aside) in said.getMessage()
    store.close()
    # From then on it is a database like any other.
    again = opened(paths)
    assert everything(again) == before
    assert not again.made_anew


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_database_that_is_gone_or_empty(paths: Paths, lose: Callable[[Path], None]) -> None:
    store = Store(paths)
    before = everything(store)
    store.close()
    for file in paths.root.glob("drayman.db-*"):
        file.unlink()
    lose(paths.database)
    assert everything(opened(paths)) == before


def test_what_was_removed_does_not_come_back(paths: Paths) -> None:
    store = Store(paths)
    store.containers.delete(f"{3:064x}")
    store.images.delete("sha256:2")
    store.volumes.delete("two")
    before = everything(store)
    store.close()
    paths.database.write_bytes(b"x" * 5000)
    assert everything(opened(paths)) == before


def test_what_is_newest_is_what_comes_back(paths: Paths) -> None:
    store = Store(paths)
    store.containers.put(container(3, "renamed"))
    store.close()
    paths.database.write_bytes(b"x" * 5000)
    assert opened(paths).containers.by_name("renamed") == container(3, "renamed")


def test_copies_that_are_missing_are_written(paths: Paths) -> None:
    """As after an upgrade from a version that made none."""
    for copy in [*paths.root.rglob("record.json"), *paths.records.rglob("*.json")]:
        copy.unlink()
    store = opened(paths)
    before = everything(store)
    store.close()
    paths.database.write_bytes(b"x" * 5000)
    assert everything(opened(paths)) == before


def test_a_name_is_not_given_twice(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(paths)
    store.copies.write("containers", f"{4:064x}", go_json.dumps(container(4, "box3")))
    store.close()
    paths.database.write_bytes(b"x" * 5000)
    names = [one.name for one in opened(paths).containers.all()]
    assert len(names) == len(set(names)) == BOXES
    assert "box3" in names
    assert any("is called box3_" in one.getMessage() for one in caplog.records)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"Id": "another"}'])
def test_a_copy_that_is_damaged_too_costs_no_files(
    paths: Paths, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    lost = f"{3:064x}"
    (paths.container(lost).home / "record.json").write_bytes(content)
    paths.database.write_bytes(b"x" * 5000)
    store = opened(paths)
    assert len(store.containers.all()) == BOXES - 1
    assert (paths.lost / lost / "upper/precious").read_text() == "3"
    assert any(f"container {lost} is lost" in one.getMessage() for one in caplog.records)


def test_without_a_copy_files_are_kept_too(paths: Paths) -> None:
    (paths.container(f"{3:064x}").home / "record.json").unlink()
    paths.database.write_bytes(b"x" * 5000)
    opened(paths)
    assert (paths.lost / f"{3:064x}" / "upper/precious").read_text() == "3"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of an engine as a kill leaves it: the log is not yet in the database."""
    place = tmp_path_factory.mktemp("killed")
    paths = Paths(place / "root", place / "run")
    paths.make()
    store = fill(paths)
    shutil.copytree(paths.root, place / "kept")
    store.close()
    return place / "kept"


@settings(deadline=None)
@given(
    kind=st.sampled_from(["cut", "flip"]),
    at=st.integers(0, 200_000),
    mask=st.integers(1, 255),
    name=st.sampled_from(["drayman.db", "drayman.db-wal"]),
)
def test_any_damage(killed: Path, kind: str, at: int, mask: int, name: str) -> None:
    """Whatever becomes of the file: the engine opens it, and no record is lost."""
    with tempfile.TemporaryDirectory() as place:
        paths = Paths(Path(place) / "root", Path(place) / "run")
        shutil.copytree(killed, paths.root)
        file = paths.root / name
        content = bytearray(file.read_bytes())
        if kind == "cut":
            del content[at % len(content) :]
        else:
            content[at % len(content)] ^= mask
        file.write_bytes(content)
        if (store := opened_or_refused(paths)) is None:
            return
        ids = [[table.id_of(one) for one in table.all()] for table in store.tables]
        assert ids[0] == [f"{number:064x}" for number in range(BOXES)]
        assert ids[1:] == [["sha256:1", "sha256:2"], ["0f"], ["one", "two"]]
        store.close()


def opened_or_refused(paths: Paths) -> Store | None:
    """None when a digit of its version became another one."""
    try:
        return opened(paths)
    except System as error:
        if "has schema" in str(error):
            return None
        raise
