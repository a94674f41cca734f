"""Programs in network namespaces, for the tests of a bridge: a server, clients, an outside."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TCP_PORT, UDP_PORT = 80, 53
# Long enough for a loaded machine; a packet that is dropped costs a test this much.
ANSWER_S = 5.0
DROPPED_S = 0.3

# Answers every caller with the address it seems to come from.
_SERVER = f"""
import socket, selectors
tcp = socket.create_server(("", {TCP_PORT}), backlog=16)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("", {UDP_PORT}))
ready = selectors.DefaultSelector()
for one in (tcp, udp): ready.register(one, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in ready.select():
        if key.fileobj is tcp:
            peer, address = tcp.accept()
            peer.sendall(address[0].encode()); peer.close()
        else:
            _, address = udp.recvfrom(100)
            udp.sendto(address[0].encode(), address)
"""

_CLIENT = """
import socket, sys
kind, host, port, seconds = sys.argv[1:]
with socket.socket(socket.AF_INET, getattr(socket, kind)) as caller:
    caller.settimeout(float(seconds))
    try:
        caller.connect((host, int(port)))
        caller.send(b"hello")
        print(caller.recv(100).decode())
    except OSError as error:
        print(type(error).__name__)
"""


@contextmanager
def server(netns: str) -> Iterator[None]:
    """A tcp and a udp server in a namespace."""
    command = ["nsenter", f"--net={netns}", sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.kill()


def call_from(netns: str, host: str, port: int, *, seconds: float = ANSWER_S) -> str:
    """Call a server from within a namespace: who it says we are, or the error's name."""
    command = ["nsenter", f"--net={netns}", sys.executable, "-c", _CLIENT]
    arguments = ["SOCK_STREAM", host, str(port), str(seconds)]
    answer = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def call(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> str:
    """Call a server from the host itself."""
    with socket.socket(socket.AF_INET, kind) as caller:
        caller.settimeout(ANSWER_S)
        caller.connect((host, port))
        caller.send(b"hello")
        return caller.recv(100).decode()


@contextmanager
def outside(name: str, netns: str, network: str) -> Iterator[tuple[str, str]]:
    """Another machine, on a link of its own to this one: (its address, ours on that link),
    of ``network`` (the first three numbers). It sends what is for the bridge's subnets to us."""
    theirs, ours = f"{network}.2", f"{network}.1"
    _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", netns)
    try:
        _ip("addr", "add", f"{ours}/24", "dev", name)
        _ip("link", "set", name, "up")
        inside = ["nsenter", f"--net={netns}", "ip"]
        for words in (
            f"addr add {theirs}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {ours}",
        ):
            subprocess.run([*inside, *words.split()], check=True)
        yield theirs, ours
    finally:
        _ip("link", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
