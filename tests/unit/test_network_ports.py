"""What publishing a port asks for, and holding the host's port for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from drayman.errors import InvalidParameter, System
from drayman.model.network import PortBinding
from drayman.network.ports import Ports, Wanted, parse, port_map, published
from drayman.network.rules import ANYWHERE, Published

LOCAL = IPv4Address("127.0.0.1")
CONTAINER = IPv4Address("10.0.0.2")


@pytest.fixture
def ports() -> Iterator[Ports]:
    with closing(Ports()) as held:
        yield held


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wanted(port: int, protocol: str = "tcp", host_ip: IPv4Address = LOCAL) -> Wanted:
    return Wanted(protocol, 80, host_ip, range(port, port + 1))


def test_bindings_as_clients_write_them() -> None:
    asked = {
        "80/tcp": [PortBinding(host_port="8080"), PortBinding(host_ip="127.0.0.1")],
        "53/UDP": [PortBinding(host_ip="0.0.0.0", host_port="5000-5002")],
        "90": None,
    }
    assert parse(asked) == [
        Wanted("tcp", 80, ANYWHERE, range(8080, 8081)),
        Wanted("tcp", 80, LOCAL, range(0)),
        Wanted("udp", 53, ANYWHERE, range(5000, 5003)),
        Wanted("tcp", 90, ANYWHERE, range(0)),
    ]


@pytest.mark.parametrize(
    ("port", "binding", "said"),
    [
        ("80/sctp", PortBinding(), "only tcp and udp"),
        ("0/tcp", PortBinding(), "invalid port specification: '0/tcp'"),
        ("²/tcp", PortBinding(), "invalid port specification"),
        ("80/tcp", PortBinding(host_port="65536"), "invalid port specification: '65536'"),
        ("80/tcp", PortBinding(host_port="9-8"), "invalid port range 9-8"),
        ("80/tcp", PortBinding(host_port="-8"), "invalid port specification: '-8'"),
        ("80/tcp", PortBinding(host_ip="::1"), "invalid host address ::1"),
        ("80/tcp", PortBinding(host_ip="host"), "invalid host address host"),
    ],
)
def test_bindings_that_cannot_be(port: str, binding: PortBinding, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        parse({port: [binding]})


def test_what_an_inspection_shows_and_back() -> None:
    held = [
        Published("tcp", ANYWHERE, 8080, CONTAINER, 80),
        Published("tcp", LOCAL, 8081, CONTAINER, 80),
    ]
    shown = port_map(["80/tcp", "443", "53/udp"], held)
    assert shown == {
        "80/tcp": [
            PortBinding(host_ip="0.0.0.0", host_port="8080"),
            PortBinding(host_ip="127.0.0.1", host_port="8081"),
        ],
        "443/tcp": None,
        "53/udp": None,
    }
    assert published(shown, CONTAINER) == held


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_held_port_is_nobody_elses(ports: Ports, protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    port = free_port(kind)
    held = ports.hold([wanted(port, protocol)], CONTAINER)
    with socket.socket(socket.AF_INET, kind) as other:
        if protocol == "tcp":
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
    ports.release(held)
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", port))


def test_two_containers_and_one_port(ports: Ports) -> None:
    port = free_port()
    ports.hold([wanted(port, host_ip=ANYWHERE)], CONTAINER)
    with pytest.raises(System) as caught:
        ports.hold([wanted(port, host_ip=ANYWHERE)], IPv4Address("10.0.0.3"))
    assert str(caught.value) == f"Bind for 0.0.0.0:{port} failed: port is already allocated"
    with pytest.raises(System, match="port is already allocated"):
        ports.hold([wanted(port)], IPv4Address("10.0.0.3"))


def test_a_program_of_the_host_has_the_port(ports: Ports) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(System) as caught:
            ports.hold([wanted(port)], CONTAINER)
    said = f"failed to bind host port 127.0.0.1:{port}/tcp: address already in use"
    assert str(caught.value) == said


def test_an_address_that_the_host_does_not_have(ports: Ports) -> None:
    with pytest.raises(System, match=r"192\.0\.2\.1:\d+/tcp: Cannot assign requested address"):
        ports.hold([wanted(free_port(), host_ip=IPv4Address("192.0.2.1"))], CONTAINER)


def test_connections_of_a_server_that_is_gone_do_not_block(ports: Ports) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the server's side closes first, and waits
        client.close()
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(("127.0.0.1", port))
    assert ports.hold([wanted(port)], CONTAINER)[0].host_port == port


def test_any_free_port_is_one_of_the_hosts_range(ports: Ports) -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    held = ports.hold([Wanted("tcp", 80, LOCAL, range(0)) for _ in range(20)], CONTAINER)
    numbers = {port.host_port for port in held}
    assert len(numbers) == 20
    assert all(first <= number <= last for number in numbers)


def test_the_first_free_port_of_a_range(ports: Ports) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        held = ports.hold([Wanted("tcp", 80, LOCAL, range(port, port + 9))], CONTAINER)
        assert port < held[0].host_port < port + 9


def test_all_or_none(ports: Ports) -> None:
    taken, free = free_port(), free_port()
    ports.hold([wanted(taken)], CONTAINER)
    with pytest.raises(System):
        ports.hold([wanted(free), wanted(taken)], CONTAINER)
    assert ports.hold([wanted(free)], CONTAINER)


def test_after_a_restart(ports: Ports) -> None:
    held = ports.hold([wanted(free_port())], CONTAINER)
    assert ports.restore(held) == []
    with closing(Ports()) as other:
        assert other.restore(held) == held
    ports.close()
    with closing(Ports()) as other:
        assert other.restore(held) == []
