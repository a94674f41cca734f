"""A program that opens the engine itself: the README's, as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.engine.engines import EngineServer

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_program_copies(engine_server: EngineServer, tmp_path: Path) -> None:
    program = re.search(r"```python\n(import asyncio.*?)```", README.read_text(), re.S)
    assert program
    container = engine_server.create(name="web")
    assert engine_server.stop() == 0
    done = subprocess.run(
        [sys.executable, "-c", program[1]],
        env=engine_server.settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    engine_server.start()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"hostname: \d+ bytes\n", done.stdout)
    with tarfile.open(tmp_path / "etc.tar") as tar:
        names = tar.getnames()
    assert {"etc", "etc/passwd"} <= set(names)
    copied = engine_server.docker("cp", "web:/tmp/etc", "-").stdout
    (tmp_path / "copied.tar").write_bytes(copied)
    with tarfile.open(tmp_path / "copied.tar") as tar:
        assert tar.getnames() == names
    engine_server.api("DELETE", f"/containers/{container}")
