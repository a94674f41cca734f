"""JSON as a stranger may send it: nearly what a struct of the model asks for, or anything."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any

import msgspec
from hypothesis import strategies as st

# What a field of some struct takes, so that bodies get past the first check, and what none does.
WORDS = (
    "", "0", "-1", "1", "99999999999999999999", "nan", "\0", "a\0b", "\n", "%s", "\ud7ff\u2028",
    ":", "::", "=", "/", "//", "..", "../../etc", "/data", "/data/../..", "/etc/passwd/x", "a b",
    "x" * 5000, "/" + "d/" * 2500, "busybox", "busybox:latest", "sha256:", "host", "none",
    "bridge", "private", "shareable", "default", "container:", "container:nosuch", "always",
    "on-failure", "unless-stopped", "json-file", "local", "bind", "volume", "tmpfs", "image",
    "rslave", "ALL", "CAP_SYS_ADMIN", "nofile", "SIGKILL", "1000:1000", "root", "nosuch:user",
    "k=v", "=v", "/proc:/data", "kept:/data:ro", "/etc:/data:rw,ro", ":/data", "80/tcp", "80-90",
    "70000/tcp", "80/icmp", "::1", "10.0.0.300", "10.99.0.7", "no-new-privileges", "seccomp={}",
    "seccomp={\"defaultAction\":7}", "label=disable", "apparmor=\0", "c 1:3 rwm", "c *:* rwm",
    "size=-1", "size=1m,mode=1777", "exec", "0-3", "0-", "9999999999", "net.ipv4.ip_forward",
    "kernel.msgmax", "NONE", "CMD-SHELL", "CMD", "ctrl-p,ctrl-q", "ctrl-", "/dev/null", "rwm",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 1000, 2**31, 2**32, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**40)
# What a container is made of by someone who asks for nothing else.
IMAGE = {"Image": "busybox", "Cmd": ["true"]}
# Nothing of the host's that a process of the container could change.
HARMLESS = {
    "Privileged": False,
    "NetworkMode": "none",
    "IpcMode": "private",
    "PidMode": "",
    "UTSMode": "",
    "CgroupParent": "",
    "Devices": [],
    "AutoRemove": False,
}
# Asks for directories on the host, and gets them.
LEFT_OUT = frozenset(("CreateMountpoint",))


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


texts = st.sampled_from(WORDS) | st.text(max_size=20)
numbers = st.sampled_from(NUMBERS) | st.integers()
anything = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.sampled_from((0.5, -0.0, 1e308)),
    texts,
    st.lists(texts | numbers, max_size=3),
    st.dictionaries(texts, texts | numbers | st.none(), max_size=3),
    st.sampled_from((nested(20), nested(900), [None], [[]], {"": {}}, ["x"] * 500)),
)


def bodies(struct: type[msgspec.Struct], **given: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of some of a struct's fields, most of the right type; ``given`` is always there."""

    known = [one for one in msgspec.structs.fields(struct) if one.encode_name not in LEFT_OUT]

    @st.composite
    def draw_body(draw: st.DrawFn) -> dict[str, Any]:
        chosen = draw(st.sets(st.sampled_from(range(len(known))), min_size=1, max_size=3))
        body = {}
        for field in map(known.__getitem__, sorted(chosen)):
            fits = draw(st.integers(0, 9)) > 0
            body[field.encode_name] = draw(_fitting(field.type) if fits else anything)
        return {**body, **given}

    return draw_body()


def _fitting(shape: Any) -> st.SearchStrategy[Any]:
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return bodies(shape)
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin is Annotated:
        return _fitting(arguments[0])
    simple = {bool: st.booleans(), int: numbers, str: texts, type(None): st.none(), Any: anything}
    if shape in simple:
        return simple[shape]
    if origin is tuple:
        return st.tuples(*map(_fitting, arguments))
    if origin is list:
        return st.lists(_fitting(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(texts, _fitting(arguments[1]), max_size=3)
    assert origin in (types.UnionType, typing.Union), shape
    return st.one_of([_fitting(one) for one in arguments])
