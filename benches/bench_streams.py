"""Standard output: live and from the log."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.client import Client
from benches.conftest import Sizes
from benches.engines import Engine
from benches.pump import pump
from benches.sendfile import sendfile_server

ROUNDS = 3
LINE_BYTES = 139


@pytest.mark.benchmark(group="logs, by the CLI")
def bench_logs_cli(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    name = talker(engine, sizes)
    benchmark.pedantic(engine.run, ("logs", name), rounds=min(sizes.rounds, ROUNDS))
    engine.run("rm", name)


@pytest.mark.benchmark(group="logs, by the CLI")
@pytest.mark.parametrize("engine", ["drayman"], indirect=True)
@pytest.mark.parametrize("peer", ["canned answer"])
def bench_logs_cli_bound(
    benchmark: BenchmarkFixture, engine: Engine, tmp_path: Path, sizes: Sizes, peer: str
) -> None:
    """The bound: the CLI, when what it is answered lies ready."""
    name = talker(engine, sizes)
    paths = {
        "_ping": "/_ping",
        "json": f"/containers/{name}/json",
        "logs": f"/containers/{name}/logs?stdout=1&stderr=1",
    }
    for answer, path in paths.items():
        with Client(engine.host) as client:
            client.save(path, tmp_path / answer)
    engine.run("rm", name)
    answers = {answer: tmp_path / answer for answer in paths}
    with sendfile_server(tmp_path, answers["logs"], 1 << 20, **answers) as host:
        command = ["docker", "-H", host, "logs", name]
        benchmark.pedantic(
            subprocess.run,
            (command,),
            {"check": True, "stdout": subprocess.DEVNULL},
            rounds=min(sizes.rounds, ROUNDS),
        )


@pytest.mark.benchmark(group="logs, by curl")
def bench_logs_curl(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    name = talker(engine, sizes)
    path = f"/containers/{name}/logs?stdout=1"
    benchmark.pedantic(engine.curl, (path,), rounds=min(sizes.rounds, ROUNDS))
    engine.run("rm", name)


@pytest.mark.benchmark(group="run … head -c N /dev/zero | wc -c")
def bench_stdout_bytes(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    size = sizes.big_file_bytes // 2
    through(benchmark, engine, ("head", "-c", str(size), "/dev/zero"), size, sizes)


@pytest.mark.benchmark(group="run … head -c N /dev/zero | wc -c")
@pytest.mark.parametrize("peer", ["bare write of the log"])
def bench_bare_write(benchmark: BenchmarkFixture, tmp_path: Path, sizes: Sizes, peer: str) -> None:
    """The bound: each zero is six bytes in the log."""
    block = b"\\u0000" * (256 << 10)
    size = sizes.big_file_bytes // 2 * len(b"\\u0000")

    def write() -> None:
        with (tmp_path / "log").open("wb", buffering=0) as log:
            for _ in range(size // len(block)):
                log.write(block)

    benchmark.pedantic(write, rounds=min(sizes.rounds, ROUNDS))
    (tmp_path / "log").unlink()


@pytest.mark.benchmark(group="run … cat N bytes of lines | wc -c")
def bench_stdout_lines(
    benchmark: BenchmarkFixture, engine: Engine, log_text: Path, sizes: Sizes
) -> None:
    size = log_text.stat().st_size
    through(benchmark, engine, ("cat", "/log"), size, sizes, "-v", f"{log_text}:/log:ro")


@pytest.mark.benchmark(group="stream of an exec")
def bench_exec_stream(
    benchmark: BenchmarkFixture, engine: Engine, log_text: Path, sizes: Sizes
) -> None:
    name = engine.output(
        "run", "-d", "--network", "none", "-v", f"{log_text}:/log:ro", "busybox", "sleep", "3600"
    )
    made = {"Cmd": ["cat", "/log"], "AttachStdout": True}

    def work() -> None:
        with Client(engine.host) as client:
            started = client.post(f"/containers/{name}/exec", made)
        with Client(engine.host) as client:
            total = client.rest(client.hijack(f"/exec/{started['Id']}/start", {}))
        assert total > log_text.stat().st_size

    benchmark.pedantic(work, rounds=min(sizes.rounds, ROUNDS), warmup_rounds=1)
    engine.run("rm", "-f", name)


@pytest.mark.benchmark(group="stream of an attachment, without a log")
def bench_attach_stream(
    benchmark: BenchmarkFixture, engine: Engine, log_text: Path, sizes: Sizes
) -> None:
    """From a word to the last byte of what it prints then."""
    name = engine.output(
        "create", "-i", "--network", "none", "--log-driver", "none", "-v", f"{log_text}:/log:ro",
        "busybox", "sh", "-c", "while read x; do cat /log; echo; done",
    )  # fmt: skip
    attach = f"/containers/{name}/attach?stream=1&stdout=1&stdin=1"
    with Client(engine.host) as client:
        client.hijack(attach, None)
        engine.run("start", name)

        def work() -> None:
            client.say(b"go\n")
            client.read(log_text.stat().st_size)

        benchmark.pedantic(work, rounds=min(sizes.rounds, ROUNDS), warmup_rounds=1)
    engine.run("rm", "-f", name)


@pytest.mark.parametrize("peer", ["bare pump"])
@pytest.mark.parametrize("group", ["of an exec", "of an attachment, without a log"])
def bench_pump(
    benchmark: BenchmarkFixture,
    log_text: Path,
    tmp_path: Path,
    sizes: Sizes,
    group: str,
    peer: str,
) -> None:
    """The bound: a pipe spliced into a socket."""
    benchmark.group = f"stream {group}"
    with pump(tmp_path, "busybox", "cat", str(log_text)) as host:

        def work() -> None:
            with Client(host) as client:
                assert client.get("/") > log_text.stat().st_size

        benchmark.pedantic(work, rounds=min(sizes.rounds, ROUNDS), warmup_rounds=1)


def through(
    benchmark: BenchmarkFixture,
    engine: Engine,
    command: tuple[str, ...],
    size: int,
    sizes: Sizes,
    *options: str,
) -> None:
    """Count what comes out of ``docker run``."""
    run = ["docker", "-H", engine.host, "run", "--rm", "--network", "none", *options, "busybox"]

    def work() -> None:
        with subprocess.Popen([*run, *command], stdout=subprocess.PIPE) as process:
            counted = subprocess.check_output(["wc", "-c"], stdin=process.stdout)
        assert int(counted) == size

    benchmark.pedantic(work, rounds=min(sizes.rounds, ROUNDS))


def talker(engine: Engine, sizes: Sizes) -> str:
    """A container that has written a log of the size wanted."""
    line = "x" * (LINE_BYTES - 1)
    name = engine.output(
        "run", "-d", "--network", "none", "busybox",
        "sh", "-c", f"yes {line} | head -n {sizes.log_bytes // LINE_BYTES}",
    )  # fmt: skip
    engine.run("wait", name)
    return name
