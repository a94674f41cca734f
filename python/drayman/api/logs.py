"""Logs of containers: Docker's bytes, and more for who asks."""

from __future__ import annotations

from starlette.responses import Response

from drayman.api.options import LogOptions
from drayman.api.requests import Call, choice, tail
from drayman.api.responses import MULTIPLEXED_STREAM, RAW_STREAM, Downloaded, Gone
from drayman.errors import InvalidParameter

# Docker sends a line for each document in all of them; the first before the others.
JSON_STREAMS = ("application/jsonl", "application/x-ndjson", "application/json-seq")
CURSOR_FIELD = "X-Drayman-Log-Cursor"
GAP_FIELD = "X-Drayman-Log-Gap"
# It travels to who follows in one message.
PATTERN_BYTES_MAX = 4096


async def get(call: Call) -> Response:
    """``GET /containers/{name}/logs``. Beyond Docker's: ``cursor``, ``limit``, ``whole``, ``grep``,
    ``grep-regex``, ``slow``."""
    json_stream = _json_stream(call)
    options = options_of(call, json=json_stream is not None)
    container = await call.backend.container_get(call.name)
    stream = await call.backend.container_logs(call.name, options)
    framed = not container.config.tty and call.at_least("1.42")
    media_type = json_stream or (MULTIPLEXED_STREAM if framed else RAW_STREAM)
    # Who asks for positions takes trailers, though it be the least of clients that drops them.
    trails = options.cursor is not None and call.connection.trails
    answer = Downloaded(
        stream,
        media_type,
        {"trailer": f"{CURSOR_FIELD}, {GAP_FIELD}"} if trails else None,
        listens=options.follow,
        trailers=(lambda: stream.trailers) if trails else None,
    )
    if not options.follow or not container.state.running or options.grep_regex is not None:
        # An expression is more than a shim, of which there are many, is to know.
        return answer
    # The connection is given away, so that nothing of this process's cuts the log short.
    answer.headers["connection"] = "close"
    caller = call.connection.caller(answer.start)
    if caller is None:
        return answer
    session = await call.connection.detach(await caller.head())
    await call.backend.container_follow(call.name, options, session, chunked=caller.chunked)
    return Gone()


def options_of(call: Call, *, json: bool) -> LogOptions:
    """What is asked of a log."""
    stdout, stderr = call.flag("stdout"), call.flag("stderr")
    if not stdout and not stderr:
        raise InvalidParameter("must specify at least one of 'stdout' or 'stderr'")
    limit = call.integer("limit")
    if limit is not None and limit < 1:
        raise InvalidParameter(f"limit {limit}: ask for one record or more")
    grep, grep_regex = _pattern(call, "grep"), _pattern(call, "grep-regex")
    if grep is not None and grep_regex is not None:
        raise InvalidParameter("grep and grep-regex: one of them can be asked for")
    return LogOptions(
        stdout=stdout,
        stderr=stderr,
        follow=call.flag("follow"),
        timestamps=call.flag("timestamps"),
        details=call.flag("details"),
        since_ns=call.time_ns("since"),
        until_ns=call.time_ns("until") or None,
        tail=tail(call.text("tail")),
        json=json,
        whole=call.flag("whole"),
        limit=limit,
        grep=grep,
        grep_regex=grep_regex,
        cursor=call.text("cursor") if call.texts("cursor") else None,
        slow=call.slow(),
    )


def _pattern(call: Call, key: str) -> str | None:
    text = call.text(key)
    if len(text.encode()) > PATTERN_BYTES_MAX:
        raise InvalidParameter(f"{key} is longer than {PATTERN_BYTES_MAX} bytes")
    return text or None


def _json_stream(call: Call) -> str | None:
    """The type of a stream of documents, where one is asked for: by name, not by ``*/*``."""
    if not call.at_least("1.54"):
        return None
    named = choice(",".join(call.headers.getlist("accept")), JSON_STREAMS)
    return named or (JSON_STREAMS[0] if call.text("format") == "json" else None)
