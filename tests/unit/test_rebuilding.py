"""Whatever becomes of the database's file: the store opens, and nothing is lost unsaid."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drayman.engine import sealing
from drayman.engine.store import Store
from drayman.errors import InvalidParameter, System
from drayman.model import go_json
from drayman.model.container import Container, ContainerConfig, HostConfig
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network
from drayman.storage.paths import Paths

CONTAINERS = 12


def box(number: int, name: str) -> Container:
    return Container(
        id=f"{number:064x}",
        name=name,
        created_at_ns=1,
        image_id="sha256:1",
        config=ContainerConfig(env=["A=1"]),
        host_config=HostConfig(),
    )


def fill(paths: Paths) -> dict[str, list[object]]:
    """A root with a bit of everything, its engine killed; what it was told."""
    paths.make()
    store = Store(paths)
    for number in range(CONTAINERS):
        paths.container(f"{number:064x}").make()
        store.containers.put(box(number, f"early{number}"))
        store.containers.put(box(number, f"name{number}"))
    store.containers.delete(f"{0:064x}")
    shutil.rmtree(paths.container(f"{0:064x}").home)
    store.images.put(Image(id="sha256:1", tags=["a:b"]))
    store.networks.put(Network(id="n" * 64, name="bridge"))
    paths.volume_data("vol").mkdir(parents=True)
    (paths.volume_data("vol") / "kept").write_text("data")
    store.volumes.put(Volume(name="vol"))
    told = content(store)
    # As a kill leaves them: closing writes the log into the file.
    files = [paths.database.with_name(paths.database.name + suffix) for suffix in ("", "-wal")]
    left = [file.read_bytes() for file in files]
    store.close()
    for file, raw in zip(files, left, strict=True):
        file.write_bytes(raw)
    return told


def content(store: Store) -> dict[str, list[object]]:
    return {table.name: table.all() for table in store.tables}


def reopened(paths: Paths) -> dict[str, list[object]]:
    """What two more starts find."""
    store = Store(paths)
    found = content(store)
    store.close()
    store = Store(paths)
    assert content(store) == found
    store.close()
    return found


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "root", tmp_path / "run")


def removed(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def without_log(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"")


def scribbled(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + b"garbage " * 4096)


def no_database(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def emptied(path: Path) -> None:
    removed(path)
    path.touch()


def one_letter(path: Path) -> None:
    raw = path.read_bytes()
    assert b"A=1" in raw
    path.write_bytes(raw.replace(b"A=1", b"A=2"))


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folded(paths: Paths) -> None:
    """What the log has, written into the file."""
    database = sqlite3.connect(paths.database)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


@pytest.mark.parametrize(
    "damage", [removed, without_log, scribbled, no_database, emptied, one_letter, half]
)
def test_damage_is_said_and_undone(
    paths: Paths, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    told = fill(paths)
    if damage is not without_log:
        folded(paths)
    damage(paths.database)
    assert reopened(paths) == told
    (line,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    assert str(paths.database) in line
    assert f"rebuilt {CONTAINERS - 1} containers, 1 images, 1 networks, 1 volumes" in line
    if damage is not removed:
        assert list(paths.root.glob("drayman.db.corrupt-*"))
    assert (paths.volume_data("vol") / "kept").read_text() == "data"


def test_a_start_after_a_kill_is_none_of_that(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    told = fill(paths)
    assert reopened(paths) == told
    assert not caplog.records


def test_what_has_no_readable_record_is_kept(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    told = fill(paths)
    folded(paths)
    victim = paths.container(f"{3:064x}")
    (victim.upper / "work").write_text("a day's")
    place = victim.home / "record.json"
    place.write_bytes(place.read_bytes()[:100])
    (paths.volumes / "vol" / "record.json").write_text('{"Name": 3}\n')
    removed(paths.database)
    found = reopened(paths)
    assert found["volumes"] == []
    assert found["containers"] == [
        one for one in told["containers"] if isinstance(one, Container) and one.id != f"{3:064x}"
    ]
    (lost,) = paths.lost.iterdir()
    assert (lost / "containers" / f"{3:064x}" / "upper" / "work").read_text() == "a day's"
    assert (lost / "volumes" / "vol" / "_data" / "kept").read_text() == "data"
    assert f"containers {3:064x} has no record" in caplog.text
    assert str(lost) in caplog.text


def test_a_damaged_copy_takes_its_row_from_a_damaged_database(paths: Paths) -> None:
    told = fill(paths)
    folded(paths)
    (paths.container(f"{3:064x}").home / "record.json").write_bytes(b"{")
    database = sqlite3.connect(paths.database)
    database.execute("UPDATE volumes SET body = x'00'")
    database.commit()
    database.close()
    assert reopened(paths) == told


def test_a_name_held_twice_stays_with_the_later(
    paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    fill(paths)
    (paths.container(f"{5:064x}").home / "record.json").write_bytes(
        sealing.seal(box(5, "name4"), 1000)
    )
    removed(paths.database)
    names = {
        one.id: one.name for one in reopened(paths)["containers"] if isinstance(one, Container)
    }
    assert names[f"{5:064x}"] == "name4"
    assert names[f"{4:064x}"] == f"name4-{0:012x}"
    assert f"is now named name4-{0:012x}" in caplog.text


def test_a_copy_in_another_place_is_not_believed(paths: Paths) -> None:
    fill(paths)
    shutil.copytree(paths.container(f"{5:064x}").home, paths.containers / "copied")
    removed(paths.database)
    assert len(reopened(paths)["containers"]) == CONTAINERS - 1


def test_the_version_before_gets_copies_and_seals(paths: Paths) -> None:
    told = fill(paths)
    database = sqlite3.connect(paths.database)
    for table, records in told.items():
        for one in records:
            database.execute(
                f"UPDATE {table} SET body = ? WHERE id = ?",
                (go_json.dumps(one), getattr(one, "id", "vol")),
            )
    database.execute("DELETE FROM meta WHERE key = 'revision'")
    database.execute("UPDATE meta SET value = '1'")
    database.execute("PRAGMA user_version = 0")
    database.commit()
    database.close()
    for copy in (*paths.root.glob("*/*/record.json"), *paths.root.glob("*/*.json")):
        copy.unlink()
    assert reopened(paths) == told
    removed(paths.database)
    assert reopened(paths) == told


def test_a_held_database_is_not_damaged(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(paths)
    monkeypatch.setattr("drayman.engine.store.BUSY_TIMEOUT_S", 0.01)
    holder = sqlite3.connect(paths.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(System, match="locked"):
        Store(paths)
    holder.close()
    assert not list(paths.root.glob("drayman.db.corrupt-*"))


def test_a_directory_in_its_place_is_refused(paths: Paths) -> None:
    paths.make()
    paths.database.mkdir()
    with pytest.raises(System, match="cannot open the database"):
        Store(paths)


def test_a_removal_that_was_not_synced_stays_one(paths: Paths) -> None:
    told = fill(paths)
    again = paths.container(f"{0:064x}")
    again.make()
    (again.home / "record.json").write_bytes(sealing.seal(box(0, "gone"), 1))
    assert reopened(paths) == told
    removed(paths.database)
    assert reopened(paths) == told


def test_a_seal_tells_of_any_change() -> None:
    sealed = sealing.seal(box(1, "one"), 7)
    assert sealing.unseal(sealed, Container) == (box(1, "one"), 7)
    for place in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[place] ^= 1 << bit
            with pytest.raises(InvalidParameter):
                sealing.unseal(bytes(changed), Container)


class Damage(msgspec.Struct):
    """What is done to a file: bits are flipped, then its end is cut off, by fractions."""

    flips: list[tuple[float, int]]
    left: float


fractions = st.floats(0, 1, exclude_max=True)
damages = st.builds(
    Damage,
    flips=st.lists(st.tuples(fractions, st.integers(0, 7)), max_size=8),
    left=st.one_of(st.just(1.0), fractions),
)


def hurt(path: Path, damage: Damage) -> None:
    raw = bytearray(path.read_bytes())
    for fraction, bit in damage.flips:
        if raw:
            raw[int(fraction * len(raw))] ^= 1 << bit
    path.write_bytes(raw[: int(damage.left * len(raw))])


class Killed(msgspec.Struct):
    """A root whose engine was killed, and what the engine had been told."""

    root: Path
    told: dict[str, list[object]]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    place = tmp_path_factory.mktemp("killed")
    paths = Paths(place / "root", place / "run")
    return Killed(paths.root, fill(paths))


@settings(deadline=None, max_examples=150)
@given(folds=st.booleans(), in_log=st.booleans(), damage=damages)
def test_no_damage_loses_a_record(
    killed: Killed, folds: bool, in_log: bool, damage: Damage
) -> None:
    with tempfile.TemporaryDirectory() as place:
        paths = Paths(Path(place) / "root", Path(place) / "run")
        shutil.copytree(killed.root, paths.root)
        told = killed.told
        if folds:
            folded(paths)
        log = paths.database.with_name("drayman.db-wal")
        hurt(log if in_log and log.exists() else paths.database, damage)
        assert reopened(paths) == told
