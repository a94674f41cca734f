"""Bulk bytes between a connection and this host, by native code, watched from here."""

from __future__ import annotations

import hashlib
import os
import socket
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from drayman.client.daemon import Answer, trailer
from drayman.client.progress import Bar
from drayman.errors import System
from drayman.storage import files

T = TypeVar("T")

# How often a bar moves.
LOOK_S = 0.1
SIZE_HEADER = "X-Drayman-Tar-Size"
DIGEST_HEADER = "Repr-Digest"


def receive_tree(
    answer: Answer,
    directory: str,
    *,
    name: str | None,
    keep_owners: bool,
    verify: bool,
    bar: Bar,
) -> None:
    """Unpack a tar below a directory of this host; nothing in it leads out of that.

    What is unpacked is the caller's, or, with ``keep_owners``, whose the tar says.
    """
    root = _open_directory(directory)
    owner = None if keep_owners else (os.geteuid(), os.getegid())
    try:
        received = watched(
            bar,
            lambda passed, cancel_fd: files.receive_tree(
                answer.fileno(),
                root,
                name=name,
                owner=owner,
                summed=verify,
                passed=passed,
                cancel_fd=cancel_fd,
                **answer.framing,
            ),
        )
    finally:
        os.close(root)
    if verify:
        check(received.sum, announced(received))


def receive_file(
    answer: Answer, fd: int, *, summed: bool, bar: Bar, done_bytes: int = 0
) -> files.Received:
    """Write a tar, or what follows the bytes that are done, to a descriptor."""
    return watched(
        bar.from_byte(done_bytes),
        lambda passed, cancel_fd: files.receive_file(
            answer.fileno(),
            fd,
            summed=summed,
            passed=passed,
            cancel_fd=cancel_fd,
            **answer.framing,
        ),
    )


class Tree:
    """A body: a file or directory of this host, as a tar."""

    def __init__(
        self, path: str, *, include: list[str], exclude: list[str], coding: str | None, bar: Bar
    ) -> None:
        self._root = _open_directory("/")
        # Nobody sees the tar: holes arrive as holes.
        self._tar = files.Tar(self._root, path, include=include, exclude=exclude, sparse=True)
        self._coding = coding
        self._bar = bar
        # The first files that could not be read, and how many there are in all.
        self.left_out: list[str] = []
        self.left_out_count = 0

    def send(self, connection: socket.socket) -> None:
        """Write it, and note what had to be left out."""
        if self._bar.shown:
            self._bar.end_at(self._tar.survey()[0])
        connection.setblocking(False)
        sent = watched(
            self._bar,
            lambda passed, cancel_fd: self._tar.send(
                connection.fileno(),
                chunked=True,
                coding=self._coding,
                passed=passed,
                cancel_fd=cancel_fd,
            ),
        )
        connection.setblocking(True)
        self.left_out, self.left_out_count = sent.left_out, sent.left_out_count

    def close(self) -> None:
        """Let go of this host's files."""
        os.close(self._root)


def watched(bar: Bar, work: Callable[[files.Passed, int], T]) -> T:
    """Do native work in a thread while the bar follows it; Ctrl-C ends it first."""
    passed = files.Passed()
    cancel_fd = os.eventfd(0, os.EFD_CLOEXEC)
    try:
        with ThreadPoolExecutor(1) as thread, bar:
            doing = thread.submit(work, passed, cancel_fd)
            try:
                while wait([doing], LOOK_S if bar.shown else None).not_done:
                    bar.move(passed.bytes)
            except BaseException:
                os.eventfd_write(cancel_fd, 1)
                raise
            bar.move(passed.bytes)
            return doing.result()
    finally:
        os.close(cancel_fd)


def announced(received: files.Received) -> bytes:
    """The digest that the engine sent behind a tar."""
    field = trailer(received, DIGEST_HEADER) or ""
    algorithm, _, value = field.partition("=:")
    if algorithm != "sha-256" or not value.endswith(":"):
        raise System("the engine told no digest: it cannot be verified; is it Drayman's?")
    return b64decode(value[:-1])


def check(sum: bytes | None, digest: bytes) -> None:
    """System unless what arrived is what was sent."""
    if sum != digest:
        raise System("what arrived is not what the engine sent (SHA-256 differs): copy it again")


def digest_of(fd: int) -> bytes:
    """The SHA-256 of a file."""
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").digest()


def tar_bytes(answer: Answer) -> int | None:
    """How long the tar will be, where that was asked for and the engine knows."""
    size = answer.headers.get(SIZE_HEADER)
    return None if size is None else int(size)


def _open_directory(path: str) -> int:
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise System(f"{path}: {(error.strerror or str(error)).lower()}") from None
