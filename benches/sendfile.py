"""``python -m benches.sendfile SOCKET BUFFER_BYTES FILE [NAME=FILE…]``: one file to whoever asks,
by sendfile(2) and nothing else: the bound for what an engine sends on such a socket.

A request whose path ends in a NAME is answered by that file, which is an answer with its head."""

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
def sendfile_server(place: Path, file: Path, buffer_bytes: int, **answers: Path) -> Iterator[str]:
    """Serve in a process of its own, as an engine does; the address."""
    address = str(place / "s.sock")
    command = [sys.executable, "-m", "benches.sendfile", address, str(buffer_bytes), str(file)]
    command += [f"{name}={answer}" for name, answer in answers.items()]
    with Popen(command, stdout=PIPE) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield f"unix://{address}"
        finally:
            server.terminate()


def main() -> None:
    """Serve until ended."""
    address, buffer_bytes, path, *answers = sys.argv[1:]
    named = {name.encode(): Path(file) for name, file in (one.split("=", 1) for one in answers)}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, int(buffer_bytes))
                asked = client.recv(65536).split(b" ", 2)[1].split(b"?")[0]
                answer = named.get(asked.rsplit(b"/", 1)[1])
                if answer is None:
                    size = os.stat(path).st_size
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                send(client, answer or Path(path))


def send(client: socket.socket, path: Path) -> None:
    """All of a file."""
    with path.open("rb") as file:
        sent, size = 0, os.fstat(file.fileno()).st_size
        while sent < size:
            sent += os.sendfile(client.fileno(), file.fileno(), sent, size - sent)


if __name__ == "__main__":
    main()
