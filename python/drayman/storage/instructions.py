"""Dockerfile instructions that change an image's configuration alone: ``--change``."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from drayman.errors import InvalidParameter
from drayman.model import go_duration
from drayman.model.container import HealthConfig
from drayman.model.image import ImageConfig

# What runs a command that is written as text rather than as a JSON list.
_SHELL = ["/bin/sh", "-c"]
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII | re.IGNORECASE)
_PORT_MAX = 65535


def apply(config: ImageConfig, changes: Sequence[str]) -> ImageConfig:
    """The configuration after each change, in order. Raises InvalidParameter naming the
    instruction that cannot be."""
    command_set = False
    for change in changes:
        for line in change.splitlines():
            name, _, rest = line.strip().partition(" ")
            if not name or name.startswith("#"):
                continue
            instruction = _INSTRUCTIONS.get(name.lower())
            if instruction is None:
                raise InvalidParameter(f"{name} is not a valid change command")
            if not rest.strip():
                raise InvalidParameter(f"{name.upper()} requires at least one argument")
            config = instruction(config, rest.strip())
            command_set = command_set or name.lower() == "cmd"
            if name.lower() == "entrypoint" and not command_set:
                # The arguments were meant for the entrypoint before.
                config = replace(config, cmd=None)
    return config


def _command(config: ImageConfig, rest: str) -> list[str]:
    listed = _json_list(rest)
    return [*(config.shell or _SHELL), rest] if listed is None else listed


def _json_list(rest: str) -> list[str] | None:
    if not rest.startswith("["):
        return None
    try:
        parsed = json.loads(rest)
    except (ValueError, RecursionError):
        # As Docker: what is not a list of strings is text for the shell.
        return None
    if all(isinstance(word, str) for word in parsed):
        return list(parsed)
    return None


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise InvalidParameter(f"{error}: {rest}") from None


def _pairs(instruction: str, rest: str) -> dict[str, str]:
    """``k=v k2="v 2"``, or the old ``k all the rest``."""
    first, _, old_value = rest.partition(" ")
    if "=" not in first:
        if not old_value.strip():
            raise InvalidParameter(f"{instruction} must have two arguments")
        return {first: old_value.strip()}
    pairs = {}
    for word in _words(rest):
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidParameter(
                f"Syntax error - can't find = in {word!r}. Must be of the form: name=value"
            )
        if not key:
            raise InvalidParameter(f"{instruction} names can not be blank")
        pairs[key] = value
    return pairs


def _env(config: ImageConfig, rest: str) -> ImageConfig:
    have = dict(entry.partition("=")[::2] for entry in config.env or [])
    have.update(_pairs("ENV", rest))
    return replace(config, env=[f"{key}={value}" for key, value in have.items()])


def _label(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, labels={**(config.labels or {}), **_pairs("LABEL", rest)})


def _expose(config: ImageConfig, rest: str) -> ImageConfig:
    ports = dict(config.exposed_ports or {})
    for word in _words(rest):
        found = _PORT.fullmatch(word)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if found is None or not 0 < first <= last <= _PORT_MAX:
            raise InvalidParameter(f"invalid containerPort: {word}")
        for port in range(first, last + 1):
            ports[f"{port}/{(found[3] or 'tcp').lower()}"] = {}
    return replace(config, exposed_ports=ports)


def _user(config: ImageConfig, rest: str) -> ImageConfig:
    return replace(config, user=_one("USER", rest))


def _one(instruction: str, rest: str) -> str:
    words = _words(rest)
    if len(words) != 1:
        raise InvalidParameter(f"{instruction} requires exactly one argument")
    return words[0]


def _volume(config: ImageConfig, rest: str) -> ImageConfig:
    listed = _json_list(rest)
    places = [place.strip() for place in (_words(rest) if listed is None else listed)]
    if not all(places):
        raise InvalidParameter("VOLUME specified can not be an empty string")
    return replace(config, volumes={**(config.volumes or {}), **{place: {} for place in places}})


def _workdir(config: ImageConfig, rest: str) -> ImageConfig:
    place = posixpath.join("/", config.working_dir, _one("WORKDIR", rest))
    return replace(config, working_dir=posixpath.normpath(place))


def _onbuild(config: ImageConfig, rest: str) -> ImageConfig:
    inner = rest.partition(" ")[0].upper()
    if inner == "ONBUILD":
        raise InvalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if inner in ("FROM", "MAINTAINER"):
        raise InvalidParameter(f"{inner} isn't allowed as an ONBUILD trigger")
    return replace(config, on_build=[*(config.on_build or []), rest])


def _healthcheck(config: ImageConfig, rest: str) -> ImageConfig:
    durations = dict.fromkeys(("interval", "timeout", "start-period", "start-interval"), 0)
    retries = 0
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        rest = rest.strip()
        key, _, value = flag.removeprefix("--").partition("=")
        if key in durations:
            durations[key] = go_duration.parse_ns(value)
        elif key == "retries" and value.isascii() and value.isdigit():
            retries = int(value)
        else:
            raise InvalidParameter(f"Unknown flag: {key}")
    kind, _, command = rest.partition(" ")
    if kind.upper() == "NONE":
        test = ["NONE"]
    elif kind.upper() == "CMD" and command.strip():
        listed = _json_list(command.strip())
        test = ["CMD-SHELL", command.strip()] if listed is None else ["CMD", *listed]
    else:
        raise InvalidParameter(f"Unknown type {kind!r} in HEALTHCHECK (try CMD)")
    return replace(
        config,
        healthcheck=HealthConfig(
            test=test,
            interval=durations["interval"],
            timeout=durations["timeout"],
            start_period=durations["start-period"],
            start_interval=durations["start-interval"],
            retries=retries,
        ),
    )


# The list of moby (builder/dockerfile, validCommitCommands).
_INSTRUCTIONS: dict[str, Callable[[ImageConfig, str], ImageConfig]] = {
    "cmd": lambda config, rest: replace(config, cmd=_command(config, rest)),
    "entrypoint": lambda config, rest: replace(config, entrypoint=_command(config, rest)),
    "env": _env,
    "expose": _expose,
    "healthcheck": _healthcheck,
    "label": _label,
    "onbuild": _onbuild,
    "stopsignal": lambda config, rest: replace(config, stop_signal=_one("STOPSIGNAL", rest)),
    "user": _user,
    "volume": _volume,
    "workdir": _workdir,
}
