"""Finding a place in a large log, following one that grows, and what grepping costs."""

from __future__ import annotations

import datetime
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.conftest import Sizes
from benches.engines import Engine

ROUNDS = 3
# A peer may read all of it, for minutes.
LIMIT_S = 900
TICKS_S = os.sysconf("SC_CLK_TCK")
# The first record of the large log, at midnight; the others follow, one a second.
BEGIN_S = 19_676 * 86_400
DAY_S = 86_400
TEXT = "GET /index.html HTTP/1.1 200 an ordinary line of an ordinary server's log"
NEEDLE = "needle"
# Of a day's records, one in so many has it.
NEEDLE_EVERY = 10_000
# What is followed, and how often that is said.
SAID_BYTES, SAYS_S = 500, 0.01


@pytest.fixture(scope="session")
def large(engine: Engine, sizes: Sizes) -> Iterator[tuple[str, int]]:
    """A container with a log of 2 GB (at full size), and how many days are in it."""
    name = engine.output("run", "-d", "--network", "none", "busybox", "true")
    engine.run("wait", name)
    path = Path(engine.output("inspect", "-f", "{{.LogPath}}", name))
    day = b"".join(record(second) for second in range(DAY_S))
    days = max(1, sizes.log_bytes * 15 // len(day))
    with path.open("wb") as log:
        for number in range(days):
            date = datetime.date.fromtimestamp(BEGIN_S) + datetime.timedelta(days=number)
            log.write(day.replace(b"DATE", date.isoformat().encode()))
    if engine.name == "drayman":
        # What our writer notes of a log that is in order.
        os.setxattr(path, "user.drayman.late_ns", b"0")
    yield name, days
    engine.run("rm", name)


def record(second: int) -> bytes:
    """A record of a day, without its date."""
    text = f"{NEEDLE} {TEXT}" if second % NEEDLE_EVERY == 0 else TEXT
    clock = time.strftime("%H:%M:%S", time.gmtime(second))
    return f'{{"log":"{text}\\n","stream":"stdout","time":"DATET{clock}Z"}}\n'.encode()


def near_end(days: int) -> str:
    """The last hundred records."""
    return f"since={BEGIN_S + days * DAY_S - 100}"


def in_middle(days: int) -> str:
    """A hundred records."""
    middle = BEGIN_S + days * DAY_S // 2
    return f"since={middle}&until={middle + 99}"


LOOKS = {
    "tail=100 of a large log": lambda _: "tail=100",
    "since near the end of a large log": near_end,
    "a hundred since the middle of a large log": in_middle,
}


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("what", LOOKS)
def bench_look(
    benchmark: BenchmarkFixture, engine: Engine, large: tuple[str, int], sizes: Sizes, what: str
) -> None:
    name, days = large
    benchmark.group = f"logs, {what}, by curl"
    path = f"/containers/{name}/logs?stdout=1&{LOOKS[what](days)}"
    benchmark.pedantic(engine.curl, (path,), rounds=min(sizes.rounds, ROUNDS))


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.benchmark(group="logs, a rare word in a large log")
def bench_grep(
    benchmark: BenchmarkFixture, engine: Engine, large: tuple[str, int], sizes: Sizes
) -> None:
    """Ours by the engine, the peer's by its client and grep, as its users do it."""
    name, days = large
    expected = days * (1 + (DAY_S - 1) // NEEDLE_EVERY)

    def work() -> int:
        if engine.name == "drayman":
            socket = engine.host.removeprefix("unix://")
            path = f"/containers/{name}/logs?stdout=1&grep={NEEDLE}"
            command = ["curl", "-sf", "--unix-socket", socket, f"http://engine{path}"]
            return subprocess.check_output(command).count(NEEDLE.encode())
        with subprocess.Popen(
            ["docker", "-H", engine.host, "logs", name], stdout=subprocess.PIPE
        ) as told:
            return int(subprocess.check_output(["grep", "-c", NEEDLE], stdin=told.stdout))

    assert benchmark.pedantic(work, rounds=1) == expected


@pytest.mark.benchmark(group="logs -f at 50 kB/s (CPU in extra_info)")
def bench_follow(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    """What serves it: the engine with its children, and the container's shim."""
    seconds = 10 if sizes.rounds > 1 else 1
    times = int(seconds / SAYS_S)
    line = "x" * (SAID_BYTES - 1)
    name = engine.output(
        "run", "-d", "--network", "none", "busybox",
        "sh", "-c", f"for i in $(seq {times}); do echo {line}; usleep {int(SAYS_S * 1e6)}; done; "
        "sleep 3600",
    )  # fmt: skip
    init = engine.output("inspect", "-f", "{{.State.Pid}}", name)
    serving = {*with_children(engine.process.pid), parent(int(init))}

    def work() -> float:
        command = ["docker", "-H", engine.host, "logs", "-f", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as follower:
            assert follower.stdout is not None
            # Its beginning is not what it costs to follow.
            taken = len(follower.stdout.read(SAID_BYTES * 10))
            began, before = time.monotonic(), sum(map(cpu_s, serving))
            taken += len(follower.stdout.read(SAID_BYTES * (times - 10)))
            spent = sum(map(cpu_s, serving)) - before
            follower.kill()
        assert taken == times * SAID_BYTES
        return 1000 * spent / (time.monotonic() - began)

    benchmark.extra_info["cpu_permille"] = benchmark.pedantic(work, rounds=1)
    engine.run("rm", "-f", name)


def with_children(pid: int) -> list[int]:
    """A process, and those that it has started itself."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def parent(pid: int) -> int:
    """Who started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def cpu_s(pid: int) -> float:
    """The time that a process has run, nothing once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_S
