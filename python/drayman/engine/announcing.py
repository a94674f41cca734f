"""Events of containers: the actor's labels, its image and its name go with each."""

from __future__ import annotations

from drayman.engine.events import Events
from drayman.model.container import Container


class Announcer:
    """Tells the event bus what happened to a container, its volumes and its networks."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def container(self, record: Container, action: str, **attributes: str) -> None:
        """One event of a container; attributes come on top of labels, image and name."""
        self._events.publish(
            "container",
            action,
            record.id,
            {
                **(record.config.labels or {}),
                "image": record.config.image,
                "name": record.name,
                **attributes,
            },
        )

    def volumes(self, record: Container, action: str) -> None:
        """``mount`` or ``unmount`` of each of a container's volumes."""
        for point in record.mount_points:
            if point.type != "volume":
                continue
            attributes = {"container": record.id, "driver": point.driver or "local"}
            if action == "mount":
                attributes |= {
                    "destination": point.destination,
                    "propagation": point.propagation,
                    "read/write": str(point.rw).lower(),
                }
            self._events.publish("volume", action, point.name, attributes)

    def networks(self, record: Container, action: str) -> None:
        """``connect`` or ``disconnect`` of each of a container's networks."""
        for name, endpoint in record.endpoints.items():
            self._events.publish(
                "network",
                action,
                endpoint.network_id,
                {"container": record.id, "name": name, "type": _network_type(name)},
            )

    def prune(self, kind: str, reclaimed_bytes: int) -> None:
        """The end of a prune; it has no actor."""
        self._events.publish(kind, "prune", "", {"reclaimed": str(reclaimed_bytes)})


def _network_type(name: str) -> str:
    """The driver of the predefined networks, which are named after theirs, except none."""
    return "null" if name == "none" else name
