"""JSON of the wrong type anywhere in create and update: 400, and the field's name."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
import pytest
from tests.engine.engines import EngineServer

from drayman.model.container import CreateRequest, HostConfig

Build = Callable[[Any], Any]
VALUES: list[tuple[str, Any]] = [
    ("string", "x"),
    ("number", 1.5),
    ("number", 2**63),
    ("number", -(10**30)),
    ("bool", True),
    ("array", [[[]]]),
    ("object", {"a": {"b": 0.5}}),
]
KINDS = {str: "string", int: "number", bool: "bool", list: "array", tuple: "array", dict: "object"}


def bare(shape: Any) -> Any:
    if typing.get_origin(shape) is Annotated:
        return bare(typing.get_args(shape)[0])
    if typing.get_origin(shape) in (types.UnionType, typing.Union):
        return bare(next(one for one in typing.get_args(shape) if one is not type(None)))
    return shape


def fields(
    shape: Any, build: Build = lambda value: value, path: str = ""
) -> Iterator[tuple[str, Any, Build]]:
    """Every place where a value may stand: its name as Go tells it, its type, and how a document
    is made around it."""
    shape = bare(shape)
    arguments = typing.get_args(shape)
    if path:
        yield path, shape, build
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        for one in msgspec.structs.fields(shape):
            name = one.encode_name
            within = f"{path}.{name}" if path else name
            yield from fields(one.type, lambda value, name=name: build({name: value}), within)
    elif typing.get_origin(shape) is dict and arguments[1] is not Any:
        yield from fields(arguments[1], lambda value: build({"bridge": value}), path)
    elif typing.get_origin(shape) is list:
        yield from fields(arguments[0], lambda value: build([value]), path)


def wrong(shape: Any) -> Iterator[tuple[str, Any]]:
    """Values that do not fit, and what Go calls them."""
    origin = typing.get_origin(shape) or shape
    kind = "object" if issubclass(origin, msgspec.Struct) else KINDS[origin]
    for called, value in VALUES:
        if called != kind or shape is int:
            yield called, value


CREATE = [*fields(CreateRequest)]
UPDATE = [*fields(HostConfig)]
# Docker takes one string for these.
WORDS = ("Cmd", "Entrypoint", "HostConfig.CapAdd", "HostConfig.CapDrop", "CapAdd", "CapDrop")


@pytest.mark.parametrize(
    ("path", "root", "places"),
    [
        ("/containers/create", "CreateRequest", CREATE),
        ("/containers/nosuch/update", "HostConfig", UPDATE),
    ],
    ids=["create", "update"],
)
def test_every_field_refuses_every_other_type(
    engine_server: EngineServer, path: str, root: str, places: list[tuple[str, Any, Build]]
) -> None:
    assert len(places) > 80
    for name, shape, build in places:
        for called, value in wrong(shape):
            if name in WORDS and called == "string":
                continue
            status, answer = engine_server.api("POST", path, build(value))
            text = f"invalid JSON: json: cannot unmarshal {called} into Go struct field {root}."
            assert status == 400, (name, value, answer)
            # Of what is wrong inside, the place inside is told.
            assert answer["message"].startswith(f"{text}{name}"), (name, value, answer)
            assert " of type " in answer["message"]


def test_null_is_fine_anywhere(engine_server: EngineServer) -> None:
    for name, _, build in CREATE:
        if name not in ("Image", "Cmd"):
            body = {**build(None), "Image": "busybox", "Cmd": ["true"]}
            status, answer = engine_server.api("POST", "/containers/create", body)
            # An entry that is null is an empty one, which need not mean anything; of links, that
            # there are none.
            allowed = (201, 501) if name == "HostConfig.Links" else (201, 400)
            assert status in allowed, (name, answer)
            assert "JSON" not in answer.get("message", ""), (name, answer)


def test_what_is_not_known_is_not_looked_at(engine_server: EngineServer) -> None:
    for value in (None, 5, "x", [[]], {"a": {"b": 10**40}}):
        body = {"Image": "busybox", "Cmd": ["true"], "Odd": value, "HostConfig": {"Odd": value}}
        assert engine_server.api("POST", "/containers/create", body)[0] == 201
