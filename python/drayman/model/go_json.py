"""JSON as Go's encoding/json reads and writes it, which is what every Docker client relies on.

orjson turns bytes into builtins and back; msgspec turns builtins into the structs of
this package. Between the two stand Go's rules: keys match whatever their case, unknown
keys are ignored, ``null`` leaves the default, a document is followed by nothing else.
"""

from __future__ import annotations

import types
import typing
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec
import orjson

from drayman.errors import InvalidParameter
from drayman.model import go_mismatch

T = TypeVar("T")

# A list of strings for which Docker takes one string alone as well (moby's strslice).
Words = Annotated[list[str], "strslice"]

MAX_INT64 = 2**63 - 1


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The base of every struct whose fields are Docker's own, spelled as Docker spells them."""


def loads(document: bytes, shape: type[T]) -> T:
    """Decode one JSON document into ``shape``.

    Raises InvalidParameter with Go's wording for malformed JSON, for anything behind the
    document and for a value of the wrong type.
    """
    if not document.strip():
        raise InvalidParameter("invalid JSON: got EOF while reading request body")
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        if "unexpected content" in str(error) or "trailing" in str(error):
            raise InvalidParameter("unexpected content after JSON") from None
        raise InvalidParameter(f"invalid JSON: {error}") from None
    return convert(parsed, shape)


def reload(document: bytes, shape: type[T]) -> T:
    """Decode what `dumps` wrote: a tenth of the work, for keys are as ``shape`` has them.

    Raises InvalidParameter for anything else.
    """
    try:
        return msgspec.json.decode(document, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"invalid JSON: {error}") from None


def convert(value: Any, shape: type[T]) -> T:
    """Fit builtins, as a JSON parser gives them, into ``shape`` by Go's rules.

    Raises InvalidParameter naming the place of the first value that does not fit.
    """
    try:
        return msgspec.convert(_fold(value, shape), shape)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"invalid JSON: {go_mismatch.told(error, shape)}") from None


def dumps(value: Any) -> bytes:
    """Encode structs and builtins; like Go's encoder, the document ends in a newline."""
    return orjson.dumps(value, default=msgspec.to_builtins, option=orjson.OPT_APPEND_NEWLINE)


def dumps_escaped(value: Any) -> bytes:
    """As `dumps`, with ``< > &`` escaped, as Go does for wait, events and one-shot stats."""
    document = dumps(value)
    for raw, escaped in ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026")):
        document = document.replace(raw, escaped)
    return document


def _fold(value: Any, shape: Any) -> Any:
    """Rename keys to the struct's own case and drop nulls, so that defaults stay."""
    struct, item = _look(shape)
    if isinstance(value, int) and value > MAX_INT64:
        # Which no integer's field takes, as with numbers that are longer still.
        return float(value)
    if isinstance(value, str) and _is_words(shape):
        return [value]
    if struct is not None and isinstance(value, dict):
        names = _names(struct)
        folded: dict[str, Any] = {}
        for key, inner in value.items():
            # Go takes the last of several keys that differ in case alone.
            known = names.get(key.lower())
            if known is not None and inner is not None:
                folded[known[0]] = _fold(inner, known[1])
        return folded
    if item is not None and isinstance(value, dict):
        return {key: _item(inner, item) for key, inner in value.items()}
    if item is not None and isinstance(value, list):
        return [_item(inner, item) for inner in value]
    return value


def _item(value: Any, shape: Any) -> Any:
    """One of several: where Go finds ``null``, it leaves the type's zero."""
    return _fold(_zero(shape) if value is None else value, shape)


def _zero(shape: Any) -> Any:
    if type(None) in typing.get_args(shape):
        return None
    bare = typing.get_origin(shape) or shape
    if bare is Annotated:
        return _zero(typing.get_args(shape)[0])
    return bare() if bare in (str, int, bool, list, dict) else {} if _look(shape)[0] else None


@lru_cache(maxsize=512)
def _names(struct: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    return {
        field.encode_name.lower(): (field.encode_name, field.type)
        for field in msgspec.structs.fields(struct)
    }


@lru_cache(maxsize=2048)
def _is_words(shape: Any) -> bool:
    return shape == Words or Words in typing.get_args(shape)


@lru_cache(maxsize=2048)
def _look(shape: Any) -> tuple[type[msgspec.Struct] | None, Any]:
    """What ``shape`` holds: a struct to fold into, or the type of a container's items."""
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return shape, None
    origin = typing.get_origin(shape)
    arguments = typing.get_args(shape)
    if origin is Annotated:
        return _look(arguments[0])
    if origin in (list, tuple, set):
        return None, arguments[0]
    if origin is dict:
        return None, arguments[1]
    if origin in (types.UnionType, typing.Union):
        for choice in arguments:
            struct, item = _look(choice)
            if struct is not None or item is not None:
                return struct, item
    return None, None
