"""Engines for the tests of this directory: one a file, on a root of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.engine.engines import EngineServer


@pytest.fixture(scope="module")
def engine_server() -> Iterator[EngineServer]:
    """An engine that has the image busybox; at the end nothing of it may be left."""
    if os.geteuid() != 0:
        pytest.skip("an engine takes root")
    server = EngineServer()
    try:
        server.load_busybox()
        yield server
    finally:
        server.close()
