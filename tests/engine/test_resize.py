"""Resizing a container's terminal: what is refused, and what is told of it."""

from __future__ import annotations

import pytest
from tests.engine.engines import EngineServer


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("w=80", 'invalid resize height "": invalid syntax'),
        ("h=24", 'invalid resize width "": invalid syntax'),
        ("h=%2B5&w=80", 'invalid resize height "+5": invalid syntax'),
        ("h=24&w=-1", 'invalid resize width "-1": value out of range'),
        ("h=4294967296&w=80", 'invalid resize height "4294967296": value out of range'),
    ],
)
def test_both_sides_are_numbers(engine_server: EngineServer, query: str, text: str) -> None:
    # They are looked at before there is a container.
    answer = engine_server.api("POST", f"/containers/nosuch/resize?{query}")
    assert answer == (400, {"message": text})


def test_only_what_runs_has_a_size(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    for name, status, text in (
        (container, 409, f"container {container} is not running"),
        ("nosuch", 404, "No such container: nosuch"),
    ):
        answer = engine_server.api("POST", f"/containers/{name}/resize?h=24&w=80")
        assert answer == (status, {"message": text})


def test_nobody_asks_for_a_terminal(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert engine_server.api("POST", f"/containers/{container}/resize?h=24&w=80")[0] == 200
    (event,) = engine_server.events(container=[container], event=["resize"])
    attributes = event["Actor"]["Attributes"]
    assert (attributes["height"], attributes["width"]) == ("24", "80")
