"""A bridge with containers' namespaces on it, real packets through real rules."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.network_world import (
    ANSWER_S,
    DROPPED_S,
    TCP_PORT,
    UDP_PORT,
    call,
    call_from,
    outside,
    server,
)

from drayman import _native, errors
from drayman.model.network import PortBinding
from drayman.network import bridge
from drayman.network.bridge import BridgeDriver
from drayman.network.links import INTERFACES
from drayman.network.nft import Nftables
from drayman.network.rules import table_of
from drayman.network.sandbox import Attachment

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="interfaces take root")

# Each test process has its own: xdist runs several at once.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
BRIDGE = f"drtest{WORKER}"
SUBNET = f"10.212.{WORKER}.0/24"
GATEWAY = f"10.212.{WORKER}.1"


def published(host_ip: str = "", host_port: str = "") -> list[PortBinding]:
    return [PortBinding(host_ip=host_ip, host_port=host_port)]


def host_port(attachment: Attachment, port: str) -> int:
    bindings = attachment.ports[port]
    assert bindings
    return int(bindings[0].host_port)


def names_on_bridge() -> set[str]:
    return {path.name for path in (INTERFACES / BRIDGE / "brif").iterdir()}


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[BridgeDriver]:
    driver = BridgeDriver(BRIDGE, SUBNET, tmp_path)
    assert driver.ensure() == (SUBNET, GATEWAY)
    yield driver
    driver.remove()
    assert not (INTERFACES / BRIDGE).exists()
    assert not Nftables().exists(f"table ip {table_of(BRIDGE)}")
    assert list((tmp_path / "netns").iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@pytest.fixture
def box(driver: BridgeDriver) -> Iterator[Attachment]:
    """A container with servers behind published ports."""
    ports = {f"{TCP_PORT}/tcp": published(), f"{UDP_PORT}/udp": published()}
    attachment = driver.attach("box", "box", ports=ports, exposed=["9/tcp"])
    with server(attachment.netns_path):
        yield attachment
    driver.detach("box")


def test_what_an_attachment_tells(box: Attachment) -> None:
    assert (box.ip, box.prefix, box.gateway) == (f"10.212.{WORKER}.2", 24, GATEWAY)
    assert box.mac == f"02:42:0a:d4:{WORKER:02x}:02"
    assert box.ports["9/tcp"] is None
    assert len(box.endpoint_id) == 64
    seen = subprocess.run(
        ["nsenter", f"--net={box.netns_path}", "ip", "-brief", "address"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"{box.ip}/24" in seen
    assert "lo               UNKNOWN        127.0.0.1/8 ::1/128" in seen
    assert "fe80" not in seen


@pytest.mark.parametrize("address", ["127.0.0.1", GATEWAY], ids=["loopback", "bridge"])
def test_published_ports_from_the_host(box: Attachment, address: str) -> None:
    # The bridge's own address is how a container sees its host.
    assert call(address, host_port(box, "80/tcp")) == GATEWAY
    assert call(address, host_port(box, "53/udp"), socket.SOCK_DGRAM) == GATEWAY


def test_a_container_by_its_address(box: Attachment) -> None:
    assert call(box.ip, TCP_PORT) == GATEWAY


def test_a_port_that_nobody_answers_is_refused(driver: BridgeDriver) -> None:
    attachment = driver.attach("idle", "idle", ports={"80/tcp": published()})
    with pytest.raises(ConnectionRefusedError):
        call("127.0.0.1", host_port(attachment, "80/tcp"))


def test_containers_among_themselves(driver: BridgeDriver, box: Attachment) -> None:
    other = driver.attach("other", "other")
    assert call_from(other.netns_path, box.ip, TCP_PORT) == other.ip
    # By the published port, another's and one's own: the answer must come back the same way.
    port = host_port(box, "80/tcp")
    assert call_from(other.netns_path, GATEWAY, port) == GATEWAY
    assert call_from(box.netns_path, GATEWAY, port) == GATEWAY
    driver.detach("other")


def test_the_hosts_own_127_stays_its_own(driver: BridgeDriver) -> None:
    attachment = driver.attach("sly", "sly")
    netns = attachment.netns_path
    commands = (
        "sysctl -qw net.ipv4.conf.all.route_localnet=1",
        "ip addr del 127.0.0.1/8 dev lo",
        f"ip route add 127.0.0.0/8 via {GATEWAY} src {attachment.ip}",
        "ip route del table local 127.0.0.0/8",
    )
    for command in commands:
        subprocess.run(["nsenter", f"--net={netns}", *command.split()], check=False)
    with socket.create_server(("127.0.0.1", 0)) as secret:
        port = secret.getsockname()[1]
        assert call_from(netns, "127.0.0.1", port, seconds=DROPPED_S) in (
            "TimeoutError",
            "OSError",
        )


def test_another_machine(driver: BridgeDriver, box: Attachment, tmp_path: Path) -> None:
    netns = str(tmp_path / "outside")
    _native.netns_create(netns)
    try:
        with outside(f"drout{WORKER}", netns, f"10.215.{WORKER}") as (theirs, ours), server(netns):
            # Out, behind the host's address; in, by what is published and no other way.
            assert call_from(box.netns_path, theirs, TCP_PORT) == ours
            assert call_from(netns, ours, host_port(box, "80/tcp")) == theirs
            answer = call_from(netns, box.ip, TCP_PORT, seconds=DROPPED_S)
            assert answer == "TimeoutError"
    finally:
        _native.netns_remove(netns)


def test_a_port_at_one_address(driver: BridgeDriver) -> None:
    ports = {"80/tcp": published("127.0.0.1")}
    attachment = driver.attach("local", "local", ports=ports)
    port = host_port(attachment, "80/tcp")
    with server(attachment.netns_path):
        assert call("127.0.0.1", port) == GATEWAY
        with pytest.raises(ConnectionRefusedError):
            call(GATEWAY, port)


def test_a_sender_that_never_pauses_reaches_the_next_container(driver: BridgeDriver) -> None:
    # Kept by the connection tracking (Linux 6.8 can be told to forget), its packets would
    # go on to where the first container was.
    ports = {f"{UDP_PORT}/udp": published()}
    first = driver.attach("first", "first", ports=ports)
    port = host_port(first, "53/udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(ANSWER_S)
        sender.connect(("127.0.0.1", port))
        for attachment in (first, None):
            if attachment is None:
                driver.detach("first")
                ports = {f"{UDP_PORT}/udp": published(host_port=str(port))}
                # Nobody has the port: this starts a connection that leads nowhere.
                with suppress(ConnectionRefusedError):
                    sender.send(b"lost")
                    sender.recv(10)
                attachment = driver.attach("second", "second", ports=ports)
            with server(attachment.netns_path):
                sender.send(b"hello")
                assert sender.recv(100).decode() == GATEWAY


def test_detaching_leaves_nothing(driver: BridgeDriver, box: Attachment) -> None:
    port = host_port(box, "80/tcp")
    other = driver.attach("other", "other", ports={"81/tcp": published()})
    driver.detach("other")
    driver.detach("other")
    assert not Path(other.netns_path).exists()
    with pytest.raises(ConnectionRefusedError):
        call("127.0.0.1", host_port(other, "81/tcp"))
    assert call("127.0.0.1", port) == GATEWAY
    wait_until_gone(other.host_interface)


def wait_until_gone(interface: str) -> None:
    deadline = time.monotonic() + 5
    while (INTERFACES / interface).exists():
        assert time.monotonic() < deadline
        # Nothing announces it to this process; the kernel's worker needs some 50 ms.
        threading.Event().wait(0.005)


def test_an_address_asked_for_again_at_once(driver: BridgeDriver) -> None:
    ip, mac = f"10.212.{WORKER}.77", "02:42:00:00:00:77"
    for _ in range(3):
        attachment = driver.attach("same", "same", requested_ip=ip, mac=mac)
        assert (attachment.ip, attachment.mac) == (ip, mac)
        driver.detach("same")


def test_what_cannot_be_leaves_nothing(driver: BridgeDriver, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidParameter, match="no hardware address"):
        driver.attach("a", "a", mac="01:00:00:00:00:00", ports={"80/tcp": published()})
    with pytest.raises(errors.InvalidParameter, match="no configured subnet"):
        driver.attach("a", "a", requested_ip="10.1.1.1")
    with pytest.raises(errors.InvalidParameter, match="invalid IPv4 address"):
        driver.attach("a", "a", requested_ip="ten")
    with pytest.raises(errors.Conflict, match="already in use"):
        driver.attach("a", "a", requested_ip=GATEWAY)
    assert list((tmp_path / "netns").iterdir()) == []
    assert names_on_bridge() == set()
    assert driver.attach("a", "a")


def test_a_port_that_is_taken(driver: BridgeDriver, tmp_path: Path, box: Attachment) -> None:
    port = host_port(box, "80/tcp")
    with pytest.raises(errors.System) as caught:
        driver.attach("b", "second", ports={"80/tcp": published(host_port=str(port))})
    said = str(caught.value)
    assert said.startswith("driver failed programming external connectivity on endpoint second (")
    assert said.endswith(f"): Bind for 0.0.0.0:{port} failed: port is already allocated")
    assert not (tmp_path / "netns" / "b").exists()
    assert len(names_on_bridge()) == 1


def test_a_restart_of_the_engine(driver: BridgeDriver, tmp_path: Path, box: Attachment) -> None:
    dead = driver.attach("dead", "dead", ports={"81/tcp": published()})
    cut_short = driver.attach("cut", "cut", ports={"82/tcp": published()})
    tcp = host_port(box, "80/tcp")
    driver.close()  # as SIGKILL does: the sockets go, the kernel's state stays

    after = BridgeDriver(BRIDGE, None, tmp_path)
    assert after.ensure() == (SUBNET, GATEWAY)
    assert call("127.0.0.1", tcp) == GATEWAY
    assert after.restore("box", box) == []
    assert after.restore("box", box) == []
    after.detach("dead", dead)
    after.sweep()
    assert not Path(dead.netns_path).exists()
    assert not Path(cut_short.netns_path).exists()
    assert names_on_bridge() == {box.host_interface}
    listed = Nftables().list(f"table ip {table_of(BRIDGE)}")
    elements = [element for one in listed for element in one.get("map", {}).get("elem", [])]
    assert len(elements) == 2

    assert call("127.0.0.1", tcp) == GATEWAY
    with pytest.raises(errors.Conflict):
        after.attach("new", "new", requested_ip=box.ip)
    with pytest.raises(errors.System, match="port is already allocated"):
        after.attach("new", "new", ports={"80/tcp": published(host_port=str(tcp))})
    after.detach("box")
    after.close()


def test_a_namespace_that_another_shares(
    driver: BridgeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drayman.network.links.GRACE_S", 0.0)
    attachment = driver.attach("owner", "owner")
    with server(attachment.netns_path):
        driver.detach("owner")
        assert (INTERFACES / attachment.host_interface).exists()
        driver.attach("next", "next")
        assert not (INTERFACES / attachment.host_interface).exists()


def test_many_at_once(driver: BridgeDriver) -> None:
    def one(number: int) -> Attachment:
        name = f"c{number}"
        driver.attach(name, name, ports={"80/tcp": published()})
        driver.detach(name)
        return driver.attach(name, name, ports={"80/tcp": published()})

    with ThreadPoolExecutor(8) as pool:
        attachments = list(pool.map(one, range(24)))
    assert len({attachment.ip for attachment in attachments}) == 24
    assert len({host_port(attachment, "80/tcp") for attachment in attachments}) == 24


def test_a_full_bridge(driver: BridgeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller one than the kernel's, whose thousand and twenty-three containers take a minute."""
    monkeypatch.setattr(bridge, "PORTS_MAX", 2)
    driver.attach("one", "one")
    for _ in range(5):
        driver.attach("two", "two")
        # What has just gone held a port still.
        assert len(names_on_bridge()) == 2
        with pytest.raises(errors.Unavailable, match=f"bridge {BRIDGE} is full"):
            driver.attach("three", "three")
        driver.detach("two")


