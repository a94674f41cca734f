"""Memory: the idle engine, and what each idle container costs outside itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.conftest import Sizes
from benches.engines import Engine

SAMPLE_S = 0.02


@pytest.mark.benchmark(group="start of 1 idle container (memory in extra_info)")
def bench_idle(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    before = overhead_kib(engine)
    command = ("run", "-d", "--network", "none", "busybox", "sleep", "3600")
    names = []
    benchmark.pedantic(lambda: names.append(engine.output(*command)), rounds=sizes.idle_containers)
    after = overhead_kib(engine)
    benchmark.extra_info["idle_engine_kib"] = before
    benchmark.extra_info["container_kib"] = (after - before) / len(names)
    engine.run("rm", "-f", *names)


def overhead_kib(engine: Engine) -> int:
    """The proportional memory of the engine's processes, containers' own left out."""
    return sum(pss_kib(pid) for pid in engine.processes())


def pss_kib(pid: int) -> int:
    """Proportional set size of one process, 0 when it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(row.split()[1]) for row in rollup.splitlines() if row.startswith("Pss:"))


@pytest.mark.benchmark(group="run … cat N bytes of lines (peak memory in extra_info)")
def bench_flow(benchmark: BenchmarkFixture, engine: Engine, log_text: Path, sizes: Sizes) -> None:
    """How much more memory all of an engine's processes have at most, while one container prints
    as fast as its client reads."""
    before = overhead_kib(engine)
    command = ("run", "--rm", "--network", "none", "-v", f"{log_text}:/log:ro", "busybox")
    peaks = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            peaks.append(overhead_kib(engine))

    sampler = threading.Thread(target=sample)
    sampler.start()
    benchmark.pedantic(engine.run, (*command, "cat", "/log"), rounds=min(sizes.rounds, 3))
    ended.set()
    sampler.join()
    benchmark.extra_info["above_idle_kib"] = max(peaks, default=before) - before


PEAKS = ["cp out", "cp out as gzip", "export", "cp in"]


@pytest.mark.parametrize("work", PEAKS)
def bench_peak(
    benchmark: BenchmarkFixture,
    engine: Engine,
    container: str,
    big_file: Path,
    small_files: Path,
    sizes: Sizes,
    work: str,
) -> None:
    """How much more memory the engine's process has at most, while it moves files."""
    benchmark.group = f"{work} of all files (peak memory in extra_info)"
    for file in (big_file, small_files):
        engine.run("cp", str(file), f"{container}:/home")
    archive = f"/containers/{container}/archive?path=/home"
    todo: dict[str, Callable[[], object]] = {
        "cp out": lambda: engine.curl(archive),
        "cp out as gzip": lambda: engine.curl(archive, "-H", "Accept-Encoding: gzip"),
        "export": lambda: engine.curl(f"/containers/{container}/export"),
        "cp in": lambda: [
            engine.run("cp", str(file), f"{container}:/root") for file in (big_file, small_files)
        ],
    }
    process = Path(f"/proc/{engine.process.pid}")
    # Write 5: the peak begins anew (proc(5)).
    (process / "clear_refs").write_text("5")
    before = status_kib(process, "VmRSS")
    benchmark.pedantic(todo[work], rounds=1)
    benchmark.extra_info["above_idle_kib"] = status_kib(process, "VmHWM") - before


def status_kib(process: Path, key: str) -> int:
    """A line of ``/proc/PID/status``."""
    rows = (process / "status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith(f"{key}:"))
