"""The standard streams of a container's main process."""

from __future__ import annotations

from msgspec.structs import replace
from starlette.responses import PlainTextResponse, Response

from drayman.api import headers, websocket
from drayman.api.options import AttachOptions
from drayman.api.requests import Call
from drayman.api.responses import MULTIPLEXED_STREAM, RAW_STREAM, Gone, status_of
from drayman.errors import DraymanError


async def attach(call: Call) -> Response:
    """``POST /containers/{name}/attach``. Errors are plain text, and end the connection."""
    options = AttachOptions(
        stdin=call.flag("stdin"),
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
        stream=call.flag("stream"),
        logs=call.flag("logs"),
        detach_keys=call.text("detachKeys"),
    )
    try:
        options = replace(options, slow=call.slow())
        container = await call.backend.attach_check(call.name, options)
    except DraymanError as error:
        return PlainTextResponse(
            f"{error}\r\n",
            status_of(error),
            headers={"connection": "close", "content-type": RAW_STREAM},
        )
    head = hijack_head(call, framed=not container.config.tty, common=False)
    session = await call.connection.detach(head)
    await call.backend.attach(call.name, options, session)
    return Gone()


async def attach_websocket(call: Call) -> Response:
    """``GET /containers/{name}/attach/ws``. Errors come before the upgrade, as JSON."""
    refusal = websocket.refusal(call.headers)
    if refusal is not None:
        return refusal
    # Earlier versions attach to everything, whatever the client asks for.
    chooses = call.at_least("1.42")
    options = AttachOptions(
        stdin=not chooses or call.flag("stdin"),
        stdout=not chooses or call.flag("stdout"),
        stderr=not chooses or call.flag("stderr"),
        stream=call.flag("stream"),
        logs=call.flag("logs"),
        detach_keys=call.text("detachKeys"),
        slow=call.slow(),
        websocket="binary" if call.at_least("1.28") else "text",
    )
    await call.backend.attach_check(call.name, options)
    session = await call.connection.detach(websocket.head(call.headers))
    await call.backend.attach(call.name, options, session)
    return Gone()


def hijack_head(call: Call, *, framed: bool, common: bool) -> bytes:
    """The head that turns the connection into a stream.

    The mere presence of ``Upgrade`` asks for 101. Without it the stream is the body of a
    200, up to the connection's end: no length and no chunks, which .NET's client minds.
    """
    if "upgrade" in call.headers:
        framed = framed and call.at_least("1.42")
        media_type = MULTIPLEXED_STREAM if framed else RAW_STREAM
        lines = [
            "HTTP/1.1 101 UPGRADED",
            f"Content-Type: {media_type}",
            "Connection: Upgrade",
            "Upgrade: tcp",
        ]
    else:
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {RAW_STREAM}"]
    if common:
        lines += [f"{name.decode().title()}: {value.decode()}" for name, value in headers.common()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
