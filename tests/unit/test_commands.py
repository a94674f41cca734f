"""The command line: what it says to those who err, and with which exit code it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from drayman.__main__ import COMMANDS, main


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    """The exit code, and what is said on either stream."""
    monkeypatch.setattr(sys, "argv", ["drayman", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, "".join(capsys.readouterr())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, said = run(monkeypatch, capsys, "--help")
    assert (code, f"\n  {command} " in said) == (0, True)
    code, said = run(monkeypatch, capsys, command, "--help")
    assert (code, f"drayman {command}" in said) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bench"], 2, "No such command 'bench'"),
        (["serve", "--nope"], 2, "No such option '--nope'"),
        (["serve", "--config", "/no/such"], 1, "drayman: cannot read /no/such: No such file"),
        (["serve", "--bridge", "x" * 16], 1, "drayman: bridge is 'xxxxxxxxxxxxxxxx'"),
    ],
)
def test_mistakes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    ended, said = run(monkeypatch, capsys, *arguments)
    assert (ended, words in said) == (code, True), said


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_containers_need_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code, said = run(monkeypatch, capsys, command)
    assert (code, said) == (1, "drayman: containers need root: run it again with sudo\n")


def test_a_root_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "file").write_text("")
    root = tmp_path / "file" / "root"
    code, said = run(monkeypatch, capsys, "serve", "--root", str(root), "--run", str(tmp_path))
    assert (code, said) == (1, f"drayman: cannot keep anything in {root}: Not a directory\n")
