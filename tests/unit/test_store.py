"""The store keeps what it was given, whatever happens to the process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from drayman.engine.store import Store
from drayman.errors import System
from drayman.model.container import Container, ContainerConfig, HostConfig, State
from drayman.model.image import Image, ImageConfig
from drayman.model.mount import MountPoint, Volume
from drayman.model.network import IPAM, IPAMConfig, Network, PortBinding
from drayman.storage.paths import Paths


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Paths(tmp_path, tmp_path / "run"))


def container(number: int, name: str) -> Container:
    return Container(
        id=f"{number:064x}",
        name=name,
        created_at_ns=1,
        image_id="sha256:1",
        config=ContainerConfig(env=["A=ö\x00"], labels={"k": "v"}),
        host_config=HostConfig(memory=1 << 62, blkio_device_read_iops=[]),
        state=State(status="exited", exit_code=3),
        mount_points=[MountPoint(type="volume", rw=False)],
        ports={"80/tcp": [PortBinding(host_port="8080")], "81/tcp": None},
    )


def test_records_come_back_as_they_went(store: Store, tmp_path: Path) -> None:
    box = container(1, "one")
    image = Image(id="sha256:1", config=ImageConfig(cmd=["sh"]), tags=["a:b"], layer_ids=["x"])
    network = Network(id="n", name="bridge", ipam=IPAM(config=[IPAMConfig(subnet="10.0.0.0/8")]))
    volume = Volume(name="v", labels={"a": ""}, anonymous=True)
    assert store.containers.put(box) is None
    assert store.images.put(image) is None
    assert store.networks.put(network) is None
    assert store.volumes.put(volume) is None
    store.close()
    again = Store(Paths(tmp_path, tmp_path / "run"))
    assert again.containers.all() == [box]
    assert again.images.get("sha256:1") == image
    assert again.networks.by_name("bridge") == network
    assert again.volumes.get("v") == volume


def test_a_name_has_one_holder(store: Store) -> None:
    first, second = container(1, "one"), container(2, "one")
    assert store.containers.put(first) is None
    assert store.containers.put(second) == first.id
    assert store.containers.get(second.id) is None
    assert store.containers.put(container(1, "other")) is None
    assert store.containers.put(second) is None
    assert store.containers.by_name("one") == second


def test_several_records_are_written_together_or_not_at_all(store: Store) -> None:
    store.containers.put(container(1, "one"))
    assert store.containers.put(container(2, "two"), container(3, "one")) == f"{1:064x}"
    assert store.containers.get(f"{2:064x}") is None
    with pytest.raises(System, match="UNIQUE"):
        store.containers.put(container(4, "same"), container(5, "same"))
    assert [one.name for one in store.containers.all()] == ["one"]


def test_images_have_no_names(store: Store) -> None:
    store.images.put(Image(id="sha256:1"), Image(id="sha256:2"))
    assert len(store.images.all()) == 2


def test_delete_is_harmless_twice(store: Store) -> None:
    store.containers.put(container(1, "one"), container(2, "two"))
    for _ in range(2):
        store.containers.delete(f"{1:064x}", f"{2:064x}")
        assert store.containers.all() == []


def test_threads_take_turns(store: Store) -> None:
    def work(base: int) -> None:
        for number in range(20):
            assert store.containers.put(container(base + number, f"n{base + number}")) is None
            assert store.containers.get(f"{base + number:064x}")

    threads = [threading.Thread(target=work, args=(base,)) for base in (100, 200, 300, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.containers.all()) == 80


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "drayman.db"
    Store(Paths(tmp_path, tmp_path / "run")).close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(System, match="schema 99"):
        Store(Paths(tmp_path, tmp_path / "run"))


WRITER = """
import sys
from pathlib import Path
from drayman.engine.store import Store
from drayman.model.mount import Volume
from drayman.storage.paths import Paths
root = Path(sys.argv[1])
store = Store(Paths(root, root))
for number in range(1_000_000):
    store.volumes.put(Volume(name=f"a{number}"), Volume(name=f"b{number}"))
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    done = -1
    for kill_after in (1, 7, 40):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(kill_after):
            done = max(done, int(writer.stdout.readline()))
        writer.kill()
        done = max([done, *(int(line) for line in writer.stdout.read().split())])
        writer.wait()
        writer.stdout.close()
        store = Store(Paths(tmp_path, tmp_path / "run"))
        names = {volume.name for volume in store.volumes.all()}
        store.close()
        assert {f"{half}{number}" for half in "ab" for number in range(done + 1)} <= names
        # Both of a transaction, or none.
        assert {name[1:] for name in names if name[0] == "a"} == {
            name[1:] for name in names if name[0] == "b"
        }
