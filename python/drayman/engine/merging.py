"""A container's configuration: what the client asked for over what its image says.

Rules are Docker's (moby's daemon/commit.go, ``merge``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig, HealthConfig
from drayman.model.image import ImageConfig

Value = TypeVar("Value")


def merge(asked: ContainerConfig, image: ImageConfig) -> ContainerConfig:
    """Both in one; InvalidParameter when there is nothing to run."""
    entrypoint, cmd = _command(asked, image)
    if not entrypoint and not cmd:
        raise InvalidParameter("no command specified")
    return replace(
        asked,
        user=asked.user or image.user,
        exposed_ports=_union(asked.exposed_ports, image.exposed_ports),
        env=_environment(asked.env, image.env),
        labels=_union(asked.labels, image.labels) or {},
        entrypoint=entrypoint,
        cmd=cmd,
        healthcheck=_healthcheck(asked.healthcheck, image.healthcheck),
        working_dir=asked.working_dir or image.working_dir,
        stop_signal=asked.stop_signal or image.stop_signal,
        volumes=_union(asked.volumes, image.volumes),
        shell=asked.shell or image.shell,
        on_build=asked.on_build or image.on_build,
    )


def _command(
    asked: ContainerConfig, image: ImageConfig
) -> tuple[list[str] | None, list[str] | None]:
    if asked.entrypoint:
        # An image's arguments are meant for the image's entrypoint; [""] takes it away.
        entrypoint = None if asked.entrypoint == [""] else asked.entrypoint
        return entrypoint, asked.cmd
    entrypoint = image.entrypoint if asked.entrypoint is None else None
    return entrypoint, asked.cmd or image.cmd


def _union(
    asked: Mapping[str, Value] | None, image: Mapping[str, Value] | None
) -> dict[str, Value] | None:
    if not asked and not image:
        return None
    return {**(image or {}), **(asked or {})}


def _environment(asked: list[str] | None, image: list[str] | None) -> list[str] | None:
    """The client's variables, then those of the image that it did not name."""
    if not asked:
        return image
    named = {entry.partition("=")[0] for entry in asked}
    return asked + [entry for entry in image or () if entry.partition("=")[0] not in named]


def _healthcheck(asked: HealthConfig | None, image: HealthConfig | None) -> HealthConfig | None:
    """Each field alone: zero and the empty list inherit."""
    if asked is None or image is None:
        return asked or image
    return HealthConfig(
        **{
            field: getattr(asked, field) or getattr(image, field)
            for field in HealthConfig.__struct_fields__
        }
    )
