"""Settings that only the engine minds: restart policies, health checks, signals, ports."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from drayman.engine import log_drivers
from drayman.errors import InvalidParameter, Unimplemented
from drayman.model.container import ContainerConfig, HealthConfig, HostConfig, RestartPolicy
from drayman.network import ports
from drayman.runtime import probes, signals
from drayman.runtime.namespaces import joined_container

_POLICIES = ("", "no", "always", "on-failure", "unless-stopped")
# A millisecond: Docker's least duration in a health check.
_LEAST_DURATION_NS = 1_000_000


def check(config: ContainerConfig, host_config: HostConfig) -> None:
    """Raise InvalidParameter, with Docker's texts, for what a container cannot be made with, and
    Unimplemented for what no container has here."""
    check_policy(host_config.restart_policy)
    if host_config.auto_remove and host_config.restart_policy.name not in ("", "no"):
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")
    if config.stop_signal:
        signals.parse(config.stop_signal)
    if config.healthcheck is not None:
        _check_health(config.healthcheck)
        probes.test_of(config)
    log_drivers.check(host_config.log_config)
    ports.check_exposed(config.exposed_ports or ())
    ports.parse(host_config.port_bindings or {})
    _check_kinds(host_config)
    _check_texts("", config, ("Labels",))
    _check_texts("HostConfig.", host_config)


def check_conflicts(config: ContainerConfig, host_config: HostConfig) -> None:
    """Raise InvalidParameter for options that exclude each other, as the client gave them: ports
    that the image exposes are none of its doing (moby, runconfig/hostconfig_unix.go)."""
    joins = joined_container(host_config.network_mode) is not None
    publishes = host_config.port_bindings or host_config.publish_all_ports
    vague = "can't be used with links. This would result in undefined behavior"
    for given, conflict in (
        (joins and config.hostname, "hostname and the network mode"),
        (joins and host_config.links, f"container type network {vague}"),
        (joins and host_config.dns, "dns and the network mode"),
        (joins and host_config.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (joins and config.mac_address, "mac-address and the network mode"),
        (joins and publishes, "port publishing and the container type network mode"),
        (joins and config.exposed_ports, "port exposing and the container type network mode"),
        (host_config.uts_mode == "host" and config.hostname, "hostname and the UTS mode"),
        (
            host_config.network_mode == "host" and host_config.links,
            f"host type networking {vague}",
        ),
    ):
        if given:
            raise InvalidParameter(f"conflicting options: {conflict}")


def check_policy(policy: RestartPolicy) -> None:
    """Check a restart policy by itself."""
    if policy.name not in _POLICIES:
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{policy.name}';"
            " use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if policy.maximum_retry_count < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if policy.maximum_retry_count and policy.name != "on-failure":
        raise InvalidParameter(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        )


def _check_kinds(host_config: HostConfig) -> None:
    """Refuse what other hosts, or other engines, have."""
    if host_config.isolation not in ("", "default"):
        raise InvalidParameter(
            f"invalid isolation: {host_config.isolation!r} - linux only supports 'default'"
        )
    if host_config.links:
        raise Unimplemented(
            "HostConfig.Links: links are not available in this version of Drayman; containers on"
            " its bridge reach each other by their addresses"
        )


def _check_texts(
    place: str, struct: ContainerConfig | HostConfig, apart: Collection[str] = ()
) -> None:
    """Whatever stands here goes to the kernel some day, for which a NUL ends a text."""
    for field, value in msgspec.to_builtins(struct).items():
        if field not in apart and _holds_nul(value):
            raise InvalidParameter(f"{place}{field} holds a NUL byte")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(one) for pair in value.items() for one in pair)
    return isinstance(value, (list, tuple)) and any(map(_holds_nul, value))


def _check_health(health: HealthConfig) -> None:
    for name, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value and value < _LEAST_DURATION_NS:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")
