"""Processes of a container: environment, capabilities, signals, security options."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime_plans import host, plan

from drayman.errors import InvalidParameter, System
from drayman.model.container import ContainerConfig
from drayman.runtime import capabilities, process, security, signals
from drayman.runtime.security import SecurityOptions
from drayman.runtime.users import User


@pytest.mark.parametrize(
    ("own", "extra", "tty", "expected"),
    [
        ([], [], False, [process.DEFAULT_PATH, "HOSTNAME=h", "HOME=/root"]),
        ([], [], True, [process.DEFAULT_PATH, "HOSTNAME=h", "TERM=xterm", "HOME=/root"]),
        (["PATH=/x", "A=1"], [], False, ["PATH=/x", "HOSTNAME=h", "A=1", "HOME=/root"]),
        (["HOME=/h"], [], False, [process.DEFAULT_PATH, "HOSTNAME=h", "HOME=/h"]),
        (["HOME="], [], False, [process.DEFAULT_PATH, "HOSTNAME=h", "HOME=/root"]),
        (["A=1"], ["A=2", "B="], False, [
            process.DEFAULT_PATH, "HOSTNAME=h", "A=2", "B=", "HOME=/root"]),
        (["A=1"], ["A", "HOSTNAME"], False, [process.DEFAULT_PATH, "HOME=/root"]),
        (["A=b=c"], [], False, [process.DEFAULT_PATH, "HOSTNAME=h", "A=b=c", "HOME=/root"]),
    ],
)  # fmt: skip
def test_environment(own: list[str], extra: list[str], tty: bool, expected: list[str]) -> None:
    config = ContainerConfig(hostname="h", env=own)
    assert process.environment(config, tty=tty, home="/root", extra=extra) == expected


def test_variables_of_links() -> None:
    env = process.environment(
        ContainerConfig(env=["DB=mine"]), tty=False, home="/", links=["DB=x", "WEB=y"]
    )
    assert "DB=mine" in env
    assert "WEB=y" in env


def test_exec() -> None:
    container = plan(config={"working_dir": "/w"}, security_opt=["no-new-privileges"]).container
    composed = process.compose_exec(
        container, host(), User(uid=7, gid=7), args=["id"], env=["A=1"], tty=True,
        console_size=(24, 80),
    )  # fmt: skip
    assert composed["cwd"] == "/w"
    assert composed["terminal"] is True
    assert composed["consoleSize"] == {"height": 24, "width": 80}
    assert composed["noNewPrivileges"] is True
    assert set(composed["capabilities"]) == {"bounding"}
    assert composed["args"] == ["id"]


def test_privileged_exec_has_every_capability_whoever_it_is() -> None:
    composed = process.compose_exec(
        plan().container, host(), User(uid=7), args=["id"], env=[], privileged=True,
        working_dir="/x",
    )  # fmt: skip
    assert composed["cwd"] == "/x"
    assert set(composed["capabilities"]) == {"bounding", "permitted", "effective"}
    assert composed["capabilities"]["effective"] == list(capabilities.KNOWN)


def test_init_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(System, match=r"--init needs an init on the host, .* install tini"):
        process.find_init()


KNOWN = capabilities.KNOWN


@pytest.mark.parametrize(
    ("add", "drop", "gained", "lost"),
    [
        (["net_admin"], [], {"CAP_NET_ADMIN"}, set()),
        (["CAP_SYS_TIME", "SYS_TIME"], ["Chown"], {"CAP_SYS_TIME"}, {"CAP_CHOWN"}),
        (["ALL"], [], set(KNOWN), set()),
        (["ALL"], ["SYS_ADMIN"], set(KNOWN) - {"CAP_SYS_ADMIN"}, {"CAP_SYS_ADMIN"}),
        ([], ["ALL"], set(), set(KNOWN)),
        (["KILL"], ["ALL"], {"CAP_KILL"}, set(KNOWN) - {"CAP_KILL"}),
        ([], ["SYS_ADMIN"], set(), set()),
    ],
)
def test_capabilities(add: list[str], drop: list[str], gained: set[str], lost: set[str]) -> None:
    chosen = capabilities.choose(add, drop, KNOWN)
    assert set(chosen) == (set(capabilities.DEFAULT) | gained) - lost
    assert len(chosen) == len(set(chosen))


def test_capabilities_that_the_host_lacks() -> None:
    available = tuple(name for name in KNOWN if name not in ("CAP_CHOWN", "CAP_BPF"))
    assert "CAP_CHOWN" not in capabilities.choose([], [], available)
    assert "CAP_BPF" not in capabilities.choose(["ALL"], [], available)
    with pytest.raises(InvalidParameter, match='current environment: "CAP_BPF"'):
        capabilities.choose(["bpf"], [], available)
    assert capabilities.choose([], ["bpf"], available)


def test_masks() -> None:
    assert capabilities.from_mask(0x00000000A80425FB) == tuple(
        sorted(capabilities.DEFAULT, key=KNOWN.index)
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("KILL", 9), ("sigterm", 15), ("SigHup", 1), ("9", 9), ("+9", 9), ("RTMIN+3", 37),
        ("SIGRTMAX", 64), ("rtmax-1", 63), ("64", 64), ("CLD", 17), ("POLL", 29),
    ],
)  # fmt: skip
def test_signals(text: str, number: int) -> None:
    assert signals.parse(text) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "invalid signal: 0"),
        ("", "invalid signal: "),
        ("NOPE", "invalid signal: NOPE"),
        ("RTMIN+16", "invalid signal: RTMIN+16"),
        ("65", "the linux daemon does not support signal 65"),
        ("-9", "the linux daemon does not support signal -9"),
    ],
)
def test_refused_signals(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        signals.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, SecurityOptions()),
        (["no-new-privileges"], SecurityOptions(no_new_privileges=True)),
        (["no-new-privileges:true"], SecurityOptions(no_new_privileges=True)),
        (["no-new-privileges=false"], SecurityOptions()),
        (["seccomp=unconfined"], SecurityOptions(seccomp="unconfined")),
        (["seccomp:unconfined"], SecurityOptions(seccomp="unconfined")),
        (["seccomp=builtin"], SecurityOptions()),
        (['seccomp={"a":"b=c"}'], SecurityOptions(seccomp='{"a":"b=c"}')),
        (["apparmor=docker-default"], SecurityOptions(apparmor="docker-default")),
        (["label=type:x", "label:level:s0", "disable"], SecurityOptions(
            labels=("type:x", "level:s0", "disable"))),
        (["writable-cgroups=true"], SecurityOptions(writable_cgroups=True)),
    ],
)  # fmt: skip
def test_security_options(options: list[str] | None, expected: SecurityOptions) -> None:
    assert security.parse(options) == expected


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("nope", 'invalid --security-opt 1: "nope"'),
        ("", 'invalid --security-opt 1: ""'),
        ("nope=1", 'invalid --security-opt 2: "nope=1"'),
        ("no-new-privileges=maybe", 'invalid --security-opt 2: "no-new-privileges=maybe"'),
    ],
)
def test_refused_security_options(option: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        security.parse([option])
    assert str(caught.value) == message


@given(st.lists(st.text(max_size=30)))
def test_any_security_options(options: list[str]) -> None:
    # Nothing but options, or a refusal.
    with contextlib.suppress(InvalidParameter):
        assert isinstance(security.parse(options), SecurityOptions)
