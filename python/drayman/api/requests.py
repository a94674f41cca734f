"""What a client asked, read by the rules of Go's net/http and of dockerd's handlers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec
import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from drayman.api.backend import Backend, Filters
from drayman.api.connection import Connection, connection_of
from drayman.api.options import Slow
from drayman.api.router import Match
from drayman.api.versions import Version, parse
from drayman.errors import InvalidParameter
from drayman.model import go_json
from drayman.model.go_json import MAX_INT64

T = TypeVar("T", bound=msgspec.Struct)

# The largest create request seen is some 100 KiB; build contexts and archives do not pass here.
MAX_DOCUMENT_BYTES = 8 << 20
MAX_UINT32 = 2**32 - 1
FALSE_WORDS = frozenset(("", "0", "no", "false", "none"))

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Call(Request):
    """One request to one operation: a Starlette request that knows Docker's rules."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        backend: Backend,
        match: Match,
        version: Version,
    ) -> None:
        super().__init__(scope, receive, send)
        self.backend = backend
        self.match = match
        self.version = version
        self._parameters: dict[str, list[str]] = {}

    @property
    def connection(self) -> Connection:
        """The connection below."""
        return connection_of(self.scope, self.receive, self._send)

    @property
    def name(self) -> str:
        """The object that the path names."""
        return self.match.variables["name"]

    def at_least(self, version: str) -> bool:
        """Whether the client speaks this version of the API or a newer one."""
        return self.version >= parse(version)

    # ---------------------------------------------------------------- parameters

    async def read_parameters(self) -> None:
        """Take in the parameters; those of a form's body come before the query's, as in Go.

        An upload is none, whatever it says of itself: `curl -d` calls everything a form.
        """
        query = self.scope["query_string"]
        if query:
            self._parameters = parse_qs(query.decode("latin-1"), keep_blank_values=True)
        if self.method == "POST" and _media_type(self) == FORM and not self.match.withholds_body:
            body = await self.read_document()
            for key, values in parse_qs(body.decode("latin-1"), keep_blank_values=True).items():
                self._parameters[key] = values + self._parameters.get(key, [])

    def text(self, key: str) -> str:
        """The first value of a parameter, empty when absent."""
        values = self._parameters.get(key)
        return values[0] if values else ""

    def texts(self, key: str) -> list[str]:
        """Every value of a parameter."""
        return self._parameters.get(key, [])

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean parameter; ``default`` holds only when it is absent altogether."""
        if key not in self._parameters:
            return default
        return flag(self.text(key))

    def integer(self, key: str) -> int | None:
        """A parameter as Go's Atoi takes it; None when absent or empty."""
        text = self.text(key)
        return integer(text) if text else None

    def side(self, key: str, word: str) -> int:
        """The height or width of a terminal: a strict uint32, and mandatory."""
        text = self.text(key)
        try:
            return uint32(text)
        except InvalidParameter as error:
            raise InvalidParameter(f"invalid resize {word} {quote(text)}: {error}") from None

    def slow(self) -> Slow:
        """The ``slow`` parameter."""
        text = self.text("slow") or Slow.WAIT
        try:
            return Slow(text)
        except ValueError:
            words = ", ".join(Slow)
            raise InvalidParameter(f"invalid slow {quote(text)}: it is one of {words}") from None

    def filters(self) -> Filters:
        """The ``filters`` parameter."""
        return filters(self.text("filters"))

    def time_ns(self, key: str) -> int | None:
        """A moment in nanoseconds since 1970; None when absent or empty."""
        text = self.text(key)
        return time_ns(text) if text else None

    def coding(self, offers: Sequence[str]) -> str | None:
        """The content coding of ``offers`` that the client likes best; None for none."""
        return coding(",".join(self.headers.getlist("accept-encoding")), offers)

    # ---------------------------------------------------------------- body

    async def read_document(self) -> bytes:
        """The whole body, which must be of a document's size."""
        parts = bytearray()
        async for part in self.stream():
            parts += part
            if len(parts) > MAX_DOCUMENT_BYTES:
                raise InvalidParameter(
                    f"request body is larger than {MAX_DOCUMENT_BYTES >> 20} MiB"
                )
        return bytes(parts)

    async def document(self, shape: type[T], *, required: bool = False) -> T:
        """The JSON body; without ``required`` no body at all stands for the defaults."""
        content_type = self.headers.get("content-type", "")
        empty = self.is_bodyless
        if content_type or not empty:
            _check_json(content_type, _media_type(self))
        if empty and not required:
            return shape()
        return go_json.loads(await self.read_document(), shape)

    @property
    def is_bodyless(self) -> bool:
        """Whether there is no body, or one that says its length is 0."""
        headers = self.headers
        return "transfer-encoding" not in headers and headers.get("content-length", "0") == "0"


