"""The scripts of this directory as tests: their checks by name, and what each said."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

# A script's own limit for what it waits for is ten seconds; this one is for all of it.
TIMEOUT_S = 100


def names(script: Path) -> list[str]:
    """The names of the checks that a script makes, in order."""
    return re.findall(r'\b(?:check|holds|cut|fed) "([^"$]+)"', script.read_text())


def reports(script: Path, *arguments: str, **environment: str) -> dict[str, str]:
    """Run a script to its end; what each check reported, nothing where it passed.

    One that the script did not come to has its entry too.
    """
    done = subprocess.run(
        ["bash", str(script), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=False,
        text=True,
    )
    said = dict.fromkeys(names(script), "the script did not come so far")
    for verdict, name, details in re.findall(
        r"^(ok  |FAIL) (.*)\n((?:     .*\n)*)", done.stdout, re.MULTILINE
    ):
        said[name] = "" if verdict == "ok  " else details or "failed"
    return said
