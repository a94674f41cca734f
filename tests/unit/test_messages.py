"""The engine's messages to a shim are those the shim is tested with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drayman.runtime import messages

GOLDEN: dict[str, list[Any]] = json.loads(
    (Path(__file__).parents[2] / "native/crates/shim/src/messages.json").read_text()
)
CLIENT = {
    "stdin": True,
    "stdout": True,
    "stderr": False,
    "framed": True,
    "detach_keys": "ctrl-p,ctrl-q",
    "head": b"101\r\n\r\n",
    "early": b"early\n",
}


@pytest.mark.parametrize(
    ("size", "window"),
    [
        (None, None),
        ((0, 0), None),
        ((0, 80), (0, 80)),
        ((24, 80), (24, 80)),
        ((65536 + 24, 2**63 - 1), (24, 65535)),
    ],
)
def test_windows_of_terminals(size: tuple[int, int] | None, window: tuple[int, int] | None) -> None:
    assert messages.window(size) == window


def test_requests() -> None:
    requests = [
        messages.Hello(),
        messages.Attach(**CLIENT, past=messages.Past(1_700_000_000_000_000_000), slow="drop"),
        messages.Attach(stdin=False, stdout=True, stderr=True, framed=False, messages="binary"),
        messages.Start(),
        messages.Signal(signal=15),
        messages.Resize(exec=None, height=24, width=80),
        messages.Resize(exec="e1", height=24, width=80),
        messages.Exec(
            exec="e1",
            process="/run/drayman/c/0a/exec/e1.json",
            tty=True,
            console_size=(24, 80),
            kill_on_disconnect=True,
            slow="disconnect",
            **CLIENT,
        ),
        messages.GetStatus(),
        messages.ExecSignal(exec="e1", signal=9),
        messages.Keep(until="removal", chunked=True, head=b"HTTP/1.1 200 OK\r\n\r\n"),
        messages.Adopt(until="exit"),
        messages.Follow(
            stdout=True,
            stderr=False,
            since_ns=1_700_000_000_000_000_000,
            until_ns=None,
            tail=10,
            timestamps=True,
            details=False,
            framed=True,
            json=False,
            whole=True,
            limit=100,
            grep="error",
            cursor="",
            slow="drop",
            chunked=True,
            head=b"HTTP/1.1 200 OK\r\n\r\n",
        ),
        messages.Suspend(),
        messages.Resume(),
        messages.GetHealth(),
    ]
    for number, request in enumerate(requests, 1):
        request.id = number
    assert [json.loads(msgspec.json.encode(request)) for request in requests] == GOLDEN["requests"]


def test_answers() -> None:
    execs = {
        "e1": messages.ExecStatus(78, True, None),
        "e2": messages.ExecStatus(79, False, 3),
    }
    probe = messages.Probe(1700000000000000001, 1700000000000000002, -1, "no")
    expected = [
        messages.Identity(1, 76, "created", None),
        {},
        messages.Started(77, 1700000000000000000),
        messages.ExecStarted(78),
        messages.Status("running", 77, execs, messages.Orphans(1, 0)),
        messages.Checks(messages.Health("unhealthy", 1, [probe])),
    ]
    for number, (reply, answer) in enumerate(zip(GOLDEN["replies"], expected, strict=False), 1):
        incoming = messages.decode(json.dumps(reply).encode())
        assert incoming.id == number
        assert incoming.event is None
        assert msgspec.json.decode(incoming.ok, type=type(answer)) == answer


def test_refusals() -> None:
    refusals = [messages.decode(json.dumps(reply).encode()).error for reply in GOLDEN["replies"]]
    assert refusals[6:] == [
        messages.Refusal("not-found", "no such exec: e9"),
        messages.Refusal("start", 'exec: "x": executable file not found in $PATH: unknown', 127),
    ]


@pytest.mark.parametrize("event", GOLDEN["events"])
def test_events(event: dict[str, Any]) -> None:
    message = json.dumps(event).encode()
    incoming = messages.decode(message)
    assert (incoming.id, incoming.event) == (None, event["event"])
    assert messages.event(message) == event


@pytest.mark.parametrize("message", [b"", b"[]", b'{"id":"x"}', b"\xff"])
def test_what_is_no_message(message: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the decoder finds wrong
        messages.decode(message)
