"""Everything that decides how one container starts, gathered before anything is touched.

The engine fills a `ContainerPlan`; `drayman.runtime.spec.compose` turns it into an OCI
runtime specification. A plan holds data alone: composing it needs neither root nor the host.
"""

from __future__ import annotations

import msgspec

from drayman.model.container import Container
from drayman.model.mount import MountPoint
from drayman.runtime.users import User


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """Namespaces made by others, as paths (``/proc/PID/ns/ipc``, ``RUN/netns/<id>``).

    None means: what the container's own modes ask for, a new namespace or the host's.
    A mode of ``container:<id>`` needs its path here.
    """

    network: str | None = None
    ipc: str | None = None
    pid: str | None = None
    uts: str | None = None


class ContainerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One container, with everything looked up that its start depends on."""

    # Image defaults merged into `config`; daemon defaults filled into `host_config`.
    container: Container
    # Of the container's own files; see `drayman.runtime.users.resolve`.
    user: User = User()
    # The whole environment; see `drayman.runtime.process.environment`.
    env: list[str]
    # Binds and volumes with a `source` on the host. A tmpfs needs none: its options are
    # looked up in `host_config` by destination. See `drayman.runtime.mounts.wanted`.
    mounts: list[MountPoint] = []
    joined: Joined = Joined()
    # Files of the host shown at /etc/hosts, /etc/hostname, /etc/resolv.conf; "" shows none.
    hosts_path: str = ""
    hostname_path: str = ""
    resolv_conf_path: str = ""
    # A directory of the host shown at /dev/shm (IPC shared with another container);
    # "" mounts a tmpfs of `host_config.shm_size`.
    shm_path: str = ""
    # An init of the host's (``docker-init``, ``tini``), for ``host_config.init``; see
    # `drayman.runtime.process.find_init`.
    init_path: str | None = None
