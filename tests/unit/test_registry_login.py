"""Logins at registries that name a server of tokens, and at odd ones."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.errors import InvalidParameter, System, Unauthorized
from drayman.model.registry import AuthConfig
from drayman.registry.address import endpoints, host_of
from drayman.registry.login import challenges_of, login

Answer = tuple[int, dict[str, str], bytes]
CHALLENGE = 'Bearer realm="http://{host}/token",service="stable",scope="a,b"'


@contextlib.contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler, bytes], Answer]) -> Iterator[str]:
    """A server on the loopback; its host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers, text = answer(self, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.format(host=self.headers["host"]))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def registry(handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
    """One that takes the token that its own server gives for ``carter:horse``, or for the
    identity that it gave before."""
    path = urlsplit(handler.path)
    given_ = handler.headers.get("authorization", "")
    if path.path == "/v2/":
        if given_ == "Bearer good":
            return 200, {}, b"{}"
        return 401, {"WWW-Authenticate": CHALLENGE}, b""
    query = {key: value[0] for key, value in parse_qs(path.query or body.decode()).items()}
    assert query["service"] == "stable"
    pair = base64.b64encode(b"carter:horse").decode()
    if given_ == f"Basic {pair}" and query["account"] == "carter":
        return 200, {}, json.dumps({"token": "good", "refresh_token": "again"}).encode()
    if query.get("grant_type") == "refresh_token" and query["refresh_token"] == "again":
        return 200, {}, json.dumps({"access_token": "good"}).encode()
    return 401, {}, b"{}"


def test_a_token_is_fetched() -> None:
    with serving(registry) as host:
        auth = AuthConfig(username="carter", password="horse", server_address=host)
        assert login(auth, "test") == "again"


def test_an_identity_token_is_as_good_as_a_password() -> None:
    with serving(registry) as host:
        auth = AuthConfig(identity_token="again", server_address=f"http://{host}/v1/")
        assert login(auth, "test") == "again"


@pytest.mark.parametrize(
    "auth",
    [AuthConfig(username="carter", password="x"), AuthConfig(identity_token="x"), AuthConfig()],
)
def test_what_the_server_of_tokens_refuses(auth: AuthConfig) -> None:
    with serving(registry) as host:
        asked = AuthConfig(
            username=auth.username,
            password=auth.password,
            identity_token=auth.identity_token,
            server_address=host,
        )
        with pytest.raises(Unauthorized, match="unauthorized: incorrect username or password"):
            login(asked, "test")


@pytest.mark.parametrize(
    ("status", "headers", "text", "kind", "words"),
    [
        (404, {}, b"", System, "failed with status: 404 Not Found"),
        (401, {}, b"", Unauthorized, "failed with status: 401 Unauthorized"),
        (401, {"WWW-Authenticate": "Odd x=y"}, b"", Unauthorized, "401"),
        (401, {"WWW-Authenticate": "Bearer"}, b"", System, "no server of tokens"),
        (401, {"WWW-Authenticate": 'Bearer realm="file:///x"'}, b"", System, "no server of"),
        (401, {"WWW-Authenticate": 'Bearer realm="http://["'}, b"", System, "Get "),
        (401, {"WWW-Authenticate": CHALLENGE}, b"x", Unauthorized, "incorrect username"),
        (302, {"Location": "http://{host}/v2/"}, b"", System, "redirect"),
    ],
)
def test_registries_that_make_no_sense(
    status: int, headers: dict[str, str], text: bytes, kind: type[Exception], words: str
) -> None:
    with serving(lambda *_: (status, headers, text)) as host:
        with pytest.raises(kind) as caught:
            login(AuthConfig(username="a", password="b", server_address=host), "test")
        assert words in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"token": 5}', b"x" * (2 << 20)])
def test_servers_of_tokens_that_make_no_sense(text: bytes) -> None:
    def odd(handler: BaseHTTPRequestHandler, _: bytes) -> Answer:
        if handler.path == "/v2/":
            return 401, {"WWW-Authenticate": CHALLENGE}, b""
        return 200, {}, text

    with serving(odd) as host, pytest.raises(System):
        login(AuthConfig(username="a", password="b", server_address=host), "test")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("localhost:5000", "localhost:5000"),
        ("https://r.example/v2/", "r.example"),
        ("http://10.0.0.1:5000/some/where", "10.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("", "registry-1.docker.io"),
        ("https://index.docker.io/v1/", "registry-1.docker.io"),
    ],
)
def test_addresses(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.8.0.1:5000", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("10.0.0.1:5000", False),
        ("r.example", False),
    ],
)
def test_only_the_loopback_may_do_without_tls(host: str, plain: bool) -> None:
    assert (f"http://{host}" in endpoints(host)) is plain
    assert endpoints(host)[0] == f"https://{host}"


@given(st.text())
def test_any_address(address: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert host_of(address)


@given(st.lists(st.text(max_size=60), max_size=3))
def test_any_challenge(headers: list[str]) -> None:
    for parameters in challenges_of(headers).values():
        assert all(name == name.lower() for name in parameters)


def test_challenges() -> None:
    several = ['Bearer realm="https://a/b",service="c,d", scope=e', "Basic realm=f"]
    assert challenges_of(several) == {
        "bearer": {"realm": "https://a/b", "service": "c,d", "scope": "e"},
        "basic": {"realm": "f"},
    }
    assert challenges_of(['Basic realm="x", Bearer realm="y"']) == {
        "basic": {"realm": "x"},
        "bearer": {"realm": "y"},
    }
