"""Tars out of containers and into them by the API alone, beside programs that pack and unpack
the same trees on the same file systems."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.client import Client, drain
from benches.conftest import Sizes
from benches.engines import Engine
from benches.sendfile import sendfile_server

ROUNDS = 3
TARS = {"GNU tar": "tar", "bsdtar": "bsdtar"}
# As much as a unix socket has by itself, and more.
SEND_BUFFERS = {"sendfile, 208 KiB": 208 << 10, "sendfile, 1 MiB": 1 << 20}
SEND_BUFFERS["sendfile, 4 MiB"] = 4 << 20
WHAT = {"big": "one large file", "small": "many small files"}

tars = pytest.mark.parametrize("peer", list(TARS))
drayman_alone = pytest.mark.parametrize("engine", ["drayman"], indirect=True)
both = pytest.mark.parametrize("what", list(WHAT))


@pytest.fixture(scope="session")
def trees(big_file: Path, small_files: Path) -> dict[str, Path]:
    """What is packed."""
    return {"big": big_file, "small": small_files}


@pytest.fixture(scope="session")
def packed(trees: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is unpacked: tars of the same."""
    place = tmp_path_factory.mktemp("tars")
    for name, tree in trees.items():
        subprocess.run(["tar", "-cf", place / name, tree.name], cwd=tree.parent, check=True)
    return {name: place / name for name in trees}


@pytest.fixture(scope="session")
def tmpfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tmpfs of the host."""
    place = tmp_path_factory.mktemp("tmpfs")
    subprocess.run(["mount", "-t", "tmpfs", "bench", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def measure(
    benchmark: BenchmarkFixture,
    sizes: Sizes,
    group: str,
    work: Callable[[], object],
    before_each: Callable[[], None] | None = None,
) -> None:
    benchmark.group = group
    rounds = min(sizes.rounds, ROUNDS)
    # What is read should be in the page cache; what is written never is.
    warmup_rounds = 0 if before_each else 1
    benchmark.pedantic(work, setup=before_each, rounds=rounds, warmup_rounds=warmup_rounds)


# ---------------------------------------------------------------- out


@both
def bench_out(
    benchmark: BenchmarkFixture,
    engine: Engine,
    container: str,
    packed: dict[str, Path],
    sizes: Sizes,
    what: str,
) -> None:
    with Client(engine.host) as client:
        client.put(f"/containers/{container}/archive?path=/", packed[what])
    path = f"/containers/{container}/archive?path=/{what}"

    def get() -> None:
        with Client(engine.host) as client:
            assert client.get(path) > packed[what].stat().st_size * 0.9

    measure(benchmark, sizes, f"tar out, {WHAT[what]}", get)


@both
@tars
def bench_pack(
    benchmark: BenchmarkFixture, trees: dict[str, Path], sizes: Sizes, what: str, peer: str
) -> None:
    command = [TARS[peer], "-cf", "-", what]
    measure(benchmark, sizes, f"tar out, {WHAT[what]}", lambda: drain(command, trees[what].parent))


@pytest.mark.parametrize("peer", list(SEND_BUFFERS))
def bench_bound(
    benchmark: BenchmarkFixture, big_file: Path, tmp_path: Path, sizes: Sizes, peer: str
) -> None:
    with sendfile_server(tmp_path, big_file, SEND_BUFFERS[peer]) as host:

        def get() -> None:
            with Client(host) as client:
                assert client.get("/") > sizes.big_file_bytes

        measure(benchmark, sizes, f"tar out, {WHAT['big']}", get)


# ---------------------------------------------------------------- in


@both
def bench_in_disk(
    benchmark: BenchmarkFixture,
    engine: Engine,
    container: str,
    packed: dict[str, Path],
    sizes: Sizes,
    what: str,
) -> None:
    put_anew(benchmark, engine, container, "/in", packed[what], sizes, what, "disk")


@both
@drayman_alone
def bench_in_tmpfs(
    benchmark: BenchmarkFixture, engine: Engine, packed: dict[str, Path], sizes: Sizes, what: str
) -> None:
    """Ours alone: dockerd says 200 and writes nothing there."""
    options = ("--network", "none", "--tmpfs", "/t:size=3g")
    container = engine.output("run", "-d", *options, "busybox", "sleep", "3600")
    put_anew(benchmark, engine, container, "/t/in", packed[what], sizes, what, "tmpfs")
    engine.run("rm", "-f", container)


def put_anew(
    benchmark: BenchmarkFixture,
    engine: Engine,
    container: str,
    place: str,
    tar: Path,
    sizes: Sizes,
    what: str,
    where: str,
) -> None:
    script = f"rm -rf {place}; mkdir {place}"

    def put() -> None:
        with Client(engine.host) as client:
            client.put(f"/containers/{container}/archive?path={place}", tar)

    measure(
        benchmark,
        sizes,
        f"tar in, {WHAT[what]} ({where})",
        put,
        lambda: engine.run("exec", container, "sh", "-c", script),
    )
    engine.run("exec", container, "rm", "-rf", place)


@both
@tars
@pytest.mark.parametrize("where", ["disk", "tmpfs"])
def bench_unpack(
    benchmark: BenchmarkFixture,
    packed: dict[str, Path],
    tmpfs: Path,
    tmp_path: Path,
    sizes: Sizes,
    what: str,
    peer: str,
    where: str,
) -> None:
    """From a file, which costs a program less than a socket costs an engine."""
    place = (tmpfs if where == "tmpfs" else tmp_path) / "in"

    def anew() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()

    def unpack() -> None:
        subprocess.run([TARS[peer], "-xf", packed[what]], cwd=place, check=True)

    measure(benchmark, sizes, f"tar in, {WHAT[what]} ({where})", unpack, anew)
    shutil.rmtree(place)
