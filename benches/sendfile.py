"""``python -m benches.sendfile SOCKET FILE BUFFER_BYTES``: one file to whoever asks for anything,
by sendfile(2) and nothing else: the bound for what an engine sends on such a socket."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

# Linux: as SO_SNDBUF, past net.core.wmem_max.
SO_SNDBUFFORCE = 32


@contextmanager
def sendfile_server(place: Path, file: Path, buffer_bytes: int) -> Iterator[str]:
    """Serve in a process of its own, as an engine does; the address."""
    address = str(place / "s.sock")
    command = [sys.executable, "-m", "benches.sendfile", address, str(file), str(buffer_bytes)]
    with Popen(command, stdout=PIPE) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield f"unix://{address}"
        finally:
            server.terminate()


def main() -> None:
    """Serve until ended."""
    address, path, buffer_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    size = os.stat(path).st_size
    file = os.open(path, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes)
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                sent = 0
                while sent < size:
                    sent += os.sendfile(client.fileno(), file, sent, size - sent)


if __name__ == "__main__":
    main()
