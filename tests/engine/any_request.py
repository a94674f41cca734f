"""Requests that no client would send to any operation of the API, made up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st
from tests import images, strangers

from drayman.api.options import ExecRequest, ExecStartRequest
from drayman.api.router import Kind, Route
from drayman.api.routes import TABLE
from drayman.api.volumes import CreateVolume
from drayman.model.container import CreateRequest, HostConfig

# What there is; the id of an exec is known once there is one.
EXEC = "{exec}"
THERE = ("box", "idle", "frozen", EXEC, "busybox", "kept", "none", "bridge")
# As they stand in a path, for what no text becomes by quoting.
ODD_NAMES = ("%00", "%ff%fe", "%ed%a0%80", "%zz", "%2e%2e%2f", "a%0d%0ab", "-" * 4000, "%2F")
VERSIONS = (*[""] * 40, "/v1.24", "/v1.29", "/v1.41", "/v1.56", "/v1.99", "/v1", "/v9999999999.1")
SWITCHES = ("0", "1", "true", "false", "", "maybe")
TIMES = ("0", "1", "-1", "1.5", "99999999999999999999", "1e9", "1h", "now", "9" * 18)
FILTERS = (
    '{"status":["running"]}', '{"status":{"nosuch":true}}', '{"name":["("]}', '{"id":[""]}',
    '{"label":["a=b"]}', '{"nosuch":["1"]}', '{"before":["nosuch"]}', '{"until":["-1h"]}',
    '{"exited":["x"]}', '{"dangling":["maybe"]}', "[]", "{", "null", '{"a":null}', '{"a":{"b":1}}',
)  # fmt: skip
# What operations look for in a query, by their place.
PARAMETERS: dict[str, str] = {
    "/containers/json": "all limit size filters before since",
    "/containers/create": "name platform",
    "/containers/{name}/json": "size",
    "/containers/{name}/top": "ps_args",
    "/containers/{name}/logs": (
        "stdout stderr follow timestamps details since until tail whole limit grep grep-regex"
        " cursor slow format"
    ),
    "/containers/{name}/changes": "size since",
    "/containers/{name}/stats": "stream one-shot",
    "/containers/stats": "stream one-shot filters",
    "/containers/{name}/resize": "h w",
    "/containers/{name}/stop": "t signal",
    "/containers/{name}/restart": "t signal",
    "/containers/{name}/kill": "signal",
    "/containers/{name}/rename": "name",
    "/containers/{name}/attach": "stdin stdout stderr stream logs detachKeys slow",
    "/containers/{name}/attach/ws": "stdin stdout stderr stream logs detachKeys slow",
    "/containers/{name}/wait": "condition",
    "/containers/{name}": "force v link",
    "/containers/{name}/archive": (
        "path noOverwriteDirNonDir copyUIDGID name include exclude sparse digests"
    ),
    "/containers/{name}/archive/from": "container from path include exclude name",
    "/images/json": "all filters shared-size filter",
    "/images/{name}/tag": "repo tag",
    "/images/{name}": "force noprune",
    "/images/{name}/changes": "to size since",
    "/images/load": "quiet",
    "/images/create": "fromSrc fromImage repo tag message changes platform",
    "/exec/{name}/start": "slow",
    "/exec/{name}/resize": "h w",
    "/exec/{name}/kill": "signal",
    "/exec/{name}": "force",
    "/events": "since until filters",
    "/system/df": "type verbose",
    "/volumes": "filters",
    "/volumes/{name}": "force version",
    "/networks": "filters",
}
VALUES = st.one_of(
    st.sampled_from(SWITCHES),
    st.sampled_from(TIMES),
    st.sampled_from(FILTERS),
    st.sampled_from(THERE),
    strangers.texts,
    strangers.numbers.map(str),
)
FITTING = {
    "filters": st.sampled_from(FILTERS) | st.builds(json.dumps, strangers.anything),
    "since": st.sampled_from(TIMES),
    "until": st.sampled_from(TIMES),
    "path": st.sampled_from(("/", "/etc", "/tmp", "/bin/busybox", "/nosuch/x", "..", "\0", "")),
    "fromSrc": st.just("-"),
    "signal": st.sampled_from(("KILL", "sigterm", "0", "65", "NOPE", "CHLD", "-1", "\0")),
    "condition": st.sampled_from(("", "next-exit", "removed", "not-running", "nosuch")),
}
# Not JSON, or JSON that no generator writes.
RAW = (
    b"", b"{", b"[]", b"null", b"5", b"NaN", b'{"Image": NaN}', b'{"Memory": 1e400}', b"{}x",
    b'{"Image": "busybox", "image": 5}', b'{"Cmd": "\\ud800"}', b'{"User": "\xff"}', b"\0" * 1024,
    b"[" * 100_000, b'{"Env":' * 5000, b'{"Memory": 1.5}', b'{"Memory": -0}', b'{"Cmd": {"a": 1}}',
    images.tar([("file", b"x", 0o644)]), images.tar([("../out", b"x", 0o644)])[:700],
)  # fmt: skip
# Settings that are right, which a start comes to the kernel with; the numbers may not be.
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(
        (
            *("CpuShares", "CpuPeriod", "CpuQuota", "CpuRealtimeRuntime", "NanoCpus", "ShmSize"),
            *("Memory", "MemorySwap", "MemoryReservation", "MemorySwappiness", "PidsLimit"),
            *("OomScoreAdj", "BlkioWeight"),
        ),
        st.one_of(
            *[st.integers(5 << 20, 1 << 26), st.integers(-1, 2000)] * 3,
            strangers.numbers,
        ),
    ),
    "CpusetCpus": st.sampled_from(("0", "0-1", "1,0", "0-0,1")),
    "CpusetMems": st.just("0"),
    "Binds": st.sampled_from((["kept:/data"], ["kept:/etc:ro"], ["kept:/proc/1"], ["x:/y:nocopy"])),
    "Tmpfs": st.dictionaries(
        st.sampled_from(("/x", "/etc/passwd", "/proc/x", "/dev/shm")),
        st.sampled_from(("", "size=1m", "mode=999", "uid=-1", "nr_inodes=x", "size=200%")),
    ),
    "Sysctls": st.dictionaries(
        st.sampled_from(
            ("net.ipv4.ip_forward", "kernel.msgmax", "net.nosuch", "fs.mqueue.msg_max")
        ),
        strangers.texts | strangers.numbers.map(str),
        max_size=2,
    ),
    "Ulimits": st.lists(
        st.fixed_dictionaries(
            {
                "Name": st.sampled_from(("nofile", "nproc", "core", "stack", "as", "fsize")),
                "Soft": st.integers(-1, 64),
                "Hard": strangers.numbers,
            }
        ),
        max_size=2,
    ),
    **dict.fromkeys(
        ("BlkioDeviceReadBps", "BlkioDeviceWriteIOps"),
        st.lists(
            st.fixed_dictionaries(
                {"Path": st.sampled_from(("/dev/null", "/", "")), "Rate": strangers.numbers}
            )
        ),
    ),
    "SecurityOpt": st.sampled_from((["seccomp=unconfined"], ["no-new-privileges"], ["label=x:y"])),
    "CapAdd": st.sampled_from((["ALL"], ["CAP_NET_ADMIN"], [])),
    "GroupAdd": st.lists(strangers.texts, max_size=2),
    "MaskedPaths": st.lists(strangers.texts, max_size=2),
    "ReadonlyRootfs": st.booleans(),
    "Init": st.booleans(),
    "ConsoleSize": st.tuples(strangers.numbers, strangers.numbers),
    "RestartPolicy": st.sampled_from(({"Name": "always"}, {"Name": "no"}, {"Name": "on-failure"})),
    "LogConfig": st.sampled_from(({"Type": "none"}, {"Type": "local"}, {"Type": "json-file"})),
}
RIGHT_CONFIG: dict[str, st.SearchStrategy[Any]] = {
    "Cmd": st.lists(strangers.texts, max_size=3),
    "Env": st.lists(st.builds("{}={}".format, strangers.texts, strangers.texts), max_size=3),
    "User": strangers.texts,
    "WorkingDir": strangers.texts.map(lambda text: f"/{text}"),
    "Hostname": strangers.texts,
    "Labels": st.dictionaries(strangers.texts, strangers.texts, max_size=2),
    "Volumes": st.dictionaries(
        strangers.texts.map(lambda text: f"/{text}"), st.just({}), max_size=2
    ),
    "Tty": st.booleans(),
    "OpenStdin": st.booleans(),
    "StopTimeout": strangers.numbers,
    "Healthcheck": st.fixed_dictionaries(
        {"Test": st.lists(strangers.texts, max_size=3), "Interval": strangers.numbers}
    ),
}


def some(strategies: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of up to two of these fields."""
    fields = st.sampled_from(sorted(strategies))
    pair = fields.flatmap(lambda name: st.tuples(st.just(name), strategies[name]))
    return st.lists(pair, max_size=2).map(dict)


DOCUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "ContainerCreate": st.one_of(
        strangers.bodies(HostConfig, **strangers.HARMLESS).map(
            lambda host: {**strangers.IMAGE, "HostConfig": host}
        ),
        strangers.bodies(CreateRequest, **strangers.IMAGE, HostConfig=strangers.HARMLESS),
        *[
            st.builds(
                lambda config, host: {
                    **strangers.IMAGE,
                    **config,
                    "HostConfig": {**host, **strangers.HARMLESS},
                },
                some(RIGHT_CONFIG),
                some(RIGHT),
            )
        ]
        * 4,
    ),
    "ContainerUpdate": strangers.bodies(HostConfig) | some(RIGHT),
    "ContainerExec": strangers.bodies(ExecRequest, Cmd=["true"]) | strangers.bodies(ExecRequest),
    "ExecStart": strangers.bodies(ExecStartRequest),
    "VolumeCreate": strangers.bodies(CreateVolume),
}
TYPES = (*["application/json"] * 40, "application/json; charset=x", "text/plain", ";", "a/\xff",
         "application/x-www-form-urlencoded")  # fmt: skip
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
# What has more to it is asked more often.
WEIGHTS = {"ContainerCreate": 60, "ContainerUpdate": 12, "ContainerExec": 8, "ExecStart": 8}
ROUTES = [
    route
    for route in TABLE
    # Which asks other hosts: tests/unit/test_registry_login.py makes its requests up.
    if route.operation != "SystemAuth"
    for _ in range(WEIGHTS.get(route.operation, 1 if route.handler is None else 4))
]


