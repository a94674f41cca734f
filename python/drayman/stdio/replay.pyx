# cython: auto_pickle=False, autotestdict=False
"""Log records as Python objects, and back into Docker's frames.

For programs that use the engine in process: they read a container's log as records, choose
among them, and hand a stream of frames on. Serving logs over HTTP does not pass here (that
is `_native.LogReader`); this is where each record is a Python object anyway, and the loop
over them is compiled.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t
from libc.string cimport memchr, memcpy

import orjson
from datetime import datetime, timezone

# Bytes 0–3 of a frame's header: 1 standard output, 2 standard error, then three zeros.
cdef unsigned char STDOUT = 1
cdef unsigned char STDERR = 2
cdef Py_ssize_t HEADER = 8
# "2026-01-02T03:04:05.123456789Z " in the form that `docker logs -t` prints.
cdef Py_ssize_t STAMP = 31


cdef class LogRecord:
    """One record of a log: a line, or a piece of one that was longer than 16 KiB.

    `time_ns` since 1970; `stream` is ``"stdout"`` or ``"stderr"``; `line` keeps its newline
    (a piece that is not the last has none); `time` is the text in the file.
    """

    cdef readonly int64_t time_ns
    cdef readonly str stream
    cdef readonly bytes line
    cdef readonly str time

    def __init__(self, int64_t time_ns, str stream, bytes line, str time):
        self.time_ns = time_ns
        self.stream = stream
        self.line = line
        self.time = time

    def __repr__(self):
        return f"LogRecord({self.time!r}, {self.stream!r}, {self.line!r})"


def parse(bytes text not None):
    """The records of a json-file log, oldest first: ``list[LogRecord]``.

    A line that is torn or not a record is left out; the ones after it are kept.
    """
    cdef list records = []
    cdef const char *start = PyBytes_AS_STRING(text)
    cdef const char *end = start + PyBytes_GET_SIZE(text)
    cdef const char *stop
    cdef dict fields
    while start < end:
        stop = <const char *>memchr(start, b"\n", end - start)
        if stop == NULL:
            stop = end
        if stop > start:
            try:
                fields = orjson.loads(PyBytes_FromStringAndSize(start, stop - start))
                time = <str?>fields["time"]
                records.append(
                    LogRecord(
                        _nanoseconds(time),
                        <str?>fields.get("stream", "stdout"),
                        (<str?>fields.get("log", "")).encode(),
                        time,
                    )
                )
            except (ValueError, KeyError, TypeError, OverflowError):
                pass  # a torn or foreign line costs itself, not the log
        start = stop + 1
    return records


def frames(
    records, *, bint stdout=True, bint stderr=True, bint timestamps=False, since_ns=None, until_ns=None
):
    """Docker's multiplexed stream of the records chosen, as one ``bytes``.

    `since_ns` and `until_ns` are inclusive bounds on `LogRecord.time_ns`.
    """
    cdef int64_t since = INT64_MIN if since_ns is None else since_ns
    cdef int64_t until = INT64_MAX if until_ns is None else until_ns
    cdef list chosen = []
    cdef Py_ssize_t size = 0
    cdef LogRecord record
    for item in records:
        record = <LogRecord?>item
        if since <= record.time_ns <= until and (stderr if record.stream == "stderr" else stdout):
            chosen.append(record)
            size += HEADER + PyBytes_GET_SIZE(record.line) + (STAMP if timestamps else 0)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    cdef char *at = PyBytes_AS_STRING(out)
    cdef Py_ssize_t length
    cdef bytes stamp
    for record in chosen:
        length = PyBytes_GET_SIZE(record.line)
        at[0] = STDERR if record.stream == "stderr" else STDOUT
        at[1] = at[2] = at[3] = 0
        _big_endian(at + 4, length + (STAMP if timestamps else 0))
        at += HEADER
        if timestamps:
            stamp = _stamp(record.time_ns)
            memcpy(at, PyBytes_AS_STRING(stamp), STAMP)
            at += STAMP
        memcpy(at, PyBytes_AS_STRING(record.line), length)
        at += length
    return out


cdef inline void _big_endian(char *at, Py_ssize_t number) noexcept:
    at[0] = <char>((number >> 24) & 0xFF)
    at[1] = <char>((number >> 16) & 0xFF)
    at[2] = <char>((number >> 8) & 0xFF)
    at[3] = <char>(number & 0xFF)


cdef bytes _stamp(int64_t time_ns):
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z ".encode()


cdef int64_t _nanoseconds(str time) except? -1:
    """RFC 3339 in UTC with up to nine digits of a second, as the log writer writes it."""
    if not time.endswith("Z"):
        raise ValueError(time)
    whole, _, fraction = time[:-1].partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp())
    return seconds * 1_000_000_000 + (int(fraction[:9].ljust(9, "0")) if fraction else 0)
