"""Changing the limits and the restart policy of a container."""

from __future__ import annotations

import contextlib

from msgspec.structs import replace

from drayman.engine.blocking import blocking
from drayman.engine.checking import check_policy
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.lifecycle import follow
from drayman.errors import Conflict, InvalidParameter
from drayman.model.container import HostConfig
from drayman.runtime import cgroups, limits, resources, validation

_FIELDS = (
    "cpu_shares",
    "cpu_period",
    "cpu_quota",
    "cpu_realtime_period",
    "cpu_realtime_runtime",
    "cpuset_cpus",
    "cpuset_mems",
    "memory",
    "memory_reservation",
    "memory_swap",
    "nano_cpus",
    "blkio_weight",
)
# Of each device its own; an empty list lifts them all.
_LISTS = (
    "blkio_weight_device",
    "blkio_device_read_bps",
    "blkio_device_write_bps",
    "blkio_device_read_iops",
    "blkio_device_write_iops",
)


class Updating:
    """Applies changes to the record and, when it runs, to the cgroup."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def update(self, name: str, changes: HostConfig) -> list[str] | None:
        """Zero and empty mean unchanged, but for a list of devices, where only None does; PidsLimit
        0 or below lifts the limit."""
        check_policy(changes.restart_policy)
        host = self._context.host
        warnings = validation.validate(changes, host, update=True)
        changes = resources.supported(changes, host.limits)
        entry = self._context.containers.find(name)
        async with entry.lock:
            self._context.present(entry, name)
            follow(entry.record, "update")
            try:
                await self._apply(entry, changes)
            finally:
                # Docker tells of it even where the kernel refuses.
                self._context.announce.container(entry.record, "update")
        return warnings or None

    async def _apply(self, entry: Entry, changes: HostConfig) -> None:
        """Hold what runs to it, then remember it: both, or neither."""
        before = entry.record
        changed = replace(before, host_config=merged(before.id, before.host_config, changes))
        layout, host = self._context.host.cgroup, self._context.host
        held: list[limits.Written] = []
        if before.state.status in ("running", "paused"):
            cgroup = self._context.cgroup_path(before)
            composed = [resources.compose(one.host_config, host) for one in (before, changed)]
            try:
                # One that has ended this moment has them for its next run.
                with contextlib.suppress(cgroups.Ended):
                    held = await blocking(limits.update, layout, cgroup, *composed)
            except InvalidParameter as error:
                raise InvalidParameter(f"Cannot update container {before.id}: {error}") from None
        entry.record = changed
        try:
            await self._context.save(changed)
        except BaseException:
            entry.record = before
            await blocking(limits.put_back, held)
            raise


def merged(container_id: str, before: HostConfig, changes: HostConfig) -> HostConfig:
    """The configuration after an update. Raises Conflict where options exclude each other."""

    def refuse(why: str) -> Conflict:
        return Conflict(f"Cannot update container {container_id}: {why}")

    if changes.nano_cpus and (before.cpu_period or before.cpu_quota):
        raise refuse("Conflicting options: CPU Period/Quota has already been set.")
    if before.nano_cpus and (changes.cpu_period or changes.cpu_quota):
        raise refuse("Conflicting options: NanoCPUs has already been set.")
    swap = changes.memory_swap or before.memory_swap
    if changes.memory and before.memory_swap > 0 and changes.memory > swap > 0:
        raise refuse(
            "Memory limit should be smaller than already set memoryswap limit,"
            " update the memoryswap at the same time"
        )
    policy = changes.restart_policy
    if policy.name and policy.name != "no" and before.auto_remove:
        raise refuse("Restart policy cannot be updated because AutoRemove is enabled")
    fields = {field: getattr(changes, field) or getattr(before, field) for field in _FIELDS}
    for field in _LISTS:
        devices = getattr(changes, field)
        fields[field] = getattr(before, field) if devices is None else devices
    pids_limit = before.pids_limit
    if changes.pids_limit is not None:
        pids_limit = changes.pids_limit if changes.pids_limit > 0 else None
    return replace(
        before,
        **fields,
        pids_limit=pids_limit,
        restart_policy=policy if policy.name else before.restart_policy,
    )
