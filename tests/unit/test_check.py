"""What `drayman check` says of a host."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import drayman
from drayman.commands import check

MOUNT = "30 23 0:26 / /sys/fs/cgroup/{name} rw - {kind} cgroup {options}\n"
ALL = "".join(MOUNT.format(name=n, kind="cgroup", options=f"rw,{n}") for n in check.CONTROLLERS)


@pytest.mark.parametrize(
    ("release", "level"),
    [("5.4.0-42-generic", "missing"), ("6.1.0-13-amd64", "weak"), ("6.18.44", "ok"), ("7.0", "ok")],
)
def test_kernel(release: str, level: str) -> None:
    assert check.kernel(release).level == level


@pytest.mark.parametrize(
    ("mountinfo", "level", "found"),
    [
        ("", "missing", "none"),
        (MOUNT.format(name="", kind="cgroup2", options="rw"), "ok", "version 2"),
        (ALL, "ok", "version 1"),
        (ALL + MOUNT.format(name="unified", kind="cgroup2", options="rw"), "ok", "hybrid"),
        (MOUNT.format(name="cpu", kind="cgroup", options="rw,cpu"), "weak", "without cpuset"),
    ],
)
def test_cgroups(mountinfo: str, level: str, found: str) -> None:
    finding = check.cgroups(mountinfo)
    assert finding.level == level
    assert found in finding.found


def test_overlay() -> None:
    assert check.overlay("nodev\ttmpfs\nnodev\toverlay\n").level == "ok"
    assert "modprobe" in check.overlay("nodev\ttmpfs\n").advice


def test_namespaces(tmp_path: Path) -> None:
    assert check.namespaces().level == "ok"
    assert check.namespaces(tmp_path).level == "missing"


def test_an_extension_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check.extension().level == "ok"
    monkeypatch.delitem(sys.modules, "drayman.runtime.seccomp")
    monkeypatch.delattr(drayman, "_native")
    monkeypatch.setitem(sys.modules, "drayman._native", None)
    finding = check.extension()
    assert finding.level == "missing"
    assert "libseccomp2" in finding.advice


def test_whatever_is_amiss_has_advice() -> None:
    for finding in check.findings():
        assert finding.level == "ok" or finding.advice


def test_the_command_says_every_subject() -> None:
    result = CliRunner().invoke(check.check, [])
    assert result.exit_code == 0, result.output
    for finding in check.findings():
        assert finding.subject in result.output
