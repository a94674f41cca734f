"""The handshake that opens a WebSocket (RFC 6455, section 4.2); the frames are native code's."""

from __future__ import annotations

import base64
import binascii
import hashlib

from starlette.datastructures import Headers
from starlette.responses import Response

from drayman.api.responses import Json

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSION = "13"
KEY_BYTES = 16


def refusal(headers: Headers) -> Response | None:
    """What answers a request that opens no WebSocket of ours; None when it does."""
    if "websocket" not in _tokens(headers, "upgrade") or "upgrade" not in _tokens(
        headers, "connection"
    ):
        text = "this is a WebSocket: send Upgrade: websocket and Connection: Upgrade"
        return Json({"message": text}, 400)
    version = headers.get("sec-websocket-version", "")
    if version != VERSION:
        text = f"Sec-WebSocket-Version {version or 'is missing'}: version {VERSION} is spoken"
        response = Json({"message": text}, 426)
        response.headers["sec-websocket-version"] = VERSION
        response.headers["upgrade"] = "websocket"
        return response
    if not _is_key(headers.get("sec-websocket-key", "")):
        text = f"Sec-WebSocket-Key is not {KEY_BYTES} bytes in base64"
        return Json({"message": text}, 400)
    return None


def head(headers: Headers) -> bytes:
    """The head of the answer that opens it. No protocol and no extension is chosen."""
    # What the protocol asks for; nothing depends on the digest's strength.
    digest = hashlib.sha1(headers["sec-websocket-key"].encode() + GUID, usedforsecurity=False)
    accept = base64.b64encode(digest.digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


def _tokens(headers: Headers, name: str) -> list[str]:
    return [token.strip().lower() for token in ",".join(headers.getlist(name)).split(",")]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
