"""``GET /containers/{id}/top``: the host's ps, for the processes of one container."""

from __future__ import annotations

import asyncio
from typing import Any

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.lifecycle import follow
from drayman.errors import System
from drayman.runtime import cgroups


class Top:
    """Runs ps on the host and picks rows."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def list(self, name: str, ps_args: str) -> dict[str, Any]:
        """Titles, and one row a process; pids are those of the host."""
        arguments = (ps_args or "-ef").split(" ")
        _refuse_renamed_columns(arguments)
        entry = self._context.containers.find(name)
        follow(entry.record, "top")
        cgroup = self._context.cgroup_path(entry.record)
        pids = await blocking(cgroups.pids, self._context.host.cgroup, cgroup)
        output = await _ps([*arguments, "-q" + ",".join(map(str, pids))])
        if output is None:
            # BSD-style options do not go with -q.
            output = await _ps(arguments)
        if output is None:
            raise System("ps: it failed without a word")
        document = pick(output, frozenset(pids))
        self._context.announce.container(entry.record, "top")
        return document


async def _ps(arguments: list[str]) -> str | None:
    """What ps prints; None when it failed and may be asked otherwise."""
    try:
        process = await asyncio.create_subprocess_exec(
            "ps",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise System('exec: "ps": executable file not found in $PATH') from None
    output, complaint = await process.communicate()
    if process.returncode == 0:
        return output.decode("utf-8", "replace")
    if any(argument.startswith("-q") for argument in arguments):
        return None
    lines = complaint.decode("utf-8", "replace").splitlines()
    raise System(f"ps: {lines[0] if lines else 'exit status ' + str(process.returncode)}")


def _refuse_renamed_columns(arguments: list[str]) -> None:
    """Another column called PID would show the processes of everyone."""
    for argument in arguments:
        for column in argument.split(","):
            field, equals, title = column.partition("=")
            if equals and title.strip().upper() == "PID" and field.removeprefix("-o") != "pid":
                raise System(f'specifying "{column}" is not allowed')


def pick(output: str, pids: frozenset[int]) -> dict[str, Any]:
    """The rows of some processes; a row of a thread (pid ``-``) follows its process."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise System("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows: list[list[str]] = []
    inside = False
    for line in lines[1:]:
        fields = line.split(maxsplit=len(titles) - 1)
        if len(fields) <= column:
            continue
        pid = fields[column]
        if pid != "-":
            if not pid.isdecimal():
                raise System(f"Unexpected pid '{pid}': it is no number")
            inside = int(pid) in pids
        if inside:
            rows.append(fields)
    return {"Titles": titles, "Processes": rows}
