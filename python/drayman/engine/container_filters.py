"""The filters of ``GET /containers/json`` and of prune, as questions about one record."""

from __future__ import annotations

import re
from collections.abc import Callable

from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.health import NONE
from drayman.engine.labels import labels_match
from drayman.engine.lifecycle import STATUSES
from drayman.engine.patterns import matches
from drayman.errors import InvalidParameter, NotFound
from drayman.model.container import Container

_ALLOWED = {
    "status": STATUSES,
    "health": ("starting", "healthy", "unhealthy", NONE),
}
_TRUE, _FALSE = frozenset(("1", "true")), frozenset(("0", "false"))
_ASKS_NOTHING = frozenset(("before", "since"))
# Ports have five digits at most, which also bounds what a range is spelled out to.
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(.*))?", re.ASCII)


class ContainerFilters:
    """Values of one key are ORed, labels ANDed, keys ANDed."""

    def __init__(self, filters: dict[str, list[str]], context: Context) -> None:
        self._filters = filters
        self._context = context
        self._ancestors: frozenset[str] | None = None
        for key, values in filters.items():
            if key not in _QUESTIONS and key not in _ASKS_NOTHING:
                raise InvalidParameter(f"invalid filter '{key}'")
            _check_values(key, values)

    def window(self, newest_first: list[Entry]) -> list[Entry]:
        """What lies before and since the containers named; NotFound for an unknown one."""
        window = newest_first
        for name in self._filters.get("before", ()):
            marker = self._context.containers.find(name)
            window = window[window.index(marker) + 1 :] if marker in window else []
        for name in self._filters.get("since", ()):
            marker = self._context.containers.find(name)
            window = window[: window.index(marker)] if marker in window else []
        return window

    def match(self, record: Container) -> bool:
        """Whether every filter lets the container through."""
        return all(
            _QUESTIONS[key](self, record, values)
            for key, values in self._filters.items()
            if key not in _ASKS_NOTHING and values
        )

    def _ancestor(self, record: Container, values: list[str]) -> bool:
        if self._ancestors is None:
            self._ancestors = self._descendants(values)
        return record.image_id in self._ancestors

    def _health(self, record: Container, values: list[str]) -> bool:
        entry = self._context.containers.get(record.id)
        health = entry.health if entry is not None else None
        return (health.status if health is not None else NONE) in values

    def _descendants(self, names: list[str]) -> frozenset[str]:
        """The images named, and those built on them; an unknown name stands for none."""
        found: set[str] = set()
        for name in names:
            try:
                base = self._context.images.get(name)
            except (NotFound, InvalidParameter):
                continue
            depth = len(base.diff_ids)
            found.update(
                image.id
                for image in self._context.images.all()
                if image.id == base.id or image.diff_ids[:depth] == base.diff_ids
            )
        return frozenset(found)


def _check_values(key: str, values: list[str]) -> None:
    # Docker reads it as one boolean, and repeats all of what is none.
    if key == "is-task" and not (set(values) <= _TRUE or set(values) <= _FALSE):
        raise InvalidParameter(f"invalid filter 'is-task=[{' '.join(values)}]'")
    allowed = _ALLOWED.get(key)
    for value in values:
        if allowed is not None and value not in allowed:
            raise InvalidParameter(f"invalid filter '{key}={value}'")
        if key == "exited" and not re.fullmatch(r"-?\d+", value):
            raise InvalidParameter(f"invalid filter 'exited={value}'")


def _id(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return any(record.id.startswith(value) or matches(value, record.id) for value in values)


def _name(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return any(matches(value, record.name) or matches(value, f"/{record.name}") for value in values)


def _label(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return labels_match(record.config.labels, values)


def _not_label(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return not labels_match(record.config.labels, values)


def _status(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return record.state.status in values


def _exited(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    state = record.state
    return state.ever_started and not state.running and str(state.exit_code) in values


def _network(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return any(
        name == value or endpoint.network_id.startswith(value)
        for name, endpoint in record.endpoints.items()
        for value in values
    )


def _volume(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return any(
        value in (point.name, point.source, point.destination)
        for point in record.mount_points
        for value in values
    )


def _ports(wanted: str) -> set[str]:
    """``80``, ``80/udp`` or ``8000-8010`` as ports with protocols."""
    found = _PORTS.fullmatch(wanted)
    if found is None:
        raise InvalidParameter(f"invalid port: {wanted}")
    first, last, protocol = found.groups()
    ports = range(int(first), int(last or first) + 1)
    return {f"{port}/{protocol or 'tcp'}" for port in ports}


def _publish(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    wanted = set().union(*(_ports(value) for value in values))
    bound = {
        f"{binding.host_port}/{port.partition('/')[2]}"
        for port, bindings in record.ports.items()
        for binding in bindings or ()
    }
    return bool(wanted & (bound | {port for port, bound_to in record.ports.items() if bound_to}))


def _expose(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    wanted = set().union(*(_ports(value) for value in values))
    return bool(wanted & (set(record.config.exposed_ports or ()) | set(record.ports)))


def _task(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    return set(values) <= _FALSE


def _isolation(_: ContainerFilters, record: Container, values: list[str]) -> bool:
    """Of use on Windows alone; whatever it asks for is there."""
    return True


_Question = Callable[[ContainerFilters, Container, list[str]], bool]
_QUESTIONS: dict[str, _Question] = {
    "ancestor": ContainerFilters._ancestor,
    "exited": _exited,
    "expose": _expose,
    "health": ContainerFilters._health,
    "id": _id,
    "is-task": _task,
    "isolation": _isolation,
    "label": _label,
    "label!": _not_label,
    "name": _name,
    "network": _network,
    "publish": _publish,
    "status": _status,
    "volume": _volume,
}
