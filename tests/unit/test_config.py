"""Where settings come from, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drayman.config import Config, load
from drayman.errors import InvalidParameter


def test_defaults() -> None:
    assert load(environment={}) == Config()


def test_command_line_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('root = "/file"\nrun = "/file"\nlog_level = "debug"\n')
    environment = {"DRAYMAN_ROOT": "/environment", "DRAYMAN_RUN": "/environment"}
    config = load(file, environment, root="/command", run=None)
    assert (config.root, config.run, config.log_level) == ("/command", "/environment", "debug")


def test_hosts_in_the_environment_are_a_list() -> None:
    config = load(environment={"DRAYMAN_HOSTS": "unix:///a,tcp://127.0.0.1:1"})
    assert config.hosts == ["unix:///a", "tcp://127.0.0.1:1"]


def test_numbers_in_the_environment_are_numbers() -> None:
    assert load(environment={"DRAYMAN_UNPACK_ENTRIES": "7"}).unpack_entries == 7


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rot = '/x'", "rot"),
        ("root = 3", "root"),
        ("root = ", "not TOML"),
        ("log_level = 'loud'", "loud"),
        ("unpack_ratio = 0", "unpack_ratio is 0; it must be from 1"),
        ("metrics_addr = '9323'", "'9323'; it must be HOST:PORT"),
        ("unpack_entries = 'many'", "unpack_entries"),
        ("bridge = 'a-name-longer-than-an-interface'", "15 characters"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(InvalidParameter, match=told):
        load(file, {})


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="cannot read"):
        load(tmp_path / "none.toml", {})
