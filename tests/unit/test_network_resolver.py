"""The files by which a container knows names."""

from __future__ import annotations

import pytest

from drayman.errors import InvalidParameter
from drayman.network import resolver

HOST = """\
# made by something
domain old.example
search corp.example lab.example
nameserver 127.0.0.53
nameserver 10.0.0.53
nameserver ::1
nameserver fe80::1%eth0
nameserver 2001:db8::53
options ndots:2 timeout:1
options rotate
"""


def test_the_hosts_servers_as_far_as_a_container_reaches_them() -> None:
    assert resolver.resolv_conf(HOST) == (
        "nameserver 10.0.0.53\nsearch corp.example lab.example\noptions ndots:2 timeout:1 rotate\n"
    )


@pytest.mark.parametrize("host", ["", "nameserver 127.0.0.1\n", "nameserver\nnonsense"])
def test_a_fallback_where_the_host_names_none(host: str) -> None:
    assert resolver.resolv_conf(host) == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_what_the_client_asks_for_takes_the_place() -> None:
    written = resolver.resolv_conf(
        HOST, dns=["1.1.1.1", "127.0.0.1", "fd00::1"], search=["one.example"], options=["ndots:0"]
    )
    assert written == (
        "nameserver 1.1.1.1\nnameserver 127.0.0.1\nnameserver fd00::1\n"
        "search one.example\noptions ndots:0\n"
    )
    assert "search" not in resolver.resolv_conf(HOST, search=["."])


def test_a_server_that_is_no_address() -> None:
    with pytest.raises(InvalidParameter, match="dns is not an ip address"):
        resolver.resolv_conf("", dns=["dns"])


def test_behind_systemd_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        resolver.RESOLV_CONF: "nameserver 127.0.0.53\noptions edns0\n",
        resolver.RESOLVED_CONF: "nameserver 10.0.0.53\n",
    }
    monkeypatch.setattr(resolver, "_read", lambda path: texts.get(path, ""))
    assert resolver.host_resolv_conf() == "nameserver 10.0.0.53\n"
    texts[resolver.RESOLVED_CONF] = ""
    assert resolver.host_resolv_conf() == "nameserver 127.0.0.53\noptions edns0\n"


def test_hosts_as_docker_writes_them() -> None:
    written = resolver.hosts(
        address="172.17.0.2",
        hostname="box",
        extra=["db:10.0.0.9", "six:fd00::9", "six2:[fd00::a]", "up:host-gateway"],
        gateway="172.17.0.1",
    )
    assert written == (
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::\tip6-localnet\n"
        "ff00::\tip6-mcastprefix\n"
        "ff02::1\tip6-allnodes\n"
        "ff02::2\tip6-allrouters\n"
        "10.0.0.9\tdb\n"
        "fd00::9\tsix\n"
        "fd00::a\tsix2\n"
        "172.17.0.1\tup\n"
        "172.17.0.2\tbox\n"
    )


def test_a_domain_gives_two_names() -> None:
    written = resolver.hosts(address="10.0.0.2", hostname="box", domainname="corp.example")
    assert written.endswith("10.0.0.2\tbox.corp.example box\n")


def test_without_a_network_there_is_no_line_of_its_own() -> None:
    assert "box" not in resolver.hosts(address=None, hostname="box")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("db", 'bad format for add-host: "db"'),
        (":10.0.0.1", "bad format"),
        ("a b:10.0.0.1", "bad format"),
        ("a:10.0.0.1\n10.0.0.2 b", "bad format"),
        ("db:ten", 'invalid IP address in add-host: "ten"'),
        ("up:host-gateway", "host-gateway"),
    ],
)
def test_extra_hosts_that_cannot_be(extra: str, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        resolver.hosts(address=None, hostname="", extra=[extra])


def test_the_hosts_own_file_and_the_extras() -> None:
    assert resolver.host_hosts("127.0.0.1 me", ["db:10.0.0.9"]) == "127.0.0.1 me\n10.0.0.9\tdb\n"
    assert resolver.host_hosts("") == ""


def test_a_hostname() -> None:
    assert resolver.hostname("box") == "box\n"