@dataclass(frozen=True)
class AnyRequest:
    """One request; in ``path`` and ``EXEC`` stands for an exec that there is."""

    route: Route
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    # Whether a container made by it may be started.
    harmless: bool = False


@st.composite
def requests(draw: st.DrawFn) -> AnyRequest:
    """Requests to every operation: some right, most nearly right, some nothing at all."""
    route = draw(st.sampled_from(ROUTES))
    name = draw(
        st.one_of(
            *[st.sampled_from(THERE)] * 6,
            st.sampled_from(ODD_NAMES),
            strangers.texts.map(lambda text: quote(text, safe="/:")),
        )
    )
    template = "/any" if route.template == "*" else route.template
    path = draw(st.sampled_from(VERSIONS)) + template.replace("{name}", name).replace(
        "{checkpoint}", "one"
    )
    known = PARAMETERS.get(route.template, "nosuch filters force").split()
    keys = draw(st.lists(st.sampled_from(known), max_size=4))
    query = [(key, draw(FITTING.get(key, VALUES) | VALUES)) for key in keys]
    if query:
        path += "?" + urlencode(query)
    headers: dict[str, str] = {}
    if route.kind is Kind.HIJACK and draw(st.booleans()):
        headers = dict(UPGRADE)
    if route.method not in ("POST", "PUT", "DELETE"):
        return AnyRequest(route, path, headers=headers)
    document = DOCUMENTS.get(route.operation, strangers.anything)
    body, harmless = draw(
        st.one_of(
            *[st.builds(lambda made: (json.dumps(made).encode(), True), document)] * 4,
            st.builds(lambda made: (json.dumps(made).encode(), False), strangers.anything),
            st.sampled_from(RAW).map(lambda raw: (raw, False)),
            st.just((None, False)),
        )
    )
    if body is not None:
        headers["Content-Type"] = draw(st.sampled_from(TYPES))
    return AnyRequest(route, path, body, headers, harmless)
