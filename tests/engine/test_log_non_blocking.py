"""``mode=non-blocking`` of a log that is a file: a disk that hangs holds nobody up."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.talking import Talk, log_directory, talker

LOG = {"Type": "json-file", "Config": {"mode": "non-blocking", "max-buffer-size": "64k"}}


@pytest.fixture
def container(engine_server: EngineServer, tmp_path: Path) -> Iterator[str]:
    """One whose log has a file system of its own; it ends with its client's input."""
    image = tmp_path / "disk"
    with image.open("wb") as disk:
        disk.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    options = {"StdinOnce": True, "HostConfig": {"LogConfig": LOG}}
    with talker(engine_server, "-o", "loop", image, **options) as container:
        yield container


def test_a_disk_that_hangs(engine_server: EngineServer, container: str) -> None:
    place = log_directory(engine_server, container)
    tail = lambda: engine_server.docker("logs", "-n", "1", container).stdout  # noqa: E731
    with Talk(engine_server, container) as talk:
        written = talk.say("before")
        until(lambda: tail() == b"before\n", lambda: str(tail()))
        subprocess.run(["fsfreeze", "-f", place], check=True)
        try:
            for round_ in range(4):
                written += talk.say(f"round {round_}")
            assert engine_server.state(container)["Running"]
            assert tail() == b"before\n"
        finally:
            subprocess.run(["fsfreeze", "-u", place], check=True)
        written += talk.say("after")
        until(lambda: tail() == b"after\n", lambda: str(tail()))
    engine_server.api("POST", f"/containers/{container}/wait")
    told = lambda: engine_server.log.read_text()  # noqa: E731
    mark = rf"log of {container[:12]}: (\d+) bytes were lost"
    until(lambda: re.search(mark, told()) is not None, told)
    lost = re.search(mark, told())
    assert lost is not None
    text = (place / f"{container}-json.log").read_bytes()
    kept = "".join(json.loads(line)["log"] for line in text.splitlines())
    assert len(kept) + int(lost[1]) == len(written)
    assert engine_server.docker("logs", container).stdout == kept.encode()


def test_a_disk_that_does_not(engine_server: EngineServer) -> None:
    """Nothing is lost, also of what is rotated and compressed, and a follower has it all."""
    options = {"mode": "non-blocking", "max-size": "100k", "max-file": "99", "compress": "true"}
    container = engine_server.running(
        "sh", "-c", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); seq 1 100; done; printf end",
        HostConfig={"LogConfig": {"Type": "json-file", "Config": options}},
    )  # fmt: skip
    expected = "".join(f"{number}\n" for number in range(1, 101)).encode() * 300 + b"end"
    assert engine_server.docker("logs", "-f", container).stdout == expected
    engine_server.api("POST", f"/containers/{container}/wait")
    assert engine_server.docker("logs", container).stdout == expected
    files = list(log_directory(engine_server, container).iterdir())
    assert any(path.suffix == ".gz" for path in files)
