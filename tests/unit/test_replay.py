"""Log records as Python objects: what is kept, what is left out, how frames look."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.stdio.replay import LogRecord, frames, parse

SECOND_NS = 1_000_000_000
TIME = "2026-01-02T03:04:05.000000007Z"
TIME_NS = 1_767_323_045 * SECOND_NS + 7


def line(log: str, stream: str = "stdout", time: str = TIME) -> bytes:
    return json.dumps({"log": log, "stream": stream, "time": time}).encode() + b"\n"


def test_parse_reads_records_in_order() -> None:
    records = parse(line("one\n") + line("two\n", "stderr"))
    assert [(r.time_ns, r.stream, r.line) for r in records] == [
        (TIME_NS, "stdout", b"one\n"),
        (TIME_NS, "stderr", b"two\n"),
    ]


@pytest.mark.parametrize(
    "torn", [b'{"log":"x', b"null", b'{"log":1,"time":"now"}', b"\xff\xfe", b"[]"]
)
def test_a_torn_line_costs_itself_alone(torn: bytes) -> None:
    records = parse(line("one\n") + torn + b"\n" + line("two\n"))
    assert [r.line for r in records] == [b"one\n", b"two\n"]


@pytest.mark.parametrize(
    ("time", "nanoseconds"),
    [("2026-01-02T03:04:05Z", 0), ("2026-01-02T03:04:05.5Z", 500_000_000), (TIME, 7)],
)
def test_fractions_of_any_length(time: str, nanoseconds: int) -> None:
    assert parse(line("x", time=time))[0].time_ns == TIME_NS - 7 + nanoseconds


def test_frames_choose_streams_and_times() -> None:
    records = [
        LogRecord(1, "stdout", b"a", ""),
        LogRecord(2, "stderr", b"b", ""),
        LogRecord(3, "stdout", b"c", ""),
    ]
    assert frames(records, stderr=False, since_ns=2) == b"\x01\0\0\0\0\0\0\x01c"
    assert frames(records, stdout=False) == b"\x02\0\0\0\0\0\0\x01b"
    assert frames(records, until_ns=0) == b""


def test_timestamps_have_nine_digits() -> None:
    framed = frames([LogRecord(TIME_NS, "stdout", b"x\n", TIME)], timestamps=True)
    assert framed[8:] == TIME.encode() + b" x\n"


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=300))))
def test_frames_lose_nothing(lines: list[tuple[str, bytes]]) -> None:
    stream = frames(LogRecord(n, name, text, "") for n, (name, text) in enumerate(lines))
    seen = []
    while stream:
        kind, length = struct.unpack(">BxxxL", stream[:8])
        seen.append((["stdout", "stderr"][kind - 1], stream[8 : 8 + length]))
        stream = stream[8 + length :]
    assert seen == lines
