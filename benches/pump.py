"""``python -m benches.pump SOCKET COMMAND…``: run the command for whoever connects, and send what
it prints by splice(2) and nothing else: the bound for a stream from a process to a client."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import PIPE, Popen

from benches.serving import clients, serving

# As an engine's shim may give to the pipe and to the socket.
PIPE_BYTES = 256 << 10
SEND_BUFFER_BYTES = 512 << 10


def pump(place: Path, *command: str) -> AbstractContextManager[str]:
    """Serve in a process of its own; the address."""
    return serving("benches.pump", place, *command)


def main() -> None:
    """Serve until ended."""
    address, *command = sys.argv[1:]
    for client in clients(address, SEND_BUFFER_BYTES):
        with Popen(command, stdout=PIPE) as process:
            assert process.stdout is not None
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while os.splice(process.stdout.fileno(), client.fileno(), PIPE_BYTES):
                pass


if __name__ == "__main__":
    main()
