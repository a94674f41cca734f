"""The messages between the engine and a container's shim, as the engine's side writes them.

``native/crates/shim/src/messages.json`` shows one of each and is tested against by both sides.
"""

from __future__ import annotations

from typing import Any

import msgspec

VERSION = 1


def window(size: tuple[int, int] | None) -> tuple[int, int] | None:
    """A terminal's (height, width) as the kernel holds them, None for one left to it.

    What is beyond 16 bits is cut, as containerd does.
    """
    if size is None or not any(size):
        return None
    return size[0] & 0xFFFF, size[1] & 0xFFFF


class Request(msgspec.Struct, kw_only=True, tag_field="do"):
    """What the engine asks; the answer bears the same number."""

    id: int = 0


class Hello(Request, tag="hello"):
    """Who are you."""


class Past(msgspec.Struct, frozen=True):
    """What of the log a client is told before what comes: everything, or from a moment on."""

    since_ns: int | None = None


class Attach(Request, tag="attach"):
    """Serve a client, whose connection comes beside the message."""

    stdin: bool
    stdout: bool
    stderr: bool
    framed: bool
    # The kind of WebSocket messages that it speaks in: ``text`` or ``binary``.
    messages: str | None = None
    past: Past | None = None
    slow: str = "wait"
    # None or empty: the container's own.
    detach_keys: str | None = None
    head: bytes = b""
    early: bytes = b""


class Start(Request, tag="start"):
    """Run the container's first process."""


class Signal(Request, tag="signal"):
    """Signal the first process, or every process of the container."""

    signal: int
    all: bool = False


class Resize(Request, tag="resize"):
    """Set the size of a terminal: an exec's, or the container's."""

    exec: str | None
    height: int
    width: int


class Exec(Request, tag="exec"):
    """Run a further process; an attached client's connection comes beside the message."""

    exec: str
    process: str
    tty: bool
    console_size: tuple[int, int] | None
    kill_on_disconnect: bool
    stdin: bool
    stdout: bool
    stderr: bool
    framed: bool
    slow: str = "wait"
    detach_keys: str | None = None
    head: bytes = b""
    early: bytes = b""


class GetStatus(Request, tag="status"):
    """What runs, and how execs ended."""


class ExecSignal(Request, tag="exec_signal"):
    """Signal the process of an exec."""

    exec: str
    signal: int


class Keep(Request, tag="keep"):
    """Keep a client that waits for the container's ``exit`` or ``removal``, should the engine
    die: its connection and the reading end of a lifeline come beside the message.

    What is written to the lifeline is the answer to send, if it is a JSON document, or tells
    that the client was answered; its end without a word, that the engine died.
    """

    until: str
    chunked: bool
    # The answer's head, which it is to send at once, unless the client has it.
    head: bytes = b""


class Follow(Request, tag="follow"):
    """Send the log as it grows to a client, whose connection comes beside the message."""

    stdout: bool
    stderr: bool
    since_ns: int | None
    until_ns: int | None
    tail: int | None
    timestamps: bool
    details: bool
    framed: bool
    json: bool
    whole: bool
    limit: int | None
    grep: str | None
    # Where to go on, and that positions are wanted; empty when there is none yet.
    cursor: str | None
    slow: str
    # How the body of the answer is framed.
    chunked: bool
    # The answer's head, which it is to send first.
    head: bytes = b""


class Adopt(Request, tag="adopt"):
    """Leave the clients whose engine died to this one; a lifeline's reading end comes along."""

    until: str


class Suspend(Request, tag="suspend"):
    """Probe the container's health no more, for it is about to be frozen."""


class Resume(Request, tag="resume"):
    """Probe it again."""


class GetHealth(Request, tag="health"):
    """How probes of the container's health went."""


class Identity(msgspec.Struct, frozen=True):
    """The answer to `Hello`."""

    version: int
    pid: int
    state: str
    init_pid: int | None


class Started(msgspec.Struct, frozen=True):
    """The answer to `Start`: the first process by the host's number, and when it began."""

    pid: int
    started_at_ns: int


class ExecStarted(msgspec.Struct, frozen=True):
    """The answer to `Exec`."""

    pid: int


class ExecStatus(msgspec.Struct, frozen=True):
    """One exec, as `Status` tells it."""

    pid: int
    running: bool
    exit_code: int | None


class Orphans(msgspec.Struct, frozen=True):
    """How many clients, whose engine died, wait for which kind of end."""

    exit: int
    removal: int


class Status(msgspec.Struct, frozen=True):
    """The answer to `GetStatus`; `state` is created, running or stopped."""

    state: str
    init_pid: int | None
    execs: dict[str, ExecStatus]
    orphans: Orphans


class Probe(msgspec.Struct, frozen=True):
    """The result of one probe; any exit code but 0 is a failure."""

    started_at_ns: int
    ended_at_ns: int
    exit_code: int
    output: str


class Health(msgspec.Struct, frozen=True):
    """What probes made of a container; also what remains of it in a file."""

    status: str
    failing_streak: int
    log: list[Probe]


class Checks(msgspec.Struct, frozen=True):
    """The answer to `GetHealth`; None for a container that is not probed."""

    health: Health | None


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was not done."""

    kind: str
    message: str
    exit_code: int | None = None


class Incoming(msgspec.Struct, frozen=True):
    """Any message of a shim: an answer, which has a number, or an event."""

    id: int | None = None
    # Empty in a refusal.
    ok: msgspec.Raw = msgspec.Raw()
    error: Refusal | None = None
    event: str | None = None


_incoming = msgspec.json.Decoder(Incoming)


def decode(message: bytes) -> Incoming:
    """Take a message of a shim apart; ValueError when it is none."""
    return _incoming.decode(message)


def event(message: bytes) -> dict[str, Any]:
    """An event with all it says: exit, exec_exit, detached, probe or health."""
    return msgspec.json.decode(message, type=dict[str, Any])
