"""Logs on disk: what the extension offers the engine."""

from drayman._native import LogReader, log_check

__all__ = ["LogReader", "log_check"]
