"""What a log tells of its container: the tag, by its template, and labels and variables.

Of Go's templates there are the fields of moby's ``logger.Info``, which is what tags are made of;
one that asks for more is refused by name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from drayman.engine.naming import short_id
from drayman.errors import InvalidParameter
from drayman.model.container import Container
from drayman.model.go_time import rfc3339

DEFAULT_TAG = "{{.ID}}"
# Users' filters look for it.
DAEMON_NAME = "docker"
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_ATTRIBUTE = re.compile(r"\(\s*\.ExtraAttributes\s+nil\s*\)\.(\w+)")


def command(record: Container) -> str:
    """The command line, its words joined by blanks."""
    return " ".join(record.argv)


_FIELDS: dict[str, Callable[[Container], str]] = {
    ".ID": lambda record: short_id(record.id),
    ".FullID": lambda record: record.id,
    ".Name": lambda record: record.name,
    ".ImageID": lambda record: short_id(record.image_id.removeprefix("sha256:")),
    ".ImageFullID": lambda record: record.image_id,
    ".ImageName": lambda record: record.config.image,
    ".DaemonName": lambda _: DAEMON_NAME,
    ".Command": command,
    ".Hostname": lambda _: os.uname().nodename,
    ".ContainerID": lambda record: record.id,
    ".ContainerName": lambda record: f"/{record.name}",
    ".ContainerEntrypoint": lambda record: record.argv[0] if record.argv else "",
    ".ContainerImageID": lambda record: record.image_id,
    ".ContainerImageName": lambda record: record.config.image,
    ".ContainerCreated": lambda record: rfc3339(record.created_at_ns),
}


def check_tag(template: str) -> None:
    """Raise InvalidParameter naming what is not understood."""
    for match in _ACTION.finditer(template):
        if match[1] not in _FIELDS and _ATTRIBUTE.fullmatch(match[1]) is None:
            raise InvalidParameter(
                f"tag: {match[0]} is not understood; there are {', '.join(_FIELDS)}"
                " and (.ExtraAttributes nil).NAME"
            )
    if "{{" in _ACTION.sub("", template):
        raise InvalidParameter(f"tag: {template}: an action is not closed")


def tag(options: dict[str, str], record: Container, default: str = DEFAULT_TAG) -> str:
    """The tag of a container; by ``default`` when its options name none."""
    extra: dict[str, str] = {}

    def filled(match: re.Match[str]) -> str:
        if match[1] in _FIELDS:
            return _FIELDS[match[1]](record)
        extra.update(extra or attributes(options, record))
        wanted = _ATTRIBUTE.fullmatch(match[1])
        # As Go prints what a map does not hold.
        return extra.get(wanted[1], "<no value>") if wanted else match[0]

    return _ACTION.sub(filled, options.get("tag") or default)


def attributes(
    options: dict[str, str], record: Container, key: Callable[[str], str] = str
) -> dict[str, str]:
    """Labels and variables that the options name, or whose names match; ``key`` renames them."""
    labels = record.config.labels or {}
    variables = dict(one.split("=", 1) for one in record.config.env or () if "=" in one)
    found: dict[str, str] = {}
    for kind, having in (("labels", labels), ("env", variables)):
        names = [name for name in options.get(kind, "").split(",") if name in having]
        if pattern := options.get(f"{kind}-regex"):
            names += filter(re.compile(pattern).search, having)
        found.update({key(name): having[name] for name in names})
    return found


def as_journal_field(name: str) -> str:
    """A name that the journal takes: capitals, digits, underscores, none of these in front."""
    return re.sub(r"[^A-Z0-9_]", "_", re.sub(r"[a-z]", lambda m: m[0].upper(), name)).lstrip("_")


def as_gelf_field(name: str) -> str:
    """A name that GELF takes for what is not its own."""
    return name if name.startswith("_") else f"_{name}"


def gelf_extra(options: dict[str, str], record: Container) -> dict[str, Any]:
    """What every message of a container's tells of it."""
    return {
        "_container_id": record.id,
        "_container_name": record.name,
        "_image_id": record.image_id,
        "_image_name": record.config.image,
        "_command": command(record),
        "_tag": tag(options, record),
        "_created": rfc3339(record.created_at_ns),
        **attributes(options, record, as_gelf_field),
    }
