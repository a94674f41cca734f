"""Parameters and bodies by Go's rules."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.api import requests
from drayman.api.body import ChunkedBody, MalformedBody
from drayman.errors import InvalidParameter
from tests.api.client import Client
from tests.api.fake import Fake


@pytest.mark.parametrize("text", ["", "0", "no", "false", "none", " FALSE ", "None"])
def test_what_says_no(text: str) -> None:
    assert not requests.flag(text)


@given(st.text())
def test_whatever_does_not_say_no_says_yes(text: str) -> None:
    assert requests.flag(text) == (text.strip().lower() not in ("", "0", "no", "false", "none"))


@given(st.integers(min_value=-(2**80), max_value=2**80), st.sampled_from(["", "+", "00"]))
def test_integers(number: int, prefix: str) -> None:
    text = f"-{prefix.strip('+')}{-number}" if number < 0 else f"{prefix}{number}"
    if abs(number) < 2**63:
        assert requests.integer(text) == number
    else:
        with pytest.raises(InvalidParameter, match="value out of range"):
            requests.integer(text)


@given(st.integers(min_value=-(2**40), max_value=2**80))
def test_uint32(number: int) -> None:
    if 0 <= number < 2**32:
        assert requests.uint32(f"00{number}") == number
    else:
        with pytest.raises(InvalidParameter, match="value out of range"):
            requests.uint32(str(number))


@pytest.mark.parametrize("text", ["", "+5", "-", "5 ", "0x5", "5.0", "\u0665", "1_0", "--5"])
def test_no_uint32(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid syntax"):
        requests.uint32(text)


@given(st.text())
def test_no_text_breaks_a_parser(text: str) -> None:
    requests.tail(text)
    requests.quote(text)
    for parse in (requests.integer, requests.uint32, requests.filters, requests.time_ns):
        with contextlib.suppress(InvalidParameter):
            parse(text)


@given(st.dictionaries(st.text(), st.lists(st.text(), unique=True)))
def test_filters_of_both_forms(wanted: dict[str, list[str]]) -> None:
    assert requests.filters(json.dumps(wanted)) == wanted
    newer = {key: dict.fromkeys(values, True) for key, values in wanted.items()}
    assert requests.filters(json.dumps(newer)) == wanted


@pytest.mark.parametrize("text", ["[]", "{", '"x"', '{"a":1}', '{"a":[1]}', '{"a":{"b":1}}', "nul"])
def test_no_filters(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^invalid filter$"):
        requests.filters(text)


@pytest.mark.parametrize("text", ["", "null", "{}"])
def test_empty_filters(text: str) -> None:
    assert requests.filters(text) == {}


@given(st.integers(min_value=0, max_value=9 * 10**9), st.integers(min_value=0, max_value=10**9 - 1))
def test_times(seconds: int, nanoseconds: int) -> None:
    moment = seconds * 10**9 + nanoseconds
    assert requests.time_ns(f"{seconds}.{nanoseconds:09d}") == moment
    assert requests.time_ns(f"{seconds}.{nanoseconds:09d}999") == moment
    assert requests.time_ns(f"{seconds}") == seconds * 10**9


@given(st.integers(min_value=9_223_372_037, max_value=10**18 - 1), st.sampled_from(["", ".5"]))
def test_times_that_64_bits_cannot_say(seconds: int, fraction: str) -> None:
    assert requests.time_ns(f"{seconds}{fraction}") == 2**63 - 1
    assert requests.time_ns(f"-{seconds}{fraction}") == 1 - 2**63


@pytest.mark.parametrize("text", ["x", "1.", ".5", "1e3", "2020-01-01T00:00:00Z", "1." + "1" * 21])
def test_no_times(text: str) -> None:
    with pytest.raises(InvalidParameter):
        requests.time_ns(text)


@given(st.lists(st.binary(min_size=1)), st.binary(), st.data())
def test_chunks_end_to_the_byte(parts: list[bytes], behind: bytes, data: st.DataObject) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n" + behind
    body, held, got = ChunkedBody(), bytearray(), b""
    at = 0
    while at < len(wire):
        size = data.draw(st.integers(min_value=1, max_value=len(wire) - at))
        held += wire[at : at + size]
        at += size
        got += body.take(held)
    assert body.complete
    assert (got, bytes(held)) == (b"".join(parts), behind)


@given(st.binary())
def test_no_bytes_break_the_chunks(junk: bytes) -> None:
    with contextlib.suppress(MalformedBody):
        ChunkedBody().take(bytearray(junk))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("w=80", 'invalid resize height "": invalid syntax'),
        ("h=24", 'invalid resize width "": invalid syntax'),
        ("h=%2B5&w=80", 'invalid resize height "+5": invalid syntax'),
        ("h=-1&w=80", 'invalid resize height "-1": value out of range'),
        ("h=24&w=4294967296", 'invalid resize width "4294967296": value out of range'),
    ],
)
@pytest.mark.parametrize("path", ["/containers/box/resize", "/exec/e/resize"])
def test_sizes_are_strict(client: Client, path: str, query: str, text: str) -> None:
    answer = client.ask("POST", f"{path}?{query}")
    assert (answer.status, answer.json()) == (400, {"message": text})
    assert client.ask("POST", f"{path}?h=24&w=4294967295").status == 200


def create(client: Client, body: bytes | None, content_type: str | None) -> Any:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = client.ask("POST", "/containers/box/exec", body=body, headers=headers)
    return answer.json().get("message", "made")


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b'{"cmd":["a"]}', "application/json", "made"),
        (b'{"CMD":["a"],"Unknown":1,"Env":null}', "application/json; charset=utf-8", "made"),
        (b'{"Cmd":["a"]} \n', "Application/JSON", "made"),
        (b'{"Cmd":["a"]}{}', "application/json", "unexpected content after JSON"),
        (b'{"Cmd":["a"]}', "text/plain", "unsupported Content-Type header (text/plain): must be"),
        (b'{"Cmd":["a"]}', None, "malformed Content-Type header ()"),
        (None, None, "No exec command specified"),
        (b"", None, "No exec command specified"),
        (None, "text/plain", "unsupported Content-Type header"),
        (b"{}", "application/json", "No exec command specified"),
        (b'{"Cmd":"a"}', "application/json", "made"),
        (b'{"Cmd":["a"],"Env":"a"}', "application/json", "invalid JSON"),
        (b'{"Cmd":["a"],"ConsoleSize":[1]}', "application/json", "invalid JSON"),
        (b'{"Cmd":["a"],"ConsoleSize":[-1,1]}', "application/json", "invalid JSON"),
        (
            b'{"Cmd":["a"],"ConsoleSize":[9223372036854775808,1]}',
            "application/json",
            "invalid JSON: json: cannot unmarshal number into Go struct field ExecRequest.",
        ),
        (b'{"Cmd":', "application/json", "invalid JSON"),
    ],
)
def test_bodies(client: Client, body: bytes | None, content_type: str | None, text: str) -> None:
    assert create(client, body, content_type).startswith(text)
    assert client.ask("GET", "/_ping").status == 200


def test_an_empty_chunked_body(client: Client) -> None:
    client.send(
        b"POST /containers/box/exec HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    assert client.answer().json() == {"message": "invalid JSON: got EOF while reading request body"}


def test_a_form_s_body_counts_as_query(client: Client, engine: Fake) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    path = "/containers/box/rename?name=second"
    assert client.ask("POST", path, body=b"name=first", headers=headers).status == 204
    assert engine.asks("container_rename")[0][0] == ("box", "first")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("br, zstd", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, deflate;q=0.9", "deflate"),
        ("gzip;q=0, *;q=0.1", "gzip"),
        ("*", "gzip"),
        ("*;q=0", None),
        ("gzip ; q=1.0,", "gzip"),
        ("gzip;q=x;q=1", None),
    ],
)
def test_the_coding_that_a_client_likes_best(accepted: str, chosen: str | None) -> None:
    assert requests.coding(accepted, ("gzip", "deflate")) == chosen
