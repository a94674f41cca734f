"""Engines for other people's clients: one a file."""

from __future__ import annotations

from tests.engine.conftest import engine_server

__all__ = ["engine_server"]
