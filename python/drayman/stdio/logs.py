"""Logs on disk: what the extension offers the engine."""

from drayman._native import LogReader

__all__ = ["LogReader"]
