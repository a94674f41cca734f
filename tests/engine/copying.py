"""`docker cp` and `drayman cp` side by side: what each of them makes of the same places."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from tests.engine.engines import EngineServer

from drayman.__main__ import cli
from drayman.errors import DraymanError

# In a directory of its own, wherever: what a copy may go to.
PLACES = """
mkdir dir && echo old >dir/old && echo old >file && ln -s dir ldir && ln -s file lfile &&
ln -s nowhere dangling && mkdir -p full/p && echo old >full/p/small && mkdir -p odd/small
"""
TARGETS = (
    *("dir", "dir/.", "file", "file/", "new", "new/", "none/new"),
    *("ldir", "ldir/", "lfile", "dangling", "full", "odd"),
)
# In a directory, what is copied.
TREE = """
mkdir -p p/sub && echo one >p/small && ln p/small p/twin && ln -s small p/way && chmod 640 p/small
chmod 750 p && ln -s p lp && ln -s p/small lsmall && ln -s missing lost && mkdir empty
"""
SOURCES = (
    *("p", "p/", "p/.", "p/small", "p/small/", "p/way", "lp", "lp/", "lp/.", "lsmall", "lost"),
    *("empty/.", "missing", "."),
)
# And what -L may lead elsewhere.
FOLLOWED = tuple((one, "-L") for one in ("p", "p/way", "lp", "lp/.", "lsmall", "lost"))
COPIES = (*((one,) for one in SOURCES), *FOLLOWED)


def stumbles(source: str, target: str) -> bool:
    """Whether docker fails for no reason: a link with a slash behind it is one to a directory,
    but not when it is to take what is in another."""
    return source.endswith(".") and target == "ldir/"


def drayman(
    server: EngineServer,
    *arguments: str,
    stdin: bytes = b"",
    cwd: Path | None = None,
    code: int | None = 0,
) -> subprocess.CompletedProcess[bytes]:
    """The command; ``code`` None takes any exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "drayman", *arguments],
        env={**os.environ, "DOCKER_HOST": server.url},
        input=stdin,
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert code is None or done.returncode == code, (arguments, done)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def drayman_here(server: EngineServer, *arguments: str) -> str:
    """The command in this process, which spares its start; what it says when it fails."""
    try:
        cli.main([*arguments, "-H", server.url], prog_name="drayman", standalone_mode=False)
    except DraymanError as error:
        return str(error)
    return ""


def shell(server: EngineServer, container: str, script: str) -> str:
    """What a script in a container writes."""
    return server.docker("exec", container, "sh", "-c", script).stdout.decode()


def make(script: str, directory: Path) -> Path:
    """Let a script make files of this host, in a directory made for them."""
    directory.mkdir()
    subprocess.run(["sh", "-c", script], cwd=directory, check=True)
    return directory


def listing(directory: Path) -> list[str]:
    """Names, types, modes, owners and contents."""
    lines = []
    for path in sorted(directory.rglob("*")):
        found = path.lstat()
        told = f"{path.relative_to(directory)} {found.st_mode:o} {found.st_uid}:{found.st_gid}"
        if stat.S_ISLNK(found.st_mode):
            told += f" -> {path.readlink()}"
        elif stat.S_ISREG(found.st_mode):
            told += f" {path.read_text()!r}"
        lines.append(told)
    return lines
