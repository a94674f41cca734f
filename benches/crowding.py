"""``python -m benches.crowding SOCKET CLIENTS PATH…``: clients that ask one thing after another,
each on a connection of its own, as fast as they are answered, until standard input ends.

A process of its own, so that it takes no turn from the client that measures.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import sys

from benches.client import BUFFER_BYTES, whole


class Asker:
    """One client."""

    def __init__(self, path: str, questions: list[bytes], first: int) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self._questions = itertools.islice(itertools.cycle(questions), first, None)
        self._received = b""

    def ask(self) -> None:
        """The next question."""
        self._received = b""
        self.socket.sendall(next(self._questions))

    def hear(self) -> bool:
        """Take what has come; whether that was all of an answer."""
        self._received += self.socket.recv(BUFFER_BYTES)
        return whole(self._received)


def main() -> None:
    """Ask until nobody wants it any more."""
    path, clients, *asked = sys.argv[1:]
    questions = [f"GET {one} HTTP/1.1\r\nHost: bench\r\n\r\n".encode() for one in asked]
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for number in range(int(clients)):
            asker = Asker(path, questions, number)
            selector.register(asker.socket, selectors.EVENT_READ, asker)
            asker.ask()
        print("asking", flush=True)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    return
                if key.data.hear():
                    key.data.ask()


if __name__ == "__main__":
    main()
