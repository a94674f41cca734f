"""What is here is run by tests/engine/test_elsewhere.py, on the machine of machine.py."""

from __future__ import annotations

import os

from tests.elsewhere.machine import DISK_VARIABLE
from tests.engine.conftest import engine_server

__all__ = ["engine_server"]

collect_ignore_glob = [] if DISK_VARIABLE in os.environ else ["test_*.py"]