def flag(text: str) -> bool:
    """A boolean as dockerd reads it: whatever does not say no says yes."""
    return text.strip().lower() not in FALSE_WORDS


def integer(text: str) -> int:
    """A decimal int64, with a sign or without."""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise InvalidParameter(f"strconv.Atoi: parsing {quote(text)}: invalid syntax")
    digits = text.lstrip("+-").lstrip("0")
    number = int(digits[:20] or 0)
    if number > MAX_INT64:
        raise InvalidParameter(f"strconv.Atoi: parsing {quote(text)}: value out of range")
    return -number if text[0] == "-" else number


def uint32(text: str) -> int:
    """A decimal uint32, as dockerd's Uint32Value reads it."""
    negative, digits = text[:1] == "-", text.removeprefix("-")
    if not re.fullmatch(r"[0-9]+", digits):
        raise InvalidParameter("invalid syntax")
    number = int(digits.lstrip("0")[:11] or 0)
    if negative or number > MAX_UINT32:
        raise InvalidParameter("value out of range")
    return number


def filters(text: str) -> Filters:
    """Filters in today's form ``{"k": {"v": true}}`` or in the old one ``{"k": ["v"]}``."""
    if not text:
        return {}
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidParameter("invalid filter") from None
    if parsed is None:
        return {}
    try:
        known = msgspec.convert(parsed, dict[str, dict[str, bool] | list[str]])
    except msgspec.ValidationError:
        raise InvalidParameter("invalid filter") from None
    return {key: list(values) for key, values in known.items()}


def time_ns(text: str) -> int:
    """``seconds[.fraction]`` since 1970 as nanoseconds; what is finer is cut off, and a moment
    before 1677 or after 2262 taken for the nearest that 64 bits can say."""
    found = re.fullmatch(r"([+-]?)([0-9]{1,18})(?:\.([0-9]{1,20}))?", text)
    if found is None:
        raise InvalidParameter(f"failed to parse value {quote(text)} as a timestamp")
    sign, seconds, fraction = found.groups()
    moment = int(seconds) * 10**9 + int((fraction or "")[:9].ljust(9, "0"))
    # Native code counts in 64 bits.
    return max(-moment, -MAX_INT64) if sign == "-" else min(moment, MAX_INT64)


def tail(text: str) -> int | None:
    """How many lines of a log; None for all, which is also what cannot be read."""
    try:
        lines = integer(text)
    except InvalidParameter:
        return None
    return lines if lines >= 0 else None


def coding(accepted: str, offers: Sequence[str]) -> str | None:
    """What ``Accept-Encoding`` chooses, as dockerd reads it; who does not name one has none."""
    return choice(accepted, offers, wildcard="*")


def choice(accepted: str, offers: Sequence[str], wildcard: str | None = None) -> str | None:
    """What a list with weights chooses: the highest ``q``, the first offer among equals."""
    best, best_weight = None, 0.0
    for offer in offers:
        for item in accepted.split(","):
            name, *parameters = (part.strip() for part in item.split(";"))
            weight = _weight(parameters)
            if name in (offer, wildcard) and weight > best_weight:
                best, best_weight = offer, weight
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        found = re.fullmatch(r"q=([01](?:\.[0-9]{0,3})?)", parameter)
        return float(found[1]) if found else 0.0
    return 1.0


def quote(text: str) -> str:
    """As Go's ``%q``, near enough for an error's text."""
    return orjson.dumps(text.encode("utf-8", "replace").decode()).decode()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_json(content_type: str, media_type: str) -> None:
    if not media_type:
        raise InvalidParameter(
            f"malformed Content-Type header ({content_type}): mime: no media type"
        )
    if media_type != JSON:
        raise InvalidParameter(
            f"unsupported Content-Type header ({content_type}): must be '{JSON}'"
        )
