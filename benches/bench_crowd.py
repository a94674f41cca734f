"""A crowd of idle containers: what lists and inspection take, how soon a new engine has them all,
and what memory each costs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.bench_memory import overhead_kib
from benches.client import Client
from benches.conftest import Sizes
from benches.engines import Engine

STARTED_AT_ONCE = 16
IDLE = {"Image": "busybox", "Cmd": ["sleep", "36000"], "HostConfig": {"NetworkMode": "none"}}
RESTARTS = 3
# Starting and removing them takes a peer minutes.
pytestmark = pytest.mark.timeout(900)


class Crowd(msgspec.Struct, frozen=True):
    """Containers of one engine, and its processes' memory before they were there."""

    names: list[str]
    before_kib: int


@pytest.fixture(scope="module")
def crowd(engine: Engine, sizes: Sizes) -> Iterator[Crowd]:
    """Containers that sleep."""
    before_kib = overhead_kib(engine)
    with ThreadPoolExecutor(STARTED_AT_ONCE) as pool:
        names = list(pool.map(lambda _: started(engine), range(sizes.crowd[engine.name])))
    yield Crowd(names, before_kib)
    with ThreadPoolExecutor(STARTED_AT_ONCE) as pool:
        list(pool.map(lambda name: engine.run("rm", "-f", name), names))


def started(engine: Engine) -> str:
    """One of them, without the CLI's own cost."""
    with Client(engine.host) as client:
        name = str(client.post("/containers/create", IDLE)["Id"])
    with Client(engine.host) as client:
        client.act(f"/containers/{name}/start")
    return name


def ask(engine: Engine, path: str) -> None:
    """One request on a connection of its own."""
    with Client(engine.host) as client:
        client.get(path)


def group(work: str, sizes: Sizes) -> str:
    """The name of a bench, with how many containers each engine has."""
    return f"{work}, {sizes.crowd['drayman']} idle containers (the peer: {sizes.crowd['dockerd']})"


def bench_list(benchmark: BenchmarkFixture, engine: Engine, crowd: Crowd, sizes: Sizes) -> None:
    benchmark.group = group("list", sizes)
    benchmark.pedantic(ask, (engine, "/containers/json"), rounds=sizes.rounds, warmup_rounds=1)


def bench_inspect(benchmark: BenchmarkFixture, engine: Engine, crowd: Crowd, sizes: Sizes) -> None:
    benchmark.group = group("inspect one", sizes)
    path = f"/containers/{crowd.names[len(crowd.names) // 2]}/json"
    benchmark.pedantic(ask, (engine, path), rounds=sizes.rounds, warmup_rounds=1)


def bench_stats(benchmark: BenchmarkFixture, engine: Engine, crowd: Crowd, sizes: Sizes) -> None:
    benchmark.group = group("stats of one, one-shot", sizes)
    path = f"/containers/{crowd.names[len(crowd.names) // 2]}/stats?stream=0&one-shot=1"
    benchmark.pedantic(ask, (engine, path), rounds=sizes.rounds, warmup_rounds=1)


def bench_recover(benchmark: BenchmarkFixture, engine: Engine, crowd: Crowd, sizes: Sizes) -> None:
    """From a new engine's start to its first answer; then every container is there."""
    benchmark.group = group("restart of the engine", sizes)
    container_kib = (overhead_kib(engine) - crowd.before_kib) / len(crowd.names)
    benchmark.pedantic(engine.start, setup=engine.stop, rounds=min(sizes.rounds, RESTARTS))
    assert set(engine.output("ps", "-q", "--no-trunc").split()) == set(crowd.names)
    benchmark.extra_info["container_kib"] = container_kib
