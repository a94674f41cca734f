"""Short execs by the thousand: none is empty, none is cut, and nothing of them stays."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.shims import descriptors, unframe

# The long run: EXECS=10000.
EXECS = int(os.environ.get("EXECS", "2000"))
AT_A_TIME = 8
OVER_THE_CLI = 24
# Of one shim's own memory: what a hundred execs more may leave behind for a moment.
GROWTH_KIB_MAX = 256


@pytest.fixture(scope="module")
def box(engine_server: EngineServer) -> str:
    return engine_server.running()


def run(engine: EngineServer, box: str, number: int) -> int:
    """One exec, whose output is its number; its id's exit code."""
    script = f"echo out {number}; echo err {number} >&2; exit {number % 100}"
    asked = {"Cmd": ["sh", "-c", script], "AttachStdout": True, "AttachStderr": True}
    exec_id = engine.api("POST", f"/containers/{box}/exec", asked)[1]["Id"]
    connection, _ = engine.hijack(f"/exec/{exec_id}/start", {})
    received = b""
    with connection:
        while part := connection.recv(65536):
            received += part
    assert unframe(received) == {1: f"out {number}\n".encode(), 2: f"err {number}\n".encode()}
    code = engine.api("GET", f"/exec/{exec_id}/json")[1]["ExitCode"]
    assert code == number % 100
    # Its files would take the end of a long run long to delete.
    assert engine.api("DELETE", f"/exec/{exec_id}")[0] == 204
    return int(code)


def private_kib(pid: int) -> int:
    """What the process has to itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_none_is_empty_and_nothing_stays(engine_server: EngineServer, box: str) -> None:
    shim = engine_server.shim(box)

    def many(count: int) -> None:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(lambda number: run(engine_server, box, number), range(count)))

    many(100)
    open_before = sorted(descriptors(shim))
    until(lambda: len(sorted(descriptors(shim))) <= len(open_before))
    before_kib = private_kib(shim)
    many(EXECS)
    until(
        lambda: private_kib(shim) <= before_kib + GROWTH_KIB_MAX,
        lambda: f"{before_kib} KiB became {private_kib(shim)}",
    )
    assert len(list(descriptors(shim))) <= len(open_before)


def test_none_is_empty_over_the_cli(engine_server: EngineServer, box: str) -> None:
    def one(number: int) -> None:
        done = engine_server.docker("exec", box, "sh", "-c", f"echo {number}; exit 3", code=3)
        assert done.stdout == f"{number}\n".encode()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(one, range(OVER_THE_CLI)))
