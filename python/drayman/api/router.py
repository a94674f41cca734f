"""From a method and a path to an operation, as gorilla/mux does it for dockerd."""

from __future__ import annotations

import enum
import posixpath
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.responses import Response

    from drayman.api.requests import Call

Handler = Callable[["Call"], Awaitable["Response"]]

VERSIONED = re.compile(r"/v([0-9.]+)(/.*)")


class Kind(enum.Enum):
    """How an operation uses the connection."""

    DOCUMENT = enum.auto()  # JSON, text or nothing, at once
    STREAM = enum.auto()  # the head at once, documents as they come
    DOWNLOAD = enum.auto()  # bulk bytes, written by native code
    UPLOAD = enum.auto()  # bulk bytes, read by native code
    HIJACK = enum.auto()  # the connection is given away


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API. Without a handler it is not built."""

    method: str
    template: str
    operation: str
    handler: Handler | None
    kind: Kind = Kind.DOCUMENT
    # The API version that brought it.
    minimum: str = "1.24"


@dataclass(frozen=True, slots=True)
class Match:
    """What a request asks for: an operation, or to come back elsewhere, or nothing known."""

    route: Route | None = None
    # As the client wrote it, empty for the newest.
    version: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    # The cleaned path, when the one asked for is not clean.
    location: str = ""

    @property
    def withholds_body(self) -> bool:
        """Whether the request's body is to be left on the connection."""
        route = self.route
        return route is not None and route.kind is Kind.UPLOAD and route.handler is not None


class Router:
    """The routes, compiled: fixed paths by lookup, the others by their first segment.

    Variables are greedy and hold slashes: names of images do, and ``%2F`` is a slash, for
    matching is on the decoded path.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[tuple[str, str], Route] = {}
        self._greedy: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            if "{" in route.template:
                key = (route.method, _first_segment(route.template))
                self._greedy.setdefault(key, []).append((_pattern(route.template), route))
            else:
                self._fixed[route.method, route.template] = route

    def find(self, method: str, path: str) -> Match:
        """The match for a decoded path."""
        if "//" in path or "/." in path or path[:1] != "/":
            clean = clean_path(path)
            if clean != path:
                return Match(location=clean)
        version = ""
        if path.startswith("/v") and (versioned := VERSIONED.fullmatch(path)):
            version, path = versioned.groups()
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return Match(fixed, version)
        for pattern, route in self._greedy.get((method, _first_segment(path)), ()):
            found = pattern.fullmatch(path)
            if found is not None:
                return Match(route, version, found.groupdict())
        if method == "OPTIONS":
            return Match(self._fixed.get(("OPTIONS", "*")), version)
        return Match(version=version)


def clean_path(path: str) -> str:
    """The path without empty, ``.`` and ``..`` segments, a slash at its end kept."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _first_segment(path: str) -> str:
    return path.split("/", 2)[1]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>.*)", template))
