"""What stands between a command and its engine, and is not to be trusted."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from pathlib import Path
from typing import Protocol

PIECE_BYTES = 65536
PATIENCE_S = 20.0


class Digest(Protocol):
    """As hashlib's."""

    def digest(self) -> bytes: ...


class Listening:
    """A unix socket that is answered on, one connection after the other, in a thread."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def answer(self, connection: socket.socket, head: bytes) -> None:
        """Answer one request."""
        raise NotImplementedError

    def close(self) -> None:
        """Answer nobody any more."""
        # A connection that says nothing ends the thread.
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self._path))
        self._thread.join(PATIENCE_S)
        self._socket.close()
        self._path.unlink()

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (piece := connection.recv(PIECE_BYTES)):
                        return
                    head += piece
                # A client may leave when it likes.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.answer(connection, head)


class Lying(Listening):
    """An engine that answers whatever it is asked with one tar, and maybe with a digest."""

    def __init__(self, path: Path, tar: bytes, digest: Digest | None = None) -> None:
        trailer = b""
        if digest is not None:
            encoded = base64.b64encode(digest.digest())
            trailer = b"Repr-Digest: sha-256=:%b:\r\n" % encoded
        stat = base64.b64encode(b'{"name":"x","size":0,"mode":2147484141,"linkTarget":""}')
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        head += b"X-Docker-Container-Path-Stat: %b\r\n\r\n" % stat
        self._whole = head + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(tar), tar, trailer)
        super().__init__(path)

    def answer(self, connection: socket.socket, head: bytes) -> None:
        """Say what it always says."""
        connection.sendall(self._whole)


class Breaking(Listening):
    """Passes on what an engine answers, up to some byte, and keeps the heads of requests."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.heads: list[str] = []
        self.cut_bytes: int | None = None
        # Whether it then waits for the client to leave, or leaves itself.
        self.stalls = False
        self._engine = engine
        super().__init__(path)

    def answer(self, connection: socket.socket, head: bytes) -> None:
        """Ask the engine, and pass on."""
        self.heads.append(head.decode())
        left = self.cut_bytes
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(PATIENCE_S)
            engine.connect(str(self._engine))
            # Without keep-alive its answer ends where the connection does.
            engine.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            while left != 0 and (piece := engine.recv(min(PIECE_BYTES, left or PIECE_BYTES))):
                left = None if left is None else left - len(piece)
                connection.sendall(piece)
            if left == 0 and self.stalls:
                connection.recv(1)
