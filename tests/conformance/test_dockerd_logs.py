"""Logs that we wrote, read by dockerd: rotated and compressed files of `json-file`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.conformance.test_dockerd_archives import docker, dockerd
from tests.engine.engines import EngineServer, until

__all__ = ["dockerd"]


def test_docker_logs_of_our_files(engine_server: EngineServer, dockerd: Path) -> None:
    options = {"max-size": "1m", "max-file": "9", "compress": "true"}
    host_config = {"LogConfig": {"Type": "json-file", "Config": options}}
    script = "for k in 1 2 3 4; do yes $k | head -n 20000; sleep 0.5; done; echo end >&2"
    ours = engine_server.running("sh", "-c", script, HostConfig=host_config)
    engine_server.api("POST", f"/containers/{ours}/wait")
    files = engine_server.root / "containers" / ours / "log"
    until(lambda: len(list(files.glob("*.gz"))) >= 3 and not list(files.glob("*.new")))
    given = [word for pair in options.items() for word in ("--log-opt", "=".join(pair))]
    docker(dockerd, "create", "--name", "logs", *given, "busybox", "true")
    # dockerd makes a log's place known when it starts the container; nothing else is run there.
    docker(dockerd, "start", "logs", code=None)
    theirs = docker(dockerd, "inspect", "logs").stdout
    path = Path(json.loads(theirs)[0]["LogPath"])
    assert path.name, theirs
    path.unlink(missing_ok=True)
    for file in files.iterdir():
        shutil.copy(file, path.parent / file.name.replace(ours, json.loads(theirs)[0]["Id"]))
    text = "".join(f"{k}\n" * 20000 for k in (1, 2, 3, 4)).encode()
    read = docker(dockerd, "logs", "logs")
    assert (read.stdout, read.stderr) == (text, b"end\n")
