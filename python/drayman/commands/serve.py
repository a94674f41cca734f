"""``drayman serve``: the engine and its API, until SIGTERM."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import uvloop

from drayman.api.listeners import Listener, listen
from drayman.config import DEFAULT_FILE, DEFAULT_HOST, LOG_LEVELS, Config, load, pairs
from drayman.engine import log_drivers
from drayman.engine.engine import Engine
from drayman.engine.memory import keep_little
from drayman.engine.runtimes import check as check_runtimes
from drayman.errors import System
from drayman.model.container import LogConfig
from drayman.server import serve as serve_api

log = logging.getLogger("drayman")

DEFAULTS = Config()
# Enough that a wake-up does not wait for the slice of whoever has the processor.
NICENESS = -10


@click.command()
@click.option(
    "-H",
    "--host",
    "hosts",
    multiple=True,
    metavar="URL",
    help="Where to listen: unix:///path, tcp://address:port, or fd:// for sockets that systemd"
    f" hands over. May be given several times. Default: {DEFAULT_HOST}",
)
@click.option(
    "--root",
    metavar="DIR",
    help=f"Images, containers, volumes: must survive a reboot. Default: {DEFAULTS.root}",
)
@click.option(
    "--run",
    metavar="DIR",
    help=f"Sockets and handles: may be lost with a reboot. Default: {DEFAULTS.run}",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"Settings in TOML. Default: {DEFAULT_FILE}, if it is there.",
)
@click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS),
    help=f"What to tell on standard error. Default: {DEFAULTS.log_level}",
)
@click.option(
    "--group",
    metavar="NAME",
    help=f"Who may use the unix socket, beside root. Default: {DEFAULTS.group}",
)
@click.option(
    "--bridge",
    metavar="NAME",
    help=f"Interface of the default network, made when missing. Default: {DEFAULTS.bridge}",
)
@click.option("--init", is_flag=True, help="Give an init to containers that do not say.")
@click.option(
    "--log-driver",
    metavar="NAME",
    help=f"The log driver of containers that name none. Default: {DEFAULTS.log_driver}",
)
@click.option(
    "--log-opt",
    "log_opts",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of it, for containers that do not set it. May be given several times.",
)
@click.option(
    "--metrics-addr",
    metavar="HOST:PORT",
    help="Where to answer Prometheus, without asking who it is. Default: nowhere.",
)
@click.option(
    "--add-runtime",
    "runtimes",
    multiple=True,
    metavar="NAME=PATH",
    help="An OCI runtime that containers may ask for, such as runc or crun. May be given several"
    " times. Default: the engine's own for all.",
)
@click.option("--subnet", metavar="CIDR", help="Its range. Default: one that is free.")
@click.option(
    "--unpack-entries",
    type=int,
    metavar="N",
    help="How many entries an archive put into a container may have."
    f" Default: {DEFAULTS.unpack_entries}",
)
@click.option(
    "--unpack-ratio",
    type=int,
    metavar="N",
    help="How many times its size such an archive may be when decompressed."
    f" Default: {DEFAULTS.unpack_ratio}",
)
@click.option(
    "--unpack-ratio-from-mib",
    type=int,
    metavar="MIB",
    help="Beyond what size that counts: less harms nobody."
    f" Default: {DEFAULTS.unpack_ratio_from_mib}",
)
def serve(
    file: Path | None,
    hosts: tuple[str, ...],
    log_opts: tuple[str, ...],
    runtimes: tuple[str, ...],
    **settings: Any,
) -> None:
    """Run the engine until SIGTERM or Ctrl-C.

    It takes root; `drayman check` tells what else. Options win over the environment
    (DRAYMAN_ROOT, DRAYMAN_HOSTS, …), which wins over the file. SIGHUP reads the file again. An
    end takes under two seconds; containers go on, and the next start takes them up.

    \b
    Examples:
      drayman serve
      drayman serve -H unix:///run/docker.sock --root /srv/drayman
      drayman serve -H tcp://127.0.0.1:2375 --log-level debug
    """
    settings |= {"hosts": list(hosts), "log_opts": pairs(log_opts), "runtimes": pairs(runtimes)}
    config = load(file, **settings)
    check_runtimes(config.runtimes)
    log_drivers.check(LogConfig(type=config.log_driver, config=config.log_opts))
    if os.geteuid() != 0:
        raise System("containers need root: run it again with sudo")
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=config.log_level.upper()
    )
    # It calls its logger "error" whatever it says, and says nothing new below that.
    logging.getLogger("uvicorn").setLevel("WARNING")

    def reload() -> None:
        again = load(file, **settings)
        logging.getLogger().setLevel(again.log_level.upper())
        log.info("settings read again: the log level counts at once, the rest at the next start")

    keep_little()
    go_first()
    uvloop.run(run(config, reload))


def go_first() -> None:
    """Let this thread, which answers everybody, run before those that carry bytes for somebody.

    What it starts, threads and shims, begins as if nothing had been changed. Left alone when
    the niceness is not the usual one, or may not be lowered.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) != 0:
        return
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        # Of the calling thread alone (setpriority(2), "C library/kernel differences").
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


async def run(config: Config, reload: Callable[[], None]) -> None:
    """Recover, then answer until told to end."""
    # The root's lock comes first: a second engine is told who has it, whatever its sockets.
    engine = await Engine.open(config)
    # What is there by now stays. The collector, which a long list wakes, need not look at it all
    # each time.
    gc.collect()
    gc.freeze()
    try:
        listeners = [listener for host in config.hosts for listener in listen_on(host, config)]
        log.info("listening on %s", ", ".join(config.hosts))
        for host in config.hosts:
            if host.startswith("tcp:"):
                log.warning("%s is open to whoever can reach it: as good as root", host)
        if config.metrics_addr:
            await serve_measured(engine, listeners, config, reload)
        else:
            await serve_api(engine, listeners, reload=reload)
    finally:
        await engine.close()


async def serve_measured(
    engine: Engine, listeners: list[Listener], config: Config, reload: Callable[[], None]
) -> None:
    """As without metrics, and tell them to who asks for them."""
    from drayman.metrics import Metrics, MetricsServer

    metrics = Metrics(engine.states, engine.healths)
    engine.observe(metrics.acted, metrics.moved)
    scraped = listen_on(f"tcp://{config.metrics_addr}", config)
    log.info("metrics on http://%s/metrics", config.metrics_addr)
    try:
        async with MetricsServer(metrics).serving([one.socket for one in scraped]):
            await serve_api(engine, listeners, reload=reload, observer=metrics.answered)
    finally:
        for one in scraped:
            one.close()


def listen_on(host: str, config: Config) -> list[Listener]:
    """The sockets of one URL; System naming it when the host refuses."""
    try:
        return listen(host, group=config.group)
    except OSError as error:
        raise System(f"cannot listen on {host}: {error.strerror or error}") from None
