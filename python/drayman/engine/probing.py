"""What a shim is told of its container's health check."""

from __future__ import annotations

from typing import Any

import orjson

from drayman.engine.context import Context
from drayman.model.container import Container, HealthConfig
from drayman.model.go_duration import format_ns
from drayman.runtime import probes
from drayman.runtime.plan import ContainerPlan
from drayman.runtime.process import compose_exec

# Docker's, where neither the image nor the client says anything else.
INTERVAL_NS = 30_000_000_000
TIMEOUT_NS = 30_000_000_000
START_INTERVAL_NS = 5_000_000_000
RETRIES = 3


def prepare(context: Context, record: Container, plan: ContainerPlan) -> dict[str, Any] | None:
    """``health`` of ``shim.json``, None for a container without a check; blocks.

    A probe that is a command runs as an exec would, so its OCI process is written here.
    """
    health = record.config.healthcheck or HealthConfig()
    test = probes.test_of(record.config)
    if test is None:
        return None
    paths = context.paths.container(record.id)
    if test["kind"] == "command":
        argv = probes.command(record.config)
        process = compose_exec(record, context.host, plan.user, args=argv, env=plan.env)
        paths.probe.write_bytes(orjson.dumps(process))
        test["process"] = str(paths.probe)
    timeout_ns = health.timeout or TIMEOUT_NS
    return {
        "test": test,
        "file": str(paths.health),
        "interval_ns": health.interval or INTERVAL_NS,
        "timeout_ns": timeout_ns,
        "timeout_text": format_ns(timeout_ns),
        "retries": health.retries or RETRIES,
        "start_period_ns": health.start_period,
        "start_interval_ns": health.start_interval or START_INTERVAL_NS,
    }
