"""Someone in a container exchanges directories for links that lead out while we read and write
there: nothing beside the container is read or written."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.client import Client
from tests.engine.engines import EngineServer
from tests.engine.holdings import nothing_left
from tests.engine.raw_tars import END, entry

ROUNDS = 150
SECRET = b"told to no container"
# renameat2's exchange, which no shell has: a directory is a link in between, without a gap.
SWAPPER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
int main(int count, char **names) {
    for (;;)
        for (int one = 1; one + 1 < count; one += 2)
            renameat2(AT_FDCWD, names[one], AT_FDCWD, names[one + 1], RENAME_EXCHANGE);
}
"""


@pytest.fixture(scope="module")
def swapper(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A static program that exchanges pairs of names for ever."""
    place = tmp_path_factory.mktemp("swapper")
    command = ["cc", "-O2", "-static", "-o", str(place / "swap"), "-x", "c", "-"]
    subprocess.run(command, input=SWAPPER.encode(), check=True)
    return (place / "swap").read_bytes()


def ask(
    engine: EngineServer, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    """The status and all that is answered, which is cut short where what is packed has moved."""
    with Client(str(engine.socket_path)) as client:
        client.request(method, path, body=body, headers={"Connection": "close"})
        answer = client.rest()
    return int(answer.split()[1]), answer


@pytest.fixture
def outside(engine_server: EngineServer) -> Iterator[Path]:
    """A directory of the host with what must not be read, and nothing else in it afterwards."""
    place = engine_server.place / "outside"
    place.mkdir()
    (place / "canary").write_bytes(SECRET)
    yield place
    assert os.listdir(place) == ["canary"]
    assert (place / "canary").read_bytes() == SECRET


def test_links_swapped_in_lead_nowhere(
    engine_server: EngineServer, swapper: bytes, outside: Path
) -> None:
    targets = ["/", str(outside), "../" * 20 + str(outside)[1:], f"/proc/1/root{outside}"]
    container = engine_server.running()
    archive = f"/containers/{container}/archive?path="
    made = entry("bin/swap", swapper, mode=0o755)
    for number, target in enumerate(targets):
        made += entry(f"race/d{number}", kind=b"5", mode=0o755)
        made += entry(f"race/l{number}", kind=b"2", link=target)
    # What is put is told apart from what lies outside by its content alone.
    below = [
        entry(f"d{number}/{name}", content, kind, link=link)
        for number in range(len(targets))
        for name, content, kind, link in (
            ("canary", b"inside", b"0", ""),
            ("new", b"", b"5", ""),
            ("hard", b"", b"1", f"d{number}/canary"),
            ("soft", b"", b"2", "canary"),
        )
    ]
    assert ask(engine_server, "PUT", archive + "/", made + END)[0] == 200
    # What an engine opens with the first download and keeps is open from here on.
    assert ask(engine_server, "GET", archive + "/race")[0] == 200
    pairs = [f"/race/{kind}{number}" for number in range(len(targets)) for kind in "dl"]
    engine_server.docker("exec", "-d", container, "/bin/swap", *pairs)
    told: Counter[tuple[str, int]] = Counter()
    with nothing_left(engine_server):
        for turn in range(ROUNDS):
            number = turn % len(targets)
            one = b"".join(below[4 * number : 4 * number + 4])
            for method, path, body in (
                ("PUT", "/race", one + END),
                ("PUT", f"/race/d{number}", entry("canary", b"inside") + END),
                ("GET", f"/race/d{number}/canary", None),
                ("GET", f"/race/d{number}/", None),
                ("GET", "/race", None),
            ):
                status, answer = ask(engine_server, method, archive + path, body)
                told[method, status] += 1
                assert SECRET not in answer
                assert status in (200, 400, 404, 500), answer
    # Both were met on the way, directories and links.
    assert {("PUT", 200), ("GET", 200)} < set(told)
    assert {status for _, status in told} - {200}
    assert not Path("/canary").exists()
