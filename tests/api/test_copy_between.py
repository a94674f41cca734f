"""From container to container: what is asked of the engine, and for how long."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drayman.api.options import PutOptions, TarOptions
from drayman.errors import NotFound
from tests.api.client import Client
from tests.api.fake import Fake

FROM = "/containers/box/archive/from?container=other&src=/a&path=/b"


def test_every_parameter_counts(client: Client, engine: Fake) -> None:
    engine.answers["archive_from"] = None
    more = "&noOverwriteDirNonDir=1&copyUIDGID=1&name=c&include=x&exclude=y&exclude=z"
    assert client.ask("POST", FROM + more).status == 200
    assert client.ask("POST", FROM).status == 200
    (first, _), (second, _) = engine.asks("archive_from")
    put = PutOptions(no_overwrite_dir_non_dir=True, copy_uid_gid=True, name="c")
    tar = TarOptions(include=["x"], exclude=["y", "z"])
    assert first == ("box", "/b", put, "other", "/a", tar)
    assert second == ("box", "/b", PutOptions(), "other", "/a", TarOptions())


@pytest.mark.parametrize("lacking", ["container", "src", "path"])
def test_what_is_lacking_is_told(client: Client, engine: Fake, lacking: str) -> None:
    answer = client.ask("POST", FROM.replace(f"{lacking}=", f"no{lacking}="))
    assert (answer.status, lacking in answer.json()["message"]) == (400, True)
    assert not engine.asks("archive_from")


def test_errors_are_answers(client: Client, engine: Fake) -> None:
    engine.answers["archive_from"] = NotFound("No such container: other")
    answer = client.ask("POST", FROM)
    assert (answer.status, answer.json()) == (404, {"message": "No such container: other"})


def test_a_client_that_leaves_ends_it(client: Client, engine: Fake) -> None:
    asked, cancelled = threading.Event(), threading.Event()

    async def copy(*_: object) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    engine.answers["archive_from"] = copy
    client.send(f"POST {FROM} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n".encode())
    assert asked.wait(10)
    client.socket.close()
    assert cancelled.wait(10)
