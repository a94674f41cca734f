"""What seccomp profiles let through, asked of the compiled programs themselves."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import bpf
from tests.unit.runtime_plans import host

from drayman import _native
from drayman.errors import InvalidParameter
from drayman.runtime import capabilities, seccomp

# What Debian's golang-github-containers-common ships, on which Docker's default is modelled.
DEBIAN = Path("/usr/share/containers/seccomp.json")
AF_ALG, AF_VSOCK = 38, 40
# Above every call of any kernel yet.
CALLS = range(600)
# Values that some rule of either profile tells apart.
TELLING = (0, 1, 2, 8, 9, 16, 17, 38, 39, 40, 41, 0x20000, 0x20008, 0x7E020000, 0xFFFFFFFF)
# Parts of CAP_SYS_ADMIN since Linux 5.8: compared with what that one may.
SPLIT_OFF = ("CAP_BPF", "CAP_PERFMON")
ARCHITECTURES = {"amd64": (bpf.X86_64, bpf.I386), "arm64": (bpf.AARCH64,)}


def program(profile: seccomp.Profile, caps: tuple[str, ...], architecture: str) -> bytes:
    resolved = seccomp.resolve(profile, caps, host(architecture=architecture))
    return _native.seccomp_compile(json.dumps(resolved).encode(), [])


def compiled(document: dict[str, Any], architectures: list[str] | None = None) -> bytes:
    return _native.seccomp_compile(json.dumps(document).encode(), architectures or [])


@pytest.fixture(scope="module")
def ours() -> bytes:
    return program(seccomp.default_profile(), capabilities.DEFAULT, "amd64")


@pytest.fixture(scope="module")
def names() -> bpf.Names:
    return bpf.Names()


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("extra", ["", *capabilities.KNOWN])
def test_no_wider_than_docker(architecture: str, extra: str) -> None:
    caps = (*capabilities.DEFAULT, extra)
    theirs_caps = (*caps, "CAP_SYS_ADMIN") if extra in SPLIT_OFF else caps
    theirs = program(seccomp.parse(DEBIAN.read_bytes()), theirs_caps, architecture)
    own = program(seccomp.default_profile(), caps, architecture)
    wider = [
        (arch, number, value)
        for arch in ARCHITECTURES[architecture]
        for number, value in itertools.product(CALLS, TELLING)
        if bpf.allowed(own, arch, number, value, value, value)
        and not bpf.allowed(theirs, arch, number, value, value, value)
    ]
    assert wider == []


@pytest.mark.parametrize("family", range(64))
def test_families_of_sockets(ours: bytes, names: bpf.Names, family: int) -> None:
    socket = names.number("socket")
    expected = family < 46 and family not in (AF_ALG, AF_VSOCK)
    assert bpf.allowed(ours, bpf.X86_64, socket, family) is expected
    # The kernel looks at the lower half of a register alone: no way round by the upper one.
    assert not bpf.allowed(ours, bpf.X86_64, socket, family | 1 << 32)


@pytest.mark.parametrize("arch", [bpf.X86_64, bpf.I386])
@pytest.mark.parametrize(
    "name", ["read", "execve", "clone", "futex", "openat", "setresuid", "ptrace"]
)
def test_ordinary_calls(ours: bytes, names: bpf.Names, arch: int, name: str) -> None:
    assert bpf.allowed(ours, arch, names.number(name, arch))


@pytest.mark.parametrize("name", ["socketcall", "_llseek", "waitpid", "clock_gettime64"])
def test_programs_of_32_bit(ours: bytes, names: bpf.Names, name: str) -> None:
    # Through socketcall any family can be had, AF_ALG too: its arguments lie in memory, and
    # without it 32-bit programs have no sockets at all.
    assert bpf.allowed(ours, bpf.I386, names.number(name, bpf.I386), 1)


@pytest.mark.parametrize(("family", "expected"), [(2, True), (AF_ALG, False), (AF_VSOCK, False)])
def test_sockets_of_32_bit(ours: bytes, family: int, expected: bool) -> None:
    socket = 359
    assert bpf.allowed(ours, bpf.I386, socket, family) is expected


@pytest.mark.parametrize(
    "name",
    [
        "mount", "unshare", "setns", "keyctl", "add_key", "bpf", "perf_event_open", "userfaultfd",
        "io_uring_setup", "reboot", "kexec_load", "init_module", "open_by_handle_at", "swapon",
        "pivot_root", "move_mount", "fsopen", "syslog", "acct", "clock_settime", "quotactl",
    ],
)  # fmt: skip
def test_calls_that_harm(ours: bytes, names: bpf.Names, name: str) -> None:
    answer = bpf.run(ours, bpf.X86_64, names.number(name))
    assert answer == bpf.ERRNO | errno.EPERM


def test_no_new_namespaces(ours: bytes, names: bpf.Names) -> None:
    clone, clone3 = names.number("clone"), names.number("clone3")
    assert bpf.allowed(ours, bpf.X86_64, clone, 0x01200011)
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert not bpf.allowed(ours, bpf.X86_64, clone, flag | 17)
    assert bpf.run(ours, bpf.X86_64, clone3) == bpf.ERRNO | errno.ENOSYS


def test_capabilities_open_calls(names: bpf.Names) -> None:
    admin = program(seccomp.default_profile(), (*capabilities.DEFAULT, "CAP_SYS_ADMIN"), "amd64")
    for name in ("mount", "unshare", "clone3", "setns", "bpf"):
        assert bpf.allowed(admin, bpf.X86_64, names.number(name), 0x20000)
    assert not bpf.allowed(admin, bpf.X86_64, names.number("init_module"))


def test_calls_newer_than_the_profile_do_not_exist(ours: bytes) -> None:
    nosys = bpf.ERRNO | errno.ENOSYS
    for arch, number in ((bpf.X86_64, 500), (bpf.I386, 500), (bpf.X86_64, 599 | bpf.X32_BIT)):
        assert bpf.run(ours, arch, number) == nosys


def test_other_architectures_are_killed(ours: bytes) -> None:
    assert bpf.run(ours, bpf.AARCH64, 0) == bpf.KILL


def test_a_default_of_allow_is_left_alone() -> None:
    document = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}],
    }
    built = compiled(document)
    assert bpf.allowed(built, bpf.X86_64, 599)
    assert bpf.run(built, bpf.X86_64, 169) == bpf.ERRNO | 5


@pytest.mark.parametrize(
    ("operator", "value", "two", "yes", "no"),
    [
        ("EQ", 5, 0, 5, 6), ("NE", 5, 0, 6, 5), ("LT", 5, 0, 4, 5), ("LE", 5, 0, 5, 6),
        ("GT", 5, 0, 6, 5), ("GE", 5, 0, 5, 4), ("MASKED_EQ", 6, 4, 5, 6),
        ("EQ", 1 << 40, 0, 1 << 40, 0),
    ],
)  # fmt: skip
def test_conditions(operator: str, value: int, two: int, yes: int, no: int) -> None:
    argument = {"index": 1, "value": value, "valueTwo": two, "op": f"SCMP_CMP_{operator}"}
    rule = {"names": ["kill"], "action": "SCMP_ACT_ALLOW", "args": [argument]}
    built = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}, ["SCMP_ARCH_X86_64"])
    kill = 62
    assert bpf.allowed(built, bpf.X86_64, kill, 0, yes)
    assert not bpf.allowed(built, bpf.X86_64, kill, 0, no)


def test_two_conditions_on_one_argument_are_either() -> None:
    arguments = [{"index": 0, "value": v, "op": "SCMP_CMP_EQ"} for v in (1, 2)]
    rule = {"names": ["kill"], "action": "SCMP_ACT_ALLOW", "args": arguments}
    built = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}, ["SCMP_ARCH_X86_64"])
    assert [bpf.allowed(built, bpf.X86_64, 62, v) for v in (1, 2, 3)] == [True, True, False]


ONE = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"syscalls": []}, "invalid seccomp profile: missing field `defaultAction`"),
        ({"defaultAction": "X"}, 'invalid seccomp profile: default action: unknown action "X"'),
        (
            {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["VAX"]},
            'invalid seccomp profile: unknown architecture "VAX"',
        ),
        (
            {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{**ONE, "action": "X"}]},
            'invalid seccomp profile: rule for read: unknown action "X"',
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_NOTIFY"}],
            },
            "invalid seccomp profile: rule for read and 1 more: SCMP_ACT_NOTIFY is not supported",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{**ONE, "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}],
            },
            "invalid seccomp profile: rule for read: no argument 6",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{**ONE, "args": [{"index": 0, "value": 0, "op": "X"}]}],
            },
            'invalid seccomp profile: rule for read: unknown operator "X"',
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["read"] * 30_000, "action": "SCMP_ACT_ALLOW"}],
            },
            "invalid seccomp profile: 30000 rules, at most 20000 are possible",
        ),
    ],
)
def test_refusals(document: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        compiled(document)
    assert str(caught.value).startswith(text)


def test_unknown_calls_are_left_out() -> None:
    rule = {"names": ["call_of_tomorrow", "read"], "action": "SCMP_ACT_ALLOW"}
    built = compiled({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}, ["SCMP_ARCH_X86_64"])
    assert bpf.allowed(built, bpf.X86_64, 0)


@settings(max_examples=200, deadline=None)
@given(st.binary() | st.builds(lambda x: json.dumps(x).encode(), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["defaultAction", "syscalls", "names", "action", "args"]), inner),
)))  # fmt: skip
def test_any_document(document: bytes) -> None:
    for read in (seccomp.parse, lambda d: _native.seccomp_compile(d, [])):
        with contextlib.suppress(InvalidParameter):
            read(document)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"", "Decoding seccomp profile failed: "),
        (b"{}", "Decoding seccomp profile failed: "),
        (
            b'{"defaultAction":"A","architectures":["a"],"archMap":[{"architecture":"b"}]}',
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'",
        ),
    ],
)
def test_profiles_that_cannot_be_read(document: bytes, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        seccomp.parse(document)


def resolved(rule: dict[str, Any], **on: Any) -> list[dict[str, Any]]:
    document = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{**ONE, **rule}]}
    profile = seccomp.parse(json.dumps(document).encode())
    found: list[dict[str, Any]] = seccomp.resolve(profile, ["CAP_A", "CAP_B"], host(**on))[
        "syscalls"
    ]
    return found


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({}, True),
        ({"includes": {}}, True),
        ({"includes": {"caps": ["CAP_A"]}}, True),
        ({"includes": {"caps": ["CAP_A", "CAP_C"]}}, False),
        ({"excludes": {"caps": ["CAP_B", "CAP_C"]}}, False),
        ({"excludes": {"caps": ["CAP_C"]}}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "6.1"}}, True),
        ({"includes": {"minKernel": "6.2"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"includes": {"caps": ["CAP_A"]}, "excludes": {"arches": ["amd64"]}}, False),
    ],
)
def test_rules_that_hold(rule: dict[str, Any], holds: bool) -> None:
    assert bool(resolved(rule)) is holds


def test_both_forms_of_names() -> None:
    document = {"defaultAction": "A", "syscalls": [{"name": "read", "action": "B"}]}
    profile = seccomp.parse(json.dumps(document).encode())
    assert seccomp.resolve(profile, [], host())["syscalls"] == [{"names": ["read"], "action": "B"}]
    with pytest.raises(InvalidParameter, match="both 'name' and 'names' are specified"):
        resolved({"name": "read"})
    with pytest.raises(InvalidParameter, match="invalid kernel version: six"):
        resolved({"includes": {"minKernel": "six"}})


def test_architectures_of_the_host() -> None:
    profile = seccomp.default_profile()
    for architecture, expected in (
        ("amd64", ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
        ("arm64", ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]),
        ("riscv64", ["SCMP_ARCH_RISCV64"]),
    ):
        found = seccomp.resolve(profile, [], host(architecture=architecture))
        assert found["architectures"] == expected
    assert "architectures" not in seccomp.resolve(profile, [], host(architecture="vax"))


def test_programs_are_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "seccomp"
    document = seccomp.resolve(seccomp.default_profile(), capabilities.DEFAULT, host())
    place = seccomp.blob(document, cache)
    content = place.read_bytes()
    assert len(content) % 8 == 0
    monkeypatch.delattr(_native, "seccomp_compile")
    assert seccomp.blob(document, cache) == place
    assert os.listdir(cache) == [place.name]
    assert content == place.read_bytes()


def test_a_failed_compilation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter):
        seccomp.blob({"defaultAction": "X"}, tmp_path)
    assert os.listdir(tmp_path) == []
