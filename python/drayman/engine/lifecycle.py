"""What may happen to a container in which state: the whole of its life, as data.

A rule is the status that follows, or the error a client gets. Events are named after what
a client asks (``start``, ``pause``, …) or what befalls the container (``exit``, ``back-off``).
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from drayman.errors import Conflict, DraymanError, NotModified, System
from drayman.model.container import Container

CREATED = "created"
RUNNING = "running"
PAUSED = "paused"
RESTARTING = "restarting"
EXITED = "exited"
REMOVING = "removing"
DEAD = "dead"

STATUSES = (CREATED, RUNNING, PAUSED, RESTARTING, EXITED, REMOVING, DEAD)


class Refusal(NamedTuple):
    """The error an event meets; ``{id}`` and ``{name}`` stand for the container's."""

    kind: type[DraymanError]
    text: str = ""


_UNCHANGED = Refusal(NotModified)
_NOT_RUNNING = Refusal(Conflict, "container {id} is not running")
_MARKED = Refusal(Conflict, "container is marked for removal and cannot be started")
_NO_LOGS = Refusal(Conflict, "can not get logs from container which is dead or marked for removal")
_NO_UPDATE = Refusal(
    Conflict,
    'Cannot update container {id}: container is marked for removal and cannot be "update"',
)
_RESTARTING = Refusal(Conflict, "Container {id} is restarting, wait until the container is running")

# Texts and kinds are Docker's; see moby's container/state.go and the daemon's verbs.
RULES: dict[str, dict[str, str | Refusal]] = {
    "start": {
        CREATED: RUNNING,
        EXITED: RUNNING,
        RUNNING: _UNCHANGED,
        RESTARTING: _UNCHANGED,
        PAUSED: Refusal(Conflict, "cannot start a paused container, try unpause instead"),
        REMOVING: _MARKED,
        DEAD: _MARKED,
    },
    # The engine's own restart, after the back-off.
    "restart": {RESTARTING: RUNNING},
    "stop": {
        CREATED: _UNCHANGED,
        EXITED: _UNCHANGED,
        DEAD: _UNCHANGED,
        REMOVING: _UNCHANGED,
        RUNNING: RUNNING,
        PAUSED: PAUSED,
        # There is no process to signal: the pending restart is called off.
        RESTARTING: EXITED,
    },
    "kill": {
        CREATED: _NOT_RUNNING,
        EXITED: _NOT_RUNNING,
        DEAD: _NOT_RUNNING,
        REMOVING: _NOT_RUNNING,
        RUNNING: RUNNING,
        PAUSED: PAUSED,
        RESTARTING: EXITED,
    },
    "pause": {
        CREATED: _NOT_RUNNING,
        EXITED: _NOT_RUNNING,
        DEAD: _NOT_RUNNING,
        REMOVING: _NOT_RUNNING,
        RUNNING: PAUSED,
        PAUSED: Refusal(Conflict, "container {id} is already paused"),
        RESTARTING: _RESTARTING,
    },
    # Docker answers 500 here, not 409.
    "unpause": {
        **{status: Refusal(System, "Container {id} is not paused") for status in STATUSES},
        PAUSED: RUNNING,
    },
    "resize": {
        CREATED: _NOT_RUNNING,
        EXITED: _NOT_RUNNING,
        DEAD: _NOT_RUNNING,
        REMOVING: _NOT_RUNNING,
        RESTARTING: _NOT_RUNNING,
        RUNNING: RUNNING,
        PAUSED: PAUSED,
    },
    "exec": {
        CREATED: _NOT_RUNNING,
        EXITED: _NOT_RUNNING,
        DEAD: _NOT_RUNNING,
        REMOVING: _NOT_RUNNING,
        RUNNING: RUNNING,
        PAUSED: Refusal(Conflict, "Container {name} is paused, unpause the container before exec"),
        RESTARTING: _RESTARTING,
    },
    "attach": {
        **{status: status for status in STATUSES},
        PAUSED: Refusal(
            Conflict, "container {name} is paused, unpause the container before attach"
        ),
        RESTARTING: Refusal(
            Conflict,
            "container {name} is restarting, wait until the container is running",
        ),
    },
    "top": {
        CREATED: _NOT_RUNNING,
        EXITED: _NOT_RUNNING,
        DEAD: _NOT_RUNNING,
        REMOVING: _NOT_RUNNING,
        RUNNING: RUNNING,
        PAUSED: PAUSED,
        RESTARTING: _RESTARTING,
    },
    "export": {
        **{status: status for status in STATUSES},
        DEAD: Refusal(Conflict, "You cannot export container {id} which is Dead"),
        REMOVING: Refusal(Conflict, "You cannot export container {id} which is being removed"),
    },
    "logs": {
        **{status: status for status in STATUSES},
        DEAD: _NO_LOGS,
        REMOVING: _NO_LOGS,
    },
    "remove": {
        CREATED: REMOVING,
        EXITED: REMOVING,
        DEAD: REMOVING,
        REMOVING: Refusal(Conflict, "removal of container {name} is already in progress"),
        RUNNING: Refusal(
            Conflict,
            'cannot remove container "{name}": container is running:'
            " stop the container before removing or force remove",
        ),
        RESTARTING: Refusal(
            Conflict,
            'cannot remove container "{name}": container is restarting:'
            " stop the container before removing or force remove",
        ),
        PAUSED: Refusal(
            Conflict,
            'cannot remove container "{name}": container is paused and must be unpaused first',
        ),
    },
    "update": {
        **{status: status for status in STATUSES},
        DEAD: _NO_UPDATE,
        REMOVING: _NO_UPDATE,
    },
    "exit": {RUNNING: EXITED, PAUSED: EXITED, RESTARTING: EXITED},
    "back-off": {RUNNING: RESTARTING, PAUSED: RESTARTING, RESTARTING: RESTARTING},
    "removal-failed": {REMOVING: DEAD},
}


def follow(container: Container, event: str, *, asked: str | None = None) -> str:
    """The status that ``event`` leads to; raises what a client gets where it is refused.

    ``asked`` is the name the client used, which some texts repeat.
    """
    rule = RULES[event].get(container.state.status)
    if rule is None:
        raise System(
            f"container {container.id} is {container.state.status}, where {event!r} cannot happen"
        )
    if isinstance(rule, str):
        return rule
    refuse(rule, container, asked)


def allows(container: Container, event: str) -> bool:
    """Whether ``event`` may happen now."""
    return isinstance(RULES[event].get(container.state.status), str)


def not_running(container: Container) -> DraymanError:
    """What a client gets when the process that it asked about has ended, recorded or not."""
    return _NOT_RUNNING.kind(_NOT_RUNNING.text.format(id=container.id))


def refuse(rule: Refusal, container: Container, asked: str | None) -> NoReturn:
    """Raise a refusal with its text filled in."""
    raise rule.kind(rule.text.format(id=container.id, name=asked or container.name))
