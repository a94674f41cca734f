"""A disk without room for the log: the container goes on, the loss is told, the log resumes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.talking import LINE, Talk, log_directory, talker


@pytest.fixture
def container(engine_server: EngineServer) -> Iterator[str]:
    """One whose log has 128 KiB."""
    with talker(engine_server, "-t", "tmpfs", "-o", "size=128k", "log") as container:
        yield container


def test_a_log_that_finds_no_room(engine_server: EngineServer, container: str) -> None:
    place = log_directory(engine_server, container)
    with Talk(engine_server, container) as talk:
        for round_ in range(3):
            talk.say(f"round {round_}")
        told = lambda: engine_server.log.read_text()  # noqa: E731
        until(lambda: "No space left on device" in told(), told)
        assert engine_server.state(container)["Running"]
        read_back = engine_server.docker("logs", container).stdout
        assert set(read_back.splitlines()[:-1]) <= {
            LINE.encode(),
            *(b"round %d" % k for k in range(3)),
        }
        subprocess.run(["mount", "-o", "remount,size=8m", place], check=True)
        talk.say("after")
        until(lambda: "written again" in told(), told)
        # That may have been told of a small batch before, and a client may have this one
        # before the log has it.
        last = lambda: engine_server.docker("logs", "-n", "1", container).stdout  # noqa: E731
        until(lambda: last() == b"after\n")
    text = (place / f"{container}-json.log").read_bytes()
    assert text.endswith(b"\n")
    records = [json.loads(line) for line in text.splitlines()]
    marks = [record["attrs"] for record in records if "attrs" in record]
    # What came before and what did not, is all that was written.
    kept_bytes = sum(len(record) + 1 for record in text.splitlines())
    # Small batches found room between large ones.
    lost_bytes = sum(int(mark["lost_bytes"]) for mark in marks)
    whole_bytes = 4 * 2001 * kept_bytes / len(records)
    assert abs(kept_bytes + lost_bytes - whole_bytes) < whole_bytes / 20
    until(lambda: int(re.findall(r"(\d+) bytes were lost", told())[-1]) == lost_bytes, told)
    details = engine_server.docker("logs", "--details", container).stdout
    assert f"lost_bytes={marks[-1]['lost_bytes']} ".encode() in details
