"""Gathering what a container's start depends on: a `ContainerPlan`."""

from __future__ import annotations

import os

from msgspec.structs import replace

from drayman.engine import runtimes
from drayman.engine.context import Context
from drayman.engine.networks import Attached
from drayman.errors import Conflict, InvalidParameter, NotFound
from drayman.model.container import Container, HostConfig
from drayman.runtime.namespaces import joined_container
from drayman.runtime.plan import ContainerPlan, Joined
from drayman.runtime.process import environment, find_init
from drayman.runtime.users import User, resolve

# Images and users that are started time and again; to forget them costs a mount each.
_KNOWN_USERS_MAX = 256


class Planning:
    """Makes plans; looks at the container's files, so its calls block."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # By image, user and further groups: of containers that have written nothing yet.
        self._users: dict[tuple[str, str, tuple[str, ...]], User] = {}

    def plan(self, record: Container, attachment: Attached) -> ContainerPlan:
        """The plan of one container; nothing of it is mounted when this returns."""
        record = self._with_defaults(record)
        host_config = record.host_config
        # Who shares a network shares its names.
        owner = joined_container(host_config.network_mode)
        named = self._context.containers.find(owner).id if owner is not None else record.id
        paths = self._context.paths.container(named)
        user = self._user(record)
        return ContainerPlan(
            container=record,
            user=user,
            env=environment(record.config, tty=record.config.tty, home=user.home),
            mounts=record.mount_points,
            joined=Joined(
                network=attachment.namespace or self._joined(host_config.network_mode, "net"),
                ipc=self._joined(host_config.ipc_mode, "ipc"),
                pid=self._joined(host_config.pid_mode, "pid"),
            ),
            hosts_path=str(paths.hosts),
            hostname_path=str(paths.hostname),
            resolv_conf_path=str(paths.resolv_conf),
            shm_path=self._shared_memory(host_config.ipc_mode),
            init_path=find_init() if host_config.init and self._is_foreign(host_config) else None,
        )

    def _is_foreign(self, host_config: HostConfig) -> bool:
        """Whether another runtime runs it, which is no init itself."""
        return runtimes.find(self._context.config.runtimes, host_config.runtime) is not None

    def _with_defaults(self, record: Container) -> Container:
        """With the cgroup parent and the init of this engine, which inspect does not show."""
        host_config, engine = record.host_config, self._context.config
        host_config = replace(
            host_config,
            cgroup_parent=host_config.cgroup_parent or engine.cgroup_parent,
            init=engine.init if host_config.init is None else host_config.init,
        )
        return replace(record, host_config=host_config)

    def _user(self, record: Container) -> User:
        """Who it runs as: asked of its own files, which takes a mount, once it has written any."""
        asked = record.config.user, tuple(record.host_config.group_add or ())
        if self._has_written(record):
            return self._look_up(record)
        known = self._users.get((record.image_id, *asked))
        if known is None:
            known = self._look_up(record)
            if len(self._users) >= _KNOWN_USERS_MAX:
                self._users.clear()
            self._users[record.image_id, *asked] = known
        return known

    def _has_written(self, record: Container) -> bool:
        try:
            with os.scandir(self._context.paths.container(record.id).upper) as written:
                return next(written, None) is not None
        except OSError:
            # Whoever mounts it says what is wrong with it.
            return True

    def _look_up(self, record: Container) -> User:
        view = self._context.views.stopped(record, mounts=False)
        try:
            return resolve(view.fileno(), record.config.user, record.host_config.group_add)
        finally:
            view.close()

    def _joined(self, mode: str, kind: str) -> str | None:
        """The namespace of the container that a mode names; None when it names none."""
        name = joined_container(mode)
        return f"/proc/{self.pid_of(name)}/ns/{kind}" if name is not None else None

    def _shared_memory(self, ipc_mode: str) -> str:
        name = joined_container(ipc_mode)
        if name is None:
            return ""
        pid = self.pid_of(name)
        if self._context.containers.find(name).record.host_config.ipc_mode in ("none", "private"):
            raise InvalidParameter(
                f"container {name}: non-shareable IPC"
                " (hint: use IpcMode:shareable for the donor container)"
            )
        return f"/proc/{pid}/root/dev/shm"

    def pid_of(self, name: str) -> int:
        """The main process of a running container that another one wants to join."""
        try:
            other = self._context.containers.find(name).record
        except NotFound:
            raise NotFound(f"No such container: {name}") from None
        if not other.state.pid:
            raise Conflict(f"cannot join a stopped container: {other.id}")
        return other.state.pid
