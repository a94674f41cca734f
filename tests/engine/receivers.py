"""Who log drivers send to: sockets that collect what comes, and can stall, vanish and return."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.engine.engines import until

WHOLE = 1 << 16


class Streams:
    """Listens on TCP, or at a path; collects what every connection says, in one piece."""

    def __init__(self, path: Path | None = None) -> None:
        self._place = str(path) if path else ("127.0.0.1", 0)
        self._family = socket.AF_UNIX if path else socket.AF_INET
        self.data = bytearray()
        self.connections: list[socket.socket] = []
        self.reads = threading.Event()
        self.reads.set()
        # What is said to each message: an acknowledgement.
        self.answer = lambda data: b""
        self.open()

    def open(self) -> None:
        """Listen, at the place of before."""
        self._listener = socket.socket(self._family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by connections: little is on its way to one that does not read.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self._listener.bind(self._place)
        self._place = self._listener.getsockname()
        self._listener.listen()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    @property
    def address(self) -> str:
        if self._family == socket.AF_UNIX:
            return f"unix://{self._place}"
        return f"tcp://127.0.0.1:{self._place[1]}"

    def close(self) -> None:
        """Vanish."""
        self.reads.set()
        for one in (self._listener, *self.connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.connections.clear()
        if self._family == socket.AF_UNIX:
            Path(str(self._place)).unlink()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._collect, args=[connection], daemon=True).start()

    def _collect(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.reads.wait()
                data = connection.recv(WHOLE)
                if not data:
                    break
                self.data.extend(data)
                if answer := self.answer(data):
                    connection.sendall(answer)


class Datagrams:
    """Receives on UDP, or at a path."""

    def __init__(self, path: Path | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(str(path) if path else ("127.0.0.1", 0))
        self._socket.settimeout(20)

    @property
    def address(self) -> str:
        name = self._socket.getsockname()
        return f"unixgram://{name}" if isinstance(name, str) else f"udp://127.0.0.1:{name[1]}"

    def receive(self) -> bytes:
        return self._socket.recv(WHOLE)

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def streams(path: Path | None = None) -> Iterator[Streams]:
    with contextlib.closing(Streams(path)) as receiver:
        yield receiver


@contextlib.contextmanager
def datagrams(path: Path | None = None) -> Iterator[Datagrams]:
    with contextlib.closing(Datagrams(path)) as receiver:
        yield receiver


def wait_for(receiver: Streams, text: bytes) -> bytes:
    """Wait until it was said; all that was said by then."""
    until(lambda: text in receiver.data, lambda: f"{text!r} is not in {receiver.data[-500:]!r}")
    return bytes(receiver.data)
