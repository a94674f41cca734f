"""What the words of a health check ask for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig, HealthConfig
from drayman.model.go_duration import format_ns, parse_ns
from drayman.runtime import probes


def config(*words: str, shell: list[str] | None = None) -> ContainerConfig:
    return ContainerConfig(healthcheck=HealthConfig(test=list(words)), shell=shell)


def request_line(*words: str) -> str:
    test = probes.test_of(config(*words))
    assert test is not None
    return str(test["request"]).partition("\r\n")[0]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), None),
        (("NONE",), None),
        (("EXTERNAL", "x"), None),
        (("CMD", "true"), {"kind": "command"}),
        (("CMD-SHELL", "exit 1"), {"kind": "command"}),
        (("FILE", "/run/ready"), {"kind": "file", "path": "/run/ready"}),
        (("TCP", "5432"), {"kind": "tcp", "address": "127.0.0.1:5432"}),
        (("TCP", "localhost:5432"), {"kind": "tcp", "address": "127.0.0.1:5432"}),
        (("TCP", "10.0.0.9:1"), {"kind": "tcp", "address": "10.0.0.9:1"}),
        (("TCP", "[::1]:65535"), {"kind": "tcp", "address": "[::1]:65535"}),
    ],
)
def test_words(words: tuple[str, ...], wanted: dict[str, Any] | None) -> None:
    assert probes.test_of(config(*words)) == wanted


def test_urls() -> None:
    assert probes.test_of(config("HTTP", "http://localhost:8080/a?b=c#d")) == {
        "kind": "http",
        "address": "127.0.0.1:8080",
        "request": "GET /a?b=c HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Drayman\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n",
        "statuses": (200, 399),
    }
    assert request_line("HTTP", "http://127.0.0.1") == "GET / HTTP/1.1"
    test = probes.test_of(config("HTTP", "http://[::1]/", "418"))
    assert test is not None
    assert (test["address"], test["statuses"]) == ("[::1]:80", (418, 418))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("HTTP",), "it takes a URL"),
        (("HTTP", "http://a", "200", "x"), "it takes a URL"),
        (("HTTP", "https://127.0.0.1/"), "http://"),
        (("HTTP", "127.0.0.1/"), "http://"),
        (("HTTP", "http://127.0.0.1/a b"), "blanks"),
        (("HTTP", "http://127.0.0.1/\r\nX: y"), "blanks"),
        (("HTTP", "http:///x"), "must name a host"),
        (("HTTP", "http://me@127.0.0.1/"), "no user"),
        (("HTTP", "http://web/"), "'web' is neither an address nor localhost"),
        (("HTTP", "http://127.0.0.1:0/"), "'0' is no port"),
        (("HTTP", "http://127.0.0.1:65536/"), "[Pp]ort"),
        (("HTTP", "http://[::1/"), "IPv6"),
        (("HTTP", "http://[fe80::1%25x]/"), "."),
        (("HTTP", "http://127.0.0.1/", "2xx"), "'2xx' is no HTTP status"),
        (("TCP",), "it takes a port"),
        (("TCP", "1", "2"), "it takes a port"),
        (("TCP", ""), "'' is no port"),
        (("TCP", "70000"), "'70000' is no port"),
        (("TCP", ":80"), "'' is neither"),
        (("TCP", "db:5432"), "'db' is neither"),
        (("FILE",), "absolute path"),
        (("FILE", "ready"), "absolute path"),
        (("FILE", "/a\0b"), "absolute path"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(InvalidParameter, match=why) as caught:
        probes.test_of(config(*words))
    assert str(caught.value).startswith(f"invalid health check {list(words)!r}: ")


@given(st.sampled_from(["HTTP", "TCP", "FILE"]), st.lists(st.text(), max_size=3))
def test_no_words_upset_it(kind: str, words: list[str]) -> None:
    try:
        test = probes.test_of(config(kind, *words))
    except InvalidParameter:
        return
    assert test is not None
    assert "\n" not in str(test.get("request", "")).partition("\r\n")[0]


def test_commands() -> None:
    assert probes.command(config("CMD", "a", "b")) == ["a", "b"]
    assert probes.command(config("CMD-SHELL", "a b")) == ["/bin/sh", "-c", "a b"]
    assert probes.command(config("CMD-SHELL", "a", shell=["/bin/ash", "-ec"])) == [
        "/bin/ash",
        "-ec",
        "a",
    ]


def test_an_unknown_word_is_warned_of() -> None:
    assert probes.warnings(config("cmd", "true")) == [
        "Unknown health check type 'cmd': the container's health is not checked"
    ]
    for words in [(), ("NONE",), ("CMD", "x"), ("TCP", "1")]:
        assert probes.warnings(config(*words)) == []


@pytest.mark.parametrize(
    "text", ["0s", "1ns", "1.5µs", "300ms", "1s", "1.5s", "1m30s", "2m0s", "1h0m0s", "30h0m0.001s"]
)
def test_spans_are_written_as_go_does(text: str) -> None:
    assert format_ns(0 if text == "0s" else parse_ns(text)) == text
