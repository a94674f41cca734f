"""Which program makes a container, by the name that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from drayman.config import load
from drayman.engine import runtimes
from drayman.errors import InvalidParameter


@pytest.mark.parametrize(
    ("name", "without", "beside"),
    [
        ("", None, None),
        ("drayman", None, None),
        ("runc", None, Path("/r")),
        ("io.containerd.runc.v2", None, Path("/r")),
    ],
)
def test_names(name: str, without: Path | None, beside: Path | None) -> None:
    assert runtimes.find({}, name) == without
    assert runtimes.find({"runc": "/r"}, name) == beside


def test_an_unknown_name() -> None:
    with pytest.raises(InvalidParameter, match=r"^unknown or invalid runtime name: kata$"):
        runtimes.find({"runc": "/r"}, "kata")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"drayman": "/bin/sh"}, "'drayman' is reserved"),
        ({"": "/bin/sh"}, "'' is reserved"),
        ({"kata": "/no/such"}, "runtime kata: no program '/no/such' on this host"),
    ],
)
def test_what_cannot_be_added(asked: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidParameter, match=told):
        runtimes.check(asked)


def test_where_they_are_set() -> None:
    found = load(environment={"DRAYMAN_RUNTIMES": "runc=/usr/sbin/runc,crun=crun"}).runtimes
    assert found == {"runc": "/usr/sbin/runc", "crun": "crun"}
    runtimes.check({"shell": "sh"})
    with pytest.raises(InvalidParameter, match="'runc' is not KEY=VALUE"):
        load(environment={"DRAYMAN_RUNTIMES": "runc"})
