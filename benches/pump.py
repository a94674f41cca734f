"""``python -m benches.pump SOCKET COMMAND…``: run the command for whoever connects, and send what
it prints by splice(2) and nothing else: the bound for a stream from a process to a client."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from benches.sendfile import SO_SNDBUFFORCE

# As an engine's shim may give to the pipe and to the socket.
PIPE_BYTES = 256 << 10
SEND_BUFFER_BYTES = 512 << 10


@contextmanager
def pump(place: Path, *command: str) -> Iterator[str]:
    """Serve in a process of its own; the address."""
    address = str(place / "p.sock")
    with Popen([sys.executable, "-m", "benches.pump", address, *command], stdout=PIPE) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield f"unix://{address}"
        finally:
            server.terminate()


def main() -> None:
    """Serve until ended."""
    address, *command = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            with client, Popen(command, stdout=PIPE) as process:
                assert process.stdout is not None
                fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES)
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while os.splice(process.stdout.fileno(), client.fileno(), PIPE_BYTES):
                    pass


if __name__ == "__main__":
    main()
