"""The engine on a kernel that this host does not have: see tests/elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.elsewhere.machine import TIMEOUT_S, Machine

# Those written for that machine, and some of those that are for any.
FILES = (
    "tests/elsewhere/test_cgroups.py",
    "tests/elsewhere/test_storage_size.py",
    "tests/engine/test_pause.py",
    "tests/engine/test_restart_policy.py",
)


@pytest.mark.timeout(TIMEOUT_S + 60)
@pytest.mark.parametrize("file", FILES)
def test_on_linux_6_1_with_cgroups_of_version_2(file: str, tmp_path: Path) -> None:
    code, printed = Machine(tmp_path).pytest("-q", "--color=no", file)
    assert code == 0, printed
