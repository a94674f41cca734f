"""Bind strings (``-v source:target:mode``) and mount requests, checked by Docker's rules."""

from __future__ import annotations

import posixpath
import re
from typing import NoReturn

import msgspec

from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig, HostConfig
from drayman.model.mount import BindOptions, DriverConfig, Mount, MountPoint, VolumeOptions
from drayman.runtime import tmpfs

PROPAGATIONS = ("private", "rprivate", "slave", "rslave", "shared", "rshared")
DEFAULT_PROPAGATION = "rprivate"
# What a mode may say, at most one word of each kind: `z` and `Z` relabel for SELinux,
# consistency was for Docker Desktop; both change nothing here.
_MODE_KINDS = (
    ("ro", "rw"),
    ("z", "Z"),
    PROPAGATIONS,
    ("nocopy",),
    ("consistent", "cached", "delegated", "default"),
)
_TYPES = ("bind", "volume", "tmpfs")
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One mount a container asks for, and the mode it was written with.

    A volume without a source is anonymous: the engine makes one and names it.
    """

    mount: Mount
    mode: str = ""

    def point(self, *, name: str = "", source: str = "", driver: str = "") -> MountPoint:
        """The mount as it is in the container, once its volume's name and path are known."""
        mount = self.mount
        options = mount.bind_options or BindOptions()
        is_bind = mount.type == "bind"
        return MountPoint(
            type=mount.type,
            name=name,
            source=mount.source if is_bind else source,
            destination=posixpath.normpath(mount.target),
            driver=driver,
            mode=self.mode or ("z" if mount.type == "volume" and mount.source else ""),
            rw=not mount.read_only,
            propagation=(options.propagation or DEFAULT_PROPAGATION) if is_bind else "",
        )


def requested(config: ContainerConfig, host_config: HostConfig) -> list[Request]:
    """Every mount of a container: its binds, its mounts, and the volumes its image declares
    at places that neither covers. Raises InvalidParameter.

    Those of ``HostConfig.Tmpfs`` are not among them: nothing remembers a tmpfs.
    """
    found = [parse_bind(text, host_config.volume_driver) for text in host_config.binds or ()]
    for mount in host_config.mounts or ():
        validate(mount)
        found.append(Request(mount=mount))
    places: set[str] = set()
    for request in found:
        place = posixpath.normpath(request.mount.target)
        if place in places or place in map(posixpath.normpath, host_config.tmpfs or ()):
            raise InvalidParameter(f"Duplicate mount point: {place}")
        places.add(place)
    places.update(map(posixpath.normpath, host_config.tmpfs or ()))
    for target in config.volumes or ():
        if posixpath.normpath(target) not in places:
            mount = Mount(type="volume", target=target)
            validate(mount)
            found.append(Request(mount=mount))
    return found


def parse_bind(text: str, volume_driver: str = "") -> Request:
    """Read ``[source:]target[:mode]``. Raises InvalidParameter with Docker's texts.

    An absolute source is a path of the host, any other a volume's name.
    """
    parts = text.split(":")
    if not parts[0] or len(parts) > 3 or (len(parts) == 2 and _is_mode(parts[1])):
        raise InvalidParameter(f"invalid volume specification: '{text}'")
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    mode = parts[2] if len(parts) == 3 else ""
    if not _is_mode(mode):
        raise InvalidParameter(f"invalid mode: {mode}")
    words = mode.split(",")
    propagation = next((word for word in words if word in PROPAGATIONS), "")
    is_bind = source.startswith("/")
    driver = DriverConfig(name=volume_driver) if volume_driver and not is_bind else None
    volume_options = None
    if "nocopy" in words or driver is not None:
        volume_options = VolumeOptions(no_copy="nocopy" in words, driver_config=driver)
    mount = Mount(
        type="bind" if is_bind else "volume",
        source=posixpath.normpath(source) if is_bind else source,
        target=target,
        read_only="ro" in words,
        bind_options=BindOptions(propagation=propagation) if propagation else None,
        volume_options=volume_options,
    )
    try:
        validate(mount)
    except InvalidParameter as error:
        raise InvalidParameter(f"invalid volume specification: '{text}': {error}") from None
    return Request(mount=mount, mode=mode)


def _is_mode(text: str) -> bool:
    """Whether a text is a mode: known words, at most one of each kind. The empty one is."""
    if not text:
        return True
    kinds: list[int] = []
    for word in text.split(","):
        kind = next((i for i, words in enumerate(_MODE_KINDS) if word in words), None)
        if kind is None or kind in kinds:
            return False
        kinds.append(kind)
    return True


def validate(mount: Mount) -> None:
    """Check one mount by itself, not whether its source exists. Raises InvalidParameter."""
    if mount.type not in _TYPES:
        _refuse(mount, "mount type unknown")
    if not mount.target:
        _refuse(mount, "field Target must not be empty")
    try:
        tmpfs.validate_destination(mount.target)
    except InvalidParameter as error:
        _refuse(mount, str(error))
    for name, options in (
        ("bind", mount.bind_options),
        ("volume", mount.volume_options),
        ("tmpfs", mount.tmpfs_options),
    ):
        if options is not None and name != mount.type and not _tolerated(mount, name):
            _refuse(mount, f"field {name.capitalize()}Options must not be specified")
    {"bind": _bind, "volume": _volume, "tmpfs": _tmpfs}[mount.type](mount)


def _tolerated(mount: Mount, name: str) -> bool:
    # A bind string can say nocopy, or a propagation, of either kind: Docker ignores it.
    return (
        name == "volume"
        and mount.type == "bind"
        and mount.volume_options == VolumeOptions(no_copy=True)
    )


def _bind(mount: Mount) -> None:
    if not mount.source:
        _refuse(mount, "field Source must not be empty")
    if not mount.source.startswith("/"):
        _refuse(mount, f"invalid mount path: '{mount.source}' mount path must be absolute")
    options = mount.bind_options or BindOptions()
    if options.propagation and options.propagation not in PROPAGATIONS:
        _refuse(mount, f"invalid propagation mode: {options.propagation}")
    if options.read_only_non_recursive and options.read_only_force_recursive:
        _refuse(mount, "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive")
    if not mount.read_only and options.read_only_non_recursive:
        _refuse(mount, "mount must be read-only: ReadOnlyNonRecursive")
    if not mount.read_only and options.read_only_force_recursive:
        _refuse(mount, "mount must be read-only: ReadOnlyForceRecursive")


def _volume(mount: Mount) -> None:
    if not mount.source and mount.read_only:
        _refuse(mount, "must not set ReadOnly mode when using anonymous volumes")
    if mount.source and not _VOLUME_NAME.fullmatch(mount.source):
        raise InvalidParameter(
            f'"{mount.source}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, '
            "use absolute path"
        )
    subpath = mount.volume_options.subpath if mount.volume_options else ""
    if subpath and (subpath.startswith("/") or ".." in subpath.split("/")):
        _refuse(mount, "subpath must be a relative path within the volume")


def _tmpfs(mount: Mount) -> None:
    if mount.source:
        _refuse(mount, "field Source must not be specified")
    try:
        tmpfs.options_of(mount)
    except InvalidParameter as error:
        _refuse(mount, str(error))


def _refuse(mount: Mount, reason: str) -> NoReturn:
    raise InvalidParameter(f'invalid mount config for type "{mount.type}": {reason}')
