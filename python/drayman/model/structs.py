"""Every struct of the program, made ready for threads."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


def prepare() -> None:
    """Have msgspec look at every struct that was imported.

    It does so when it decodes one for the first time otherwise, and two threads that do this
    together end the process with a segmentation fault (msgspec 0.22).
    """
    for struct in _below(msgspec.Struct):
        if struct.__module__.startswith("drayman."):
            try:
                msgspec.json.Decoder(struct)
            except TypeError:
                # It holds what no document can.
                continue


def _below(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in struct.__subclasses__():
        yield one
        yield from _below(one)
