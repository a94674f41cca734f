"""Servers as bare as can be, in a process of their own as an engine is."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

# Linux: as SO_SNDBUF, past net.core.wmem_max.
SO_SNDBUFFORCE = 32


@contextmanager
def serving(module: str, place: Path, *arguments: str) -> Iterator[str]:
    """``python -m MODULE SOCKET ARGUMENTS…``, which says when it listens; the address."""
    address = str(place / "s.sock")
    with Popen([sys.executable, "-m", module, address, *arguments], stdout=PIPE) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield f"unix://{address}"
        finally:
            server.terminate()


def clients(address: str, buffer_bytes: int) -> Iterator[socket.socket]:
    """Listen, say so, and give whoever comes, with so much room for what is sent to it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes)
            with client:
                yield client
