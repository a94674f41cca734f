"""What can be mounted in a container, and volumes."""

from __future__ import annotations

from typing import Any

import msgspec

from drayman.model.go_json import Wire


class BindOptions(Wire, frozen=True, kw_only=True):
    """How a bind behaves."""

    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class DriverConfig(Wire, frozen=True, kw_only=True):
    """The driver of a volume made on the way."""

    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(Wire, frozen=True, kw_only=True):
    """How a volume is used, and made when missing."""

    no_copy: bool = False
    labels: dict[str, str] | None = None
    driver_config: DriverConfig | None = None
    subpath: str = ""


class TmpfsOptions(Wire, frozen=True, kw_only=True):
    """The size and mode of a tmpfs."""

    size_bytes: int = 0
    mode: int = 0
    options: list[list[str]] | None = None


class Mount(Wire, frozen=True, kw_only=True):
    """One entry of ``HostConfig.Mounts``, as asked for."""

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: dict[str, Any] | None = None
    tmpfs_options: TmpfsOptions | None = None


class MountPoint(Wire, frozen=True, kw_only=True):
    """One mount as it is in a container; `source` is a path on the host."""

    type: str = ""  # bind, volume, tmpfs
    name: str = ""  # of the volume
    source: str = ""
    destination: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = msgspec.field(default=True, name="RW")
    propagation: str = ""


class Volume(Wire, frozen=True, kw_only=True):
    """A directory that outlives containers."""

    name: str
    driver: str = "local"
    mountpoint: str = ""
    created_at_ns: int = 0
    labels: dict[str, str] | None = None
    scope: str = "local"
    options: dict[str, str] | None = None
    # Made for one container without a name: removed with it by ``rm -v`` or ``--rm``.
    anonymous: bool = False
