"""``python -m benches.sendfile SOCKET BUFFER_BYTES FILE [NAME=FILE…]``: one file to whoever asks,
by sendfile(2) and nothing else: the bound for what an engine sends on such a socket.

A request whose path ends in a NAME is answered by that file, which is an answer with its head."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from benches.serving import clients, serving


def sendfile_server(
    place: Path, file: Path, buffer_bytes: int, **answers: Path
) -> AbstractContextManager[str]:
    """Serve in a process of its own, as an engine does; the address."""
    named = [f"{name}={answer}" for name, answer in answers.items()]
    return serving("benches.sendfile", place, str(buffer_bytes), str(file), *named)


def main() -> None:
    """Serve until ended."""
    address, buffer_bytes, path, *answers = sys.argv[1:]
    named = {name.encode(): Path(file) for name, file in (one.split("=", 1) for one in answers)}
    for client in clients(address, int(buffer_bytes)):
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
