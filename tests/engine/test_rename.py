"""Renaming containers."""

from __future__ import annotations

import pytest
from tests.engine.engines import EngineServer


def test_the_old_name_is_free_and_the_event_tells_it(engine_server: EngineServer) -> None:
    container = engine_server.create("true", name="before")
    assert engine_server.api("POST", "/containers/before/rename?name=after")[0] == 204
    assert engine_server.api("GET", f"/containers/{container}/json")[1]["Name"] == "/after"
    engine_server.create("true", name="before")
    (event,) = engine_server.events(container=[container], event=["rename"])
    assert event["Actor"]["Attributes"]["oldName"] == "/before"
    assert event["Actor"]["Attributes"]["name"] == "after"


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("%20%20", 400, "Neither old nor new names may be empty"),
        ("", 400, "Neither old nor new names may be empty"),
        ("first", 400, "Renaming a container with the same name as its current name"),
        ("second", 409, "Error when allocating new name: Conflict. The container name"),
        ("-x", 400, "Error when allocating new name: Invalid container name (/-x)"),
    ],
)
def test_what_cannot_be(engine_server: EngineServer, name: str, status: int, text: str) -> None:
    for one in ("first", "second"):
        if engine_server.api("GET", f"/containers/{one}/json")[0] == 404:
            engine_server.create("true", name=one)
    answered, answer = engine_server.api("POST", f"/containers/first/rename?name={name}")
    assert answered == status
    assert answer["message"].startswith(text)


def test_prefixes_of_ids_find_containers(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    assert engine_server.api("GET", f"/containers/{container[:20]}/json")[0] == 200
    assert engine_server.api("GET", "/containers/nosuchone/json") == (
        404,
        {"message": "No such container: nosuchone"},
    )


def test_what_is_not_there_has_no_name(engine_server: EngineServer) -> None:
    assert engine_server.api("POST", "/containers/nosuchone/rename?name=other") == (
        404,
        {"message": "No such container: nosuchone"},
    )
