"""What happened to which object."""

from __future__ import annotations

import msgspec

from drayman.model.go_json import Wire


class Event(Wire, frozen=True, kw_only=True):
    """One message of the event stream; `attributes` are the actor's labels and more."""

    type: str  # container, image, network, volume, daemon
    action: str
    actor_id: str
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    time_ns: int = 0
    # In the order of their happening, over restarts of the engine too.
    number: int = 0
