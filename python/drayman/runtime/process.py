"""The processes of a container: its own, and those that ``exec`` adds."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from drayman.errors import System
from drayman.model.container import Container, ContainerConfig
from drayman.runtime import capabilities, resources, security
from drayman.runtime.host import Host
from drayman.runtime.users import User

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where ``--init`` shows the host's init inside the container, for executors but our own.
INIT_INSIDE = "/sbin/docker-init"
# Programs that do for it, the first one found.
INITS = ("docker-init", "tini-static", "tini", "catatonit")


def find_init() -> str:
    """The host's init for ``--init``, where another executor runs it. Raises System when the
    host has none."""
    for name in INITS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise System(
        "--init needs an init on the host, and none was found: install tini "
        f"(looked for {', '.join(INITS)} in $PATH)"
    )


def environment(
    config: ContainerConfig,
    *,
    tty: bool,
    home: str,
    links: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> list[str]:
    """The whole environment of a process: defaults, then the container's, then ``extra``.

    ``links`` are the variables of ``--link``. An entry without ``=`` removes a variable.
    HOME is the user's when it is unset or empty, which is the runtime's part in Docker.
    """
    base = [DEFAULT_PATH, f"HOSTNAME={config.hostname}"]
    if tty:
        base.append("TERM=xterm")
    env = _override([*base, *links], config.env or ())
    env = _override(env, extra)
    if not any(entry.startswith("HOME=") and entry != "HOME=" for entry in env):
        env = [entry for entry in env if entry != "HOME="] + [f"HOME={home}"]
    return env


def _override(base: Iterable[str], overrides: Iterable[str]) -> list[str]:
    """Replace entries in place, add new ones at the end, drop what has no value."""
    values = {entry.partition("=")[0]: entry for entry in base}
    for entry in overrides:
        name, separator, _ = entry.partition("=")
        if separator:
            values[name] = entry
        else:
            values.pop(name, None)
    return list(values.values())


def compose(
    container: Container, host: Host, user: User, env: Sequence[str], init_path: str | None
) -> dict[str, Any]:
    """The OCI ``process`` of a container's own command."""
    config, host_config = container.config, container.host_config
    args = container.argv
    if init_path is not None:
        args = [INIT_INSIDE, "--", *args]
    process = _process(
        container, host, user, env, args, config.working_dir, config.tty, host_config.privileged
    )
    process["oomScoreAdj"] = host_config.oom_score_adj
    if host_config.init and init_path is None:
        # Our own executor is the init itself.
        process["init"] = True
    return process


def compose_exec(
    container: Container,
    host: Host,
    user: User,
    *,
    args: Sequence[str],
    env: Sequence[str],
    working_dir: str = "",
    tty: bool = False,
    privileged: bool = False,
    console_size: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The OCI ``process`` of an exec in a running container.

    ``env`` is the whole of it, from `environment`; ``working_dir`` "" is the container's;
    ``console_size`` is (height, width). A privileged exec has every capability whoever it
    runs as.
    """
    process = _process(
        container,
        host,
        user,
        env,
        list(args),
        working_dir or container.config.working_dir,
        tty,
        container.host_config.privileged,
    )
    if privileged:
        process["capabilities"] = capabilities.sets(host.capabilities, user.uid, privileged=True)
    if tty and console_size is not None:
        process["consoleSize"] = {"height": console_size[0], "width": console_size[1]}
    return process


def _process(
    container: Container,
    host: Host,
    user: User,
    env: Sequence[str],
    args: list[str],
    working_dir: str,
    tty: bool,
    privileged: bool,
) -> dict[str, Any]:
    host_config = container.host_config
    chosen = capabilities.choose(
        host_config.cap_add, host_config.cap_drop, host.capabilities, privileged=privileged
    )
    options = security.parse(host_config.security_opt)
    process: dict[str, Any] = {
        "terminal": tty,
        "user": {
            "uid": user.uid,
            "gid": user.gid,
            "additionalGids": list(user.additional_gids),
        },
        "args": args,
        "env": list(env),
        "cwd": working_dir or "/",
        "capabilities": capabilities.sets(chosen, user.uid),
        "noNewPrivileges": options.no_new_privileges,
    }
    if host.apparmor and options.apparmor:
        process["apparmorProfile"] = options.apparmor
    rlimits = resources.rlimits(host_config.ulimits, host)
    if rlimits:
        process["rlimits"] = rlimits
    return process
