"""Names of images: ``[domain/]path[:tag][@digest]``, read as Docker's clients write them.

The grammar and its texts are those of distribution/reference. A name has two forms: the
full one (``docker.io/library/busybox``) and the familiar one that people see (``busybox``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from drayman.engine.patterns import BadPattern, compiled
from drayman.errors import InvalidParameter

DEFAULT_TAG = "latest"
DEFAULT_DOMAIN = "docker.io"
LEGACY_DOMAIN = "index.docker.io"
OFFICIAL_PREFIX = "library/"
PATH_MAX_CHARACTERS = 255

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_HOST}(?:\.{_HOST})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(
    r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}", re.ASCII
)
_FULL_ID = re.compile(r"[a-f0-9]{64}")
# The algorithms of opencontainers/go-digest, and how many hexadecimal digits each has.
_DIGEST_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True)
class Reference:
    """A name in its full form; `tag` and `digest` are empty when they were not given."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def familiar_name(self) -> str:
        """The name alone, as people see it: ``busybox``, ``quay.io/a/b``."""
        if self.domain != DEFAULT_DOMAIN:
            return f"{self.domain}/{self.path}"
        short = self.path.removeprefix(OFFICIAL_PREFIX)
        return short if "/" not in short else self.path

    @property
    def familiar(self) -> str:
        """Name, tag and digest, as people see them."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.familiar_name}{tag}{digest}"

    def tagged(self) -> Reference:
        """With the default tag, when it has neither tag nor digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)


def parse(text: str) -> Reference:
    """Read a name. Raises InvalidParameter, in Docker's words, for anything else."""
    if _FULL_ID.fullmatch(text):
        raise InvalidParameter(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    domain, rest = _split_domain(text)
    repository = rest.partition(":")[0]
    if repository != repository.lower():
        raise InvalidParameter(
            f"invalid reference format: repository name ({repository}) must be lowercase"
        )
    named, at, digest = rest.partition("@")
    path, colon, tag = named.partition(":")
    if not (_DOMAIN.fullmatch(domain) and _PATH.fullmatch(path)):
        raise InvalidParameter("invalid reference format")
    if (colon and not _TAG.fullmatch(tag)) or (at and not _DIGEST.fullmatch(digest)):
        raise InvalidParameter("invalid reference format")
    if len(path) > PATH_MAX_CHARACTERS:
        raise InvalidParameter(
            f"repository name must not be more than {PATH_MAX_CHARACTERS} characters"
        )
    if digest:
        _check_digest(digest)
    return Reference(domain, path, tag, digest)


def parse_for_tag(repository: str, tag: str) -> Reference:
    """The name that ``tag``, ``import`` and ``commit`` are to give; ``tag`` wins over one in
    ``repository``. Raises InvalidParameter for what cannot be given."""
    reference = parse(repository)
    if reference.digest:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    if tag:
        if not _TAG.fullmatch(tag):
            raise InvalidParameter("invalid tag format")
        reference = replace(reference, tag=tag)
    if reference.familiar_name == "sha256":
        # `docker inspect sha256:abc` could mean either.
        raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
    return reference.tagged()


def familiar_or_as_is(text: str) -> str:
    """The familiar name, without tag, of what is a name; anything else as it came."""
    try:
        return parse(text).familiar_name
    except InvalidParameter:
        return text


def missing_text(name: str) -> str:
    """What ``No such image:`` is followed by. Raises InvalidParameter when it is no name."""
    if _FULL_ID.fullmatch(name):
        return f"sha256:{name}"
    if name.startswith("sha256:") and _FULL_ID.fullmatch(name.removeprefix("sha256:")):
        return name
    return parse(name).tagged().familiar


def matches(pattern: str, tag: str) -> bool:
    """Whether a familiar ``name:tag`` matches a glob, with its tag or without.

    The glob is Go's path.Match: ``*`` and ``?`` stop at a slash. Raises InvalidParameter
    for one that cannot be read.
    """
    expression = _glob(pattern)
    return bool(expression.fullmatch(tag) or expression.fullmatch(parse(tag).familiar_name))


def _split_domain(text: str) -> tuple[str, str]:
    """A first component is a domain when it could not be a path's (Docker Hub's users)."""
    first, slash, rest = text.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, OFFICIAL_PREFIX + text
    is_domain = first == "localhost" or "." in first or ":" in first or first != first.lower()
    if not is_domain:
        return DEFAULT_DOMAIN, text
    if first in (LEGACY_DOMAIN, DEFAULT_DOMAIN):
        return DEFAULT_DOMAIN, rest if "/" in rest else OFFICIAL_PREFIX + rest
    return first, rest


def _check_digest(digest: str) -> None:
    algorithm, _, digits = digest.partition(":")
    if algorithm not in _DIGEST_DIGITS:
        raise InvalidParameter("unsupported digest algorithm")
    if len(digits) != _DIGEST_DIGITS[algorithm]:
        raise InvalidParameter("invalid checksum digest length")
    if digits != digits.lower():
        raise InvalidParameter("invalid checksum digest format")


def _glob(pattern: str) -> Any:
    expression, position = "", 0
    while position < len(pattern):
        letter = pattern[position]
        position += 1
        if letter == "*":
            expression += "[^/]*"
        elif letter == "?":
            expression += "[^/]"
        elif letter == "[":
            end = pattern.find("]", position + 1)
            if end < 0:
                raise InvalidParameter("syntax error in pattern")
            inside = pattern[position:end].replace("\\", "\\\\").replace("[", "\\[")
            expression += f"[{inside}]"
            position = end + 1
        elif letter == "\\":
            if position == len(pattern):
                raise InvalidParameter("syntax error in pattern")
            expression += re.escape(pattern[position])
            position += 1
        else:
            expression += re.escape(letter)
    try:
        return compiled(expression)
    except BadPattern:
        raise InvalidParameter("syntax error in pattern") from None
