"""The server as a process: signals, and the status it ends with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.client import PATIENCE_S, Client

PROGRAM = """
import sys, uvloop
from drayman.api.listeners import listen
from drayman.server import serve
from tests.api.fake import Fake

listeners = listen(sys.argv[1])
print("listening", flush=True)
uvloop.run(serve(Fake(), listeners, reload=lambda: print("read again", flush=True)))
print("ended", flush=True)
"""


class Process:
    """The server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        root = Path(__file__).parents[2]
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, f"unix://{path}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": f"{root}:{root / 'python'}"},
        )

    def line(self) -> str:
        """What it says next."""
        assert self.popen.stdout
        return self.popen.stdout.readline().strip()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A server that listens."""
    one = Process(tmp_path / "d.sock")
    assert one.line() == "listening"
    with Client(str(one.path)) as client:
        assert client.ask("GET", "/_ping").status == 200
    yield one
    one.popen.kill()
    one.popen.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well(process: Process, number: int) -> None:
    with Client(str(process.path)) as following, Client(str(process.path)) as idle:
        following.request("GET", "/events")
        assert following.head()[0] == 200
        assert idle.ask("GET", "/_ping").status == 200
        began = time.monotonic()
        process.popen.send_signal(number)
        output, errors = process.popen.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - began < 2
    assert (process.popen.returncode, output, errors) == (0, "ended\n", "")
    assert not process.path.exists()


def test_it_reads_its_settings_again(process: Process) -> None:
    process.popen.send_signal(signal.SIGHUP)
    assert process.line() == "read again"
    with Client(str(process.path)) as client:
        assert client.ask("GET", "/_ping").status == 200


def test_it_sleeps_when_nothing_happens(process: Process) -> None:
    def switches() -> int:
        """How often it was woken; to be driven off a busy processor is not its doing."""
        status = Path(f"/proc/{process.popen.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = switches()
    # Time is what is measured here, not waited for.
    time.sleep(0.5)
    assert switches() - before <= 2
