"""Layers are unpacked once, stacked in order, and swept when nobody needs them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.images import busybox_layers, digest, tar

from drayman import _native
from drayman.errors import InvalidParameter
from drayman.storage.layers import Body, Layers, chain_ids
from drayman.storage.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "root", tmp_path / "run")
    made.make()
    return made


@contextmanager
def body(content: bytes) -> Iterator[Body]:
    descriptor = os.memfd_create("layer")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield Body(descriptor)
    finally:
        os.close(descriptor)


def add(layers: Layers, tars: Sequence[bytes]) -> list[str]:
    diff_ids = [digest(one) for one in tars]
    layers.add(diff_ids, lambda number: body(tars[number]))
    return chain_ids(diff_ids)


@contextmanager
def seen(paths: Paths, lower: list[str], scratch: Path) -> Iterator[int]:
    """The stack as a container sees it."""
    upper, work = scratch / "upper", scratch / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    view = _native.View.stopped(lower, str(upper), str(work), [])
    try:
        yield view.fileno()
    finally:
        view.close()


def test_a_chain_is_that_of_the_specification() -> None:
    first, second = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    assert chain_ids([]) == []
    assert chain_ids([first]) == ["1" * 64]
    assert chain_ids([first, second])[1] == digest(f"{first} {second}".encode())[7:]


def test_a_stack_hides_what_the_upper_layers_took_away(paths: Paths, tmp_path: Path) -> None:
    layers = Layers(paths)
    ids = add(layers, busybox_layers(2))
    lower = layers.lower(ids)
    assert [Path(one).name for one in lower] == [f"init-{ids[1]}", ids[1], ids[0]]
    with seen(paths, lower, tmp_path / "seen") as root:
        assert sorted(os.listdir(f"/proc/self/fd/{root}/etc")) == [
            "hostname", "hosts", "motd", "mtab", "passwd", "resolv.conf",
        ]  # fmt: skip
        assert os.listdir(f"/proc/self/fd/{root}/var") == ["new"]
        assert os.readlink("etc/mtab", dir_fd=root) == "/proc/mounts"
        assert sorted(os.listdir(f"/proc/self/fd/{root}/dev")) == ["console", "pts", "shm"]
        assert stat.S_IMODE(os.stat("tmp", dir_fd=root).st_mode) == 0o1777
        assert os.stat(".dockerenv", dir_fd=root).st_size == 0
    assert not list(paths.temporary.iterdir())


def test_equal_layers_are_unpacked_once(paths: Paths) -> None:
    layers = Layers(paths)
    tars = busybox_layers(2)
    diff_ids = [digest(one) for one in tars]
    asked: list[int] = []

    def layer(number: int) -> object:
        asked.append(number)
        return body(tars[number])

    assert layers.add(diff_ids[:1], layer) == diff_ids[:1]  # type: ignore[arg-type]
    assert layers.add(diff_ids, layer) == diff_ids[1:]  # type: ignore[arg-type]
    assert layers.add(diff_ids, layer) == []  # type: ignore[arg-type]
    assert asked == [0, 1]


def test_the_image_keeps_its_own_files(paths: Paths, tmp_path: Path) -> None:
    layers = Layers(paths)
    ids = add(
        layers,
        [
            tar(
                [
                    ("./", b"", 0o751),
                    ("etc/", b"", 0o700),
                    ("etc/hosts", b"mine\n", 0o600),
                    ("etc/resolv.conf", "../run/resolv.conf", 0o777),
                    ("sys", b"a file\n", 0o644),
                    ("dev", "/elsewhere", 0o777),
                    ("elsewhere/", b"", 0o755),
                ]
            )
        ],
    )
    with seen(paths, layers.lower(ids), tmp_path / "seen") as root:
        with open(os.open("etc/hosts", os.O_RDONLY, dir_fd=root)) as file:
            assert file.read() == "mine\n"
        assert os.readlink("etc/resolv.conf", dir_fd=root) == "../run/resolv.conf"
        assert stat.S_ISREG(os.stat("sys", dir_fd=root).st_mode)
        assert stat.S_IMODE(os.stat("etc", dir_fd=root).st_mode) == 0o700
        # A link that leads out of the root leads back into it.
        assert os.listdir(f"/proc/self/fd/{root}/elsewhere")
        assert not Path("/elsewhere").exists()
    assert stat.S_IMODE(os.stat(layers.lower(ids)[0]).st_mode) == 0o751


def test_an_image_of_no_layers_has_places_to_mount_on(paths: Paths) -> None:
    layers = Layers(paths)
    lower = layers.lower([])
    assert [Path(one).name for one in lower] == ["init-scratch"]
    assert sorted(os.listdir(lower[0])) == [".dockerenv", "dev", "etc", "proc", "sys"]


def test_a_tar_that_is_not_what_was_promised_leaves_nothing(paths: Paths) -> None:
    layers = Layers(paths)
    tars = busybox_layers(2)
    wrong = [digest(tars[0]), digest(b"another")]
    with pytest.raises(InvalidParameter, match="invalid diffID for layer 1: expected"):
        layers.add(wrong, lambda number: body(tars[number]))
    assert not list(paths.layers.iterdir())
    assert not list(paths.temporary.iterdir())


def test_layers_are_swept_unless_somebody_needs_or_makes_them(paths: Paths) -> None:
    layers = Layers(paths)
    ids = add(layers, busybox_layers(2))
    with layers.held(ids):
        assert layers.collect(set) == []
    assert layers.collect(lambda: {ids[0]}) == [ids[1]]
    assert {one.name for one in paths.layers.iterdir()} == {ids[0]}
    assert layers.collect(set) == [ids[0]]
    assert not list(paths.layers.iterdir())


def test_a_lost_init_layer_is_made_again(paths: Paths) -> None:
    layers = Layers(paths)
    ids = add(layers, busybox_layers(1))
    init = Path(layers.lower(ids)[0])
    init.rename(paths.temporary / "lost")
    assert layers.lower(ids)[0] == str(init)
    assert (init / "etc" / "hosts").exists()


def test_the_size_is_that_of_the_files(paths: Paths) -> None:
    layers = Layers(paths)
    (layer_id,) = add(layers, [tar([("a", b"12345", 0o644), ("b/", b"", 0o755)])])
    assert layers.size_bytes(layer_id) == 5
