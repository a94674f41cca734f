"""A thousand copies, half of them cut off: afterwards the engine holds what it held before."""

from __future__ import annotations

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests import images
from tests.api.client import Client
from tests.engine.engines import EngineServer
from tests.engine.holdings import at_rest, memory_kib, until_no_more

COPIES = 1000
WARM_UP_COPIES = 600
# More at a time than later, so that every thread that may come has come.
WARM_UP_CLIENTS = 8
MEMORY_LIMIT = 1.05

FILES = 8
# All of them together are more than what fits between the engine and a client.
FILE_BYTES = 400 << 10
# A size that has nothing in common with a block's: the places where copies are cut vary.
CUT_STEP_BYTES = 31_337


def files_tar() -> bytes:
    """The tar that is copied in, and out again."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(FILES):
            info = tarfile.TarInfo(f"{number}")
            info.size = FILE_BYTES
            tar.addfile(info, io.BytesIO(bytes(FILE_BYTES)))
    return out.getvalue()


TAR = files_tar()
PLACES: list[images.Entry] = [(name, b"", 0o755) for name in ("srv/", "srv/in/", "srv/out/")]


def copy(engine: EngineServer, container: str, number: int) -> None:
    """Of each four, one goes in whole and one out, and one each is cut off."""
    into, out_of = (f"/containers/{container}/archive?path=/srv/{way}" for way in ("in", "out"))
    cut = 1 + number * CUT_STEP_BYTES % (len(TAR) - 1)
    with Client(str(engine.socket_path)) as client:
        match number % 4:
            case 0:
                assert client.ask("PUT", into, body=TAR).status == 200
            case 1:
                client.request("PUT", into, headers={"Content-Length": str(len(TAR))})
                client.send(TAR[:cut])
            case 2:
                assert len(client.ask("GET", out_of).body) > FILES * FILE_BYTES
            case 3:
                client.request("GET", out_of)
                assert client.head()[0] == 200
                client.exactly(cut)


@pytest.mark.parametrize("status", ["running", "created"])
def test_a_thousand_copies_half_of_them_cut_off(engine_server: EngineServer, status: str) -> None:
    make = engine_server.running if status == "running" else engine_server.create
    container = make("sleep", "1000")
    path = f"/containers/{container}"
    for where, tar in (("/", images.tar(PLACES)), ("/srv/out", TAR)):
        assert engine_server.api("PUT", f"{path}/archive?path={where}", tar) == (200, "")
    with ThreadPoolExecutor(WARM_UP_CLIENTS) as clients:
        for done in [
            clients.submit(copy, engine_server, container, number)
            for number in range(WARM_UP_COPIES)
        ]:
            done.result()
    before, before_kib = at_rest(engine_server), memory_kib(engine_server)
    for number in range(COPIES):
        copy(engine_server, container, number)
    until_no_more(at_rest, engine_server, before)
    assert memory_kib(engine_server) <= before_kib * MEMORY_LIMIT
    upper = engine_server.root / "containers" / container / "upper"
    # What was put before a cut stays, but for the file that was cut; nothing of ours that helped.
    put = {file.name: file.stat().st_size for file in (upper / "srv/in").iterdir()}
    assert put.keys() <= {str(number) for number in range(FILES)}
    assert set(put.values()) == {FILE_BYTES}
    assert engine_server.api("DELETE", f"{path}?force=1")[0] == 204
