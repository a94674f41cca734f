"""A value of the wrong type, told as Go's encoding/json tells of it."""

from __future__ import annotations

import re
import types
import typing
from typing import Annotated, Any

import msgspec

_TOLD = re.compile(
    r"Expected `(?P<wanted>[^`]+)`.*?(?:got `(?P<got>\w+)`)?(?: - at `\$(?P<place>.*)`)?"
)
_STEP = re.compile(r"\.(\w+)|\[(?:\d+|\.\.\.)\]")
_GOT = {"str": "string", "int": "number", "float": "number"}
_SIMPLE = {bool: "bool", int: "int64", float: "float64", str: "string"}


def told(error: msgspec.ValidationError, shape: Any) -> str:
    """Go's sentence for what msgspec says of a value that should fit ``shape``: the kind of
    value, the struct's field and its type (json.UnmarshalTypeError)."""
    found = _TOLD.fullmatch(str(error))
    if found is None:
        return str(error)
    # What is of the right kind and does not fit is a number out of range, or a list too short.
    got = found["got"] or found["wanted"].partition(" ")[0]
    kind = _GOT.get(got, got)
    place = found["place"]
    if not place:
        return f"json: cannot unmarshal {kind} into Go value of type {type_name(shape)}"
    names = [shape.__name__ if isinstance(shape, type) else type_name(shape)]
    wanted = shape
    for step in _STEP.finditer(place):
        name = step[1]
        wanted = _field(wanted, name) if name else _item(wanted)
        names += [name] if name else []
    field = ".".join(names)
    return f"json: cannot unmarshal {kind} into Go struct field {field} of type {type_name(wanted)}"


def type_name(shape: Any) -> str:
    """What Go would call a type of ours, near enough."""
    if typing.get_origin(shape) is Annotated:
        for bounds in shape.__metadata__:
            if isinstance(bounds, msgspec.Meta) and bounds.ge == 0:
                return "uint64" if bounds.le is None else f"uint{int(bounds.le).bit_length()}"
    shape = _bare(shape)
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return f"container.{shape.__name__}"
    if shape in _SIMPLE:
        return _SIMPLE[shape]
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin is dict:
        return f"map[string]{type_name(arguments[1])}"
    if origin in (list, tuple):
        length = str(len(arguments)) if origin is tuple else ""
        return f"[{length}]{type_name(arguments[0])}"
    return "interface {}"


def _bare(shape: Any) -> Any:
    """Without what says that it may be missing, or is bounded."""
    if typing.get_origin(shape) is Annotated:
        return _bare(typing.get_args(shape)[0])
    if typing.get_origin(shape) in (types.UnionType, typing.Union):
        return _bare(next(one for one in typing.get_args(shape) if one is not type(None)))
    return shape


def _field(shape: Any, name: str) -> Any:
    fields = msgspec.structs.fields(_bare(shape))
    return next(one.type for one in fields if one.encode_name == name)


def _item(shape: Any) -> Any:
    bare = _bare(shape)
    arguments = typing.get_args(bare)
    return arguments[1] if typing.get_origin(bare) is dict else arguments[0]
