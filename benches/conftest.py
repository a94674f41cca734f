"""What every bench shares: the engines, a container to work on, and files of known sizes.

With ``--benchmark-disable`` (the ordinary test run) sizes are small: benches are tests then.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from benches.engines import Engine, dockerd, drayman

STARTERS = {"drayman": drayman, "dockerd": dockerd}


class Sizes(msgspec.Struct, frozen=True):
    """How much work a bench does."""

    big_file_bytes: int
    small_files: int
    log_bytes: int
    idle_containers: int
    rounds: int
    pings: int
    checked_containers: int
    parallel_runs: int
    load_clients: int
    # Of the peer fewer: each takes some megabytes, and a second of two processors.
    crowd: dict[str, int]


FULL = Sizes(
    big_file_bytes=1 << 30,
    small_files=20_000,
    log_bytes=139_000_000,
    idle_containers=20,
    rounds=10,
    pings=1000,
    checked_containers=50,
    parallel_runs=100,
    load_clients=50,
    crowd={"drayman": 1000, "dockerd": 200},
)
SMALL = Sizes(
    big_file_bytes=4 << 20,
    small_files=200,
    log_bytes=1_000_000,
    idle_containers=2,
    rounds=1,
    pings=20,
    checked_containers=2,
    parallel_runs=4,
    load_clients=4,
    crowd={"drayman": 4, "dockerd": 2},
)


@pytest.fixture(scope="session")
def sizes(request: pytest.FixtureRequest) -> Sizes:
    """Full for a measurement, small for a test run."""
    return SMALL if request.config.getoption("--benchmark-disable") else FULL


@pytest.fixture(scope="session", params=list(STARTERS))
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn: every bench has a line for each."""
    with (
        tempfile.TemporaryDirectory(prefix="dr") as place,
        STARTERS[request.param](Path(place) / "e") as engine,
    ):
        yield engine


@pytest.fixture
def container(engine: Engine) -> Iterator[str]:
    """A container that sleeps."""
    name = engine.output("run", "-d", "--network", "none", "busybox", "sleep", "3600")
    yield name
    engine.run("rm", "-f", name)


@pytest.fixture(scope="session")
def big_file(tmp_path_factory: pytest.TempPathFactory, sizes: Sizes) -> Path:
    """One large file that does not compress."""
    path = tmp_path_factory.mktemp("big") / "big"
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(sizes.big_file_bytes >> 20):
            file.write(block)
    return path


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory, sizes: Sizes) -> Path:
    """A quarter of the large file's size, of Python's own sources: worth compressing."""
    sources = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
    path = tmp_path_factory.mktemp("text") / "text"
    with path.open("wb") as file:
        while file.tell() < sizes.big_file_bytes // 4:
            file.write(sources)
    return path


@pytest.fixture(scope="session")
def log_text(tmp_path_factory: pytest.TempPathFactory, sizes: Sizes) -> Path:
    """Half the large file's size, of lines as servers print them: about 140 bytes, some quoted."""
    lines = []
    for number in range(1000):
        request = f"GET /v1/items/{number * 7919 % 100_003}?page={number % 17} HTTP/1.1"
        lines.append(
            f'10.1.{number % 200}.7 - - [25/Nov/2026:12:{number % 60:02}:07 +0000] "{request}" 200'
            f' {number * 31} "-" "curl/8.5.0" {number % 97}ms upstream=10.2.0.{number % 9}:8080\n'
        )
    block = "".join(lines).encode()
    path = tmp_path_factory.mktemp("text") / "log"
    whole, rest = divmod(sizes.big_file_bytes // 2, len(block))
    with path.open("wb") as file:
        for _ in range(whole):
            file.write(block)
        file.write(block[:rest])
    return path


@pytest.fixture(scope="session")
def small_files(tmp_path_factory: pytest.TempPathFactory, sizes: Sizes) -> Path:
    """A tree of many files of 1,000 bytes, 100 in each directory."""
    root = tmp_path_factory.mktemp("small") / "small"
    for number in range(sizes.small_files):
        folder = root / str(number // 100)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_bytes(b"x" * 1000)
    return root