def test_names_that_cannot_be(tmp_path: Path) -> None:
    for name in ("", "a" * 16, "a/b", 'a"b', "0", "a b", "a.b"):
        with pytest.raises(errors.InvalidParameter, match="invalid bridge name"):
            BridgeDriver(name, None, tmp_path)
    with pytest.raises(errors.InvalidParameter, match="invalid subnet"):
        BridgeDriver("a", "10.0.0.1/8", tmp_path)
    with pytest.raises(errors.System, match="was not set up"):
        BridgeDriver("a", None, tmp_path).attach("a", "a")
    with pytest.raises(errors.Conflict, match="interface lo is no bridge"):
        BridgeDriver("lo", SUBNET, tmp_path).ensure()


def test_a_missing_library_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drayman.network.nft._LIBRARY", "libnone.so.1")
    with pytest.raises(errors.Unavailable, match="libnftables1"):
        Nftables()


def test_a_kernel_without_netfilter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    # No kernel has this protocol.
    monkeypatch.setattr("drayman.network.nft._NETLINK_NETFILTER", 31)
    with pytest.raises(errors.Unavailable, match="modprobe nf_tables"):
        Nftables()


def test_the_rules_of_a_firewall_that_drops(
    driver: BridgeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A chain of this test's own, hooked to nothing: the host's is not for tests to change.
    table = f"ip drtestfilter{WORKER}"
    monkeypatch.setattr("drayman.network.firewall._CHAIN", f"{table} FORWARD")
    nftables = Nftables()
    nftables.run(f"add table {table}\nadd chain {table} FORWARD\n")
    try:
        for _ in range(2):
            driver.ensure()
            assert len(rules_of(nftables, f"{table} FORWARD")) == 2
        driver.remove()
        assert rules_of(nftables, f"{table} FORWARD") == []
    finally:
        nftables.run(f"delete table {table}\n")


def rules_of(nftables: Nftables, chain: str) -> list[str]:
    return [one["rule"]["comment"] for one in nftables.list(f"chain {chain}") if "rule" in one]
