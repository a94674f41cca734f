"""The handshake that opens a WebSocket."""

from __future__ import annotations

import pytest

from tests.api.client import Client
from tests.api.fake import Fake

PATH = "/containers/box/attach/ws?stream=1&stdout=1"
GOOD = {
    "Upgrade": "WebSocket",
    "Connection": "keep-alive, upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_it_opens(client: Client, engine: Fake) -> None:
    offers = {"Sec-WebSocket-Protocol": "chat", "Sec-WebSocket-Extensions": "permessage-deflate"}
    client.request("GET", PATH, headers=GOOD | offers)
    client.send(b"early")
    status, reason, headers = client.head()
    assert (status, reason) == (101, "Switching Protocols")
    assert headers == {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    }
    (_, options), _ = engine.asks("attach")[0]
    wanted = (options.stdin, options.stdout, options.stderr, options.websocket)
    assert wanted == (False, True, False, "binary")


@pytest.mark.parametrize(
    ("without", "instead", "status", "text"),
    [
        ("Upgrade", {}, 400, "this is a WebSocket"),
        ("Upgrade", {"Upgrade": "tcp"}, 400, "this is a WebSocket"),
        ("Connection", {}, 400, "this is a WebSocket"),
        ("Sec-WebSocket-Version", {}, 426, "is missing"),
        ("Sec-WebSocket-Version", {"Sec-WebSocket-Version": "8"}, 426, "8: version 13 is spoken"),
        ("Sec-WebSocket-Key", {}, 400, "Sec-WebSocket-Key"),
        ("Sec-WebSocket-Key", {"Sec-WebSocket-Key": "c2hvcnQ="}, 400, "not 16 bytes"),
        ("Sec-WebSocket-Key", {"Sec-WebSocket-Key": "\u00fc"}, 400, "in base64"),
    ],
)
def test_it_does_not(
    client: Client, without: str, instead: dict[str, str], status: int, text: str
) -> None:
    headers = {name: value for name, value in GOOD.items() if name != without} | instead
    answer = client.ask("GET", PATH, headers=headers)
    assert answer.status == status
    assert text in answer.json()["message"]
    assert (answer.headers.get("sec-websocket-version") == "13") == (status == 426)
    # The connection is as good as before.
    assert client.ask("GET", "/_ping").status == 200


def test_elsewhere_it_is_a_header_like_any_other(client: Client) -> None:
    assert client.ask("GET", "/_ping", headers=GOOD).body == b"OK"
    assert client.ask("GET", "/nope", headers=GOOD).status == 404
