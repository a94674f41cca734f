"""Which subnet a bridge takes, which address a container gets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from drayman.errors import Conflict, InvalidParameter, Unavailable
from drayman.network.addresses import DEFAULT_SUBNETS, Pool, choose_subnet, parse_subnet
from drayman.network.routes import Route, parse

TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
short line
"""


def test_the_kernels_table_without_its_default_route() -> None:
    assert list(parse(TABLE)) == [
        Route("docker0", IPv4Network("172.17.0.0/16")),
        Route("eth0", IPv4Network("192.168.0.0/24")),
    ]


def test_the_first_subnet_that_nothing_overlaps() -> None:
    assert choose_subnet([]) == IPv4Network("172.17.0.0/16")
    taken = [IPv4Network("172.17.5.0/24"), IPv4Network("172.18.0.0/15")]
    assert choose_subnet(taken) == IPv4Network("172.20.0.0/16")
    assert choose_subnet([IPv4Network("172.16.0.0/12")]) == IPv4Network("192.168.0.0/20")
    assert choose_subnet(DEFAULT_SUBNETS[:-1]) == IPv4Network("192.168.240.0/20")


def test_no_subnet_is_left() -> None:
    with pytest.raises(Unavailable, match="non-overlapping IPv4 address pool"):
        choose_subnet([IPv4Network("128.0.0.0/1")])


@pytest.mark.parametrize("text", ["", "10.0.0.0/31", "10.0.0.1/24", "fd00::/64", "ten"])
def test_subnets_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid subnet"):
        parse_subnet(text)


def test_addresses_go_round() -> None:
    pool = Pool(IPv4Network("10.0.0.0/29"))
    assert pool.gateway == IPv4Address("10.0.0.1")
    given = [pool.allocate() for _ in range(5)]
    assert given == [IPv4Address(f"10.0.0.{last}") for last in range(2, 7)]
    with pytest.raises(Unavailable, match="no available IPv4 addresses in"):
        pool.allocate()
    pool.release(given[3])
    assert pool.allocate() == given[3]


def test_a_released_address_is_the_last_to_be_given_again() -> None:
    pool = Pool(IPv4Network("10.0.0.0/29"))
    first = pool.allocate()
    pool.release(first)
    assert [pool.allocate() for _ in range(5)][-1] == first


def test_an_address_asked_for() -> None:
    pool = Pool(IPv4Network("10.0.0.0/24"))
    assert pool.allocate(IPv4Address("10.0.0.2")) == IPv4Address("10.0.0.2")
    assert pool.allocate() == IPv4Address("10.0.0.3")
    with pytest.raises(Conflict, match=r"10\.0\.0\.2 is already in use"):
        pool.allocate(IPv4Address("10.0.0.2"))
    with pytest.raises(InvalidParameter, match="no configured subnet contains it"):
        pool.allocate(IPv4Address("10.0.1.2"))


@pytest.mark.parametrize("last", [0, 1, 255])
def test_addresses_that_are_never_a_containers(last: int) -> None:
    pool = Pool(IPv4Network("10.0.0.0/24"))
    address = IPv4Address(f"10.0.0.{last}")
    pool.release(address)
    with pytest.raises(Conflict):
        pool.allocate(address)
