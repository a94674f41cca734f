"""Users and groups are looked up in files that a stranger wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.errors import InvalidParameter
from drayman.runtime import users
from drayman.runtime.users import User, lookup

PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:*:1:1::/:/bin/false

worker:x:1000:100:W:/home/worker:/bin/sh
1001:x:7:7::/seven:/bin/sh
twin:x:1000:5::/twin:/bin/sh
broken:x:zero:0::/root:/bin/sh
short:x
homeless:x:12:12
"""
GROUP = """root:x:0:
users:x:100:worker,other
audio:x:29:worker
1002:x:8:
broken:x:x:worker
"""


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", User(uid=0, gid=0, additional_gids=(0,), home="/root")),
        ("root", User(uid=0, gid=0, additional_gids=(0,), home="/root")),
        ("0", User(uid=0, gid=0, additional_gids=(0,), home="/root")),
        ("worker", User(uid=1000, gid=100, additional_gids=(100, 29), home="/home/worker")),
        # The first entry of a number counts, groups included.
        ("1000", User(uid=1000, gid=100, additional_gids=(100, 29), home="/home/worker")),
        # A number is never taken for a name.
        ("1001", User(uid=1001, gid=0, additional_gids=(0,), home="/")),
        ("worker:audio", User(uid=1000, gid=29, additional_gids=(29,), home="/home/worker")),
        ("worker:1002", User(uid=1000, gid=1002, additional_gids=(1002,), home="/home/worker")),
        ("55:66", User(uid=55, gid=66, additional_gids=(66,), home="/")),
        (":audio", User(uid=0, gid=29, additional_gids=(29,), home="/root")),
        ("homeless", User(uid=12, gid=12, additional_gids=(12,), home="/")),
    ],
)
def test_lookup(user: str, expected: User) -> None:
    assert lookup(PASSWD, GROUP, user) == expected


def test_added_groups() -> None:
    assert lookup(PASSWD, GROUP, "root", ["audio", "777", "0"]).additional_gids == (0, 29, 777)


@pytest.mark.parametrize(
    ("user", "group_add", "text"),
    [
        ("nobody", None, "unable to find user nobody: no matching entries in passwd file"),
        ("broken", None, "unable to find user broken: no matching entries in passwd file"),
        ("short", None, "unable to find user short: no matching entries in passwd file"),
        ("root:nope", None, "unable to find group nope: no matching entries in group file"),
        ("root:broken", None, "unable to find group broken: no matching entries in group file"),
        ("root", ["nope"], "Unable to find group nope: no matching entries in group file"),
        ("-1", None, "uids and gids must be in range 0-2147483647"),
        ("2147483648", None, "uids and gids must be in range 0-2147483647"),
        ("0:2147483648", None, "uids and gids must be in range 0-2147483647"),
    ],
)
def test_refusals(user: str, group_add: list[str] | None, text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        lookup(PASSWD, GROUP, user, group_add)
    assert str(caught.value) == text


def test_numbers_need_no_files() -> None:
    assert lookup("", "", "5:6").uid == 5
    assert lookup("", "", "").uid == 0


@given(st.text(), st.text(), st.text(max_size=20))
def test_any_text_gives_a_user_or_a_refusal(passwd: str, group: str, user: str) -> None:
    try:
        found = lookup(passwd, group, user)
    except InvalidParameter:
        return
    assert 0 <= found.uid < 2**31
    assert all(0 <= gid < 2**31 for gid in (found.gid, *found.additional_gids))


@given(st.text(alphabet=":\n0-9axroot"), st.sampled_from(["root", "a", "x"]))
def test_a_malformed_number_makes_nobody_root(passwd: str, user: str) -> None:
    try:
        found = lookup(passwd, "", user)
    except InvalidParameter:
        return
    assert any(
        line.strip().split(":")[0] == user and int(line.strip().split(":")[2]) == found.uid
        for line in passwd.split("\n")
        if line.strip().count(":") > 2 and line.strip().split(":")[2].isdecimal()
    )


def root(place: Path) -> int:
    return os.open(place, os.O_PATH | os.O_DIRECTORY)


def test_the_container_own_files(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("me:x:3:4::/me:/bin/sh\n")
    fd = root(tmp_path)
    try:
        assert users.resolve(fd, "me") == User(uid=3, gid=4, additional_gids=(4,), home="/me")
        assert users.home_of(fd, 3) == "/me"
        assert users.home_of(fd, 99) == "/"
    finally:
        os.close(fd)


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "link out", "loop", "too big"])
def test_hostile_files(tmp_path: Path, kind: str) -> None:
    etc = tmp_path / "root/etc"
    etc.mkdir(parents=True)
    (tmp_path / "passwd").write_text("me:x:3:4::/me:/bin/sh\n")
    match kind:
        case "fifo":
            os.mkfifo(etc / "passwd")
        case "directory":
            (etc / "passwd").mkdir()
        case "device":
            (etc / "passwd").symlink_to("/dev/zero")
        case "link out":
            (etc / "passwd").symlink_to("../../passwd")
        case "loop":
            (etc / "passwd").symlink_to("passwd")
        case _:
            with open(etc / "passwd", "wb") as file:
                file.truncate(users.FILE_LIMIT_BYTES + 1)
    fd = root(tmp_path / "root")
    before = len(os.listdir("/proc/self/fd"))
    try:
        with pytest.raises(InvalidParameter):
            users.resolve(fd, "me")
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        os.close(fd)
