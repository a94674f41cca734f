"""House rules that a machine can hold: sizes, first lines, directions of imports, help lines."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("python", "native", "tests", "benches", "packaging", "setup.py")
LINES_LIMIT = 400
MEDIAN_LIMIT = 170
FUNCTION_LIMIT = 70


def sources(*endings: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SOURCES],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    return [path for name in listed if (path := ROOT / name).suffix in endings and path.exists()]


def test_no_file_is_long() -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for path in sources(".py", ".rs", ".pyx", ".pyi", ".sh")
    }
    assert not {path: length for path, length in lengths.items() if length > LINES_LIMIT}
    assert statistics.median(n for n in lengths.values() if n > 10) <= MEDIAN_LIMIT


def test_no_function_is_long() -> None:
    long = []
    for path in sources(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LIMIT:
                    long.append(f"{path.relative_to(ROOT)}:{node.name} {length}")
    assert not long


def test_a_module_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(ROOT)
        for path in sources(".py")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent
    assert not [
        path.relative_to(ROOT)
        for path in sources(".rs")
        if not path.read_text().startswith(("//!", "#!"))
    ]


def test_only_the_doors_import_the_extension() -> None:
    doors = ("runtime", "storage", "stdio", "network")
    imports = re.compile(r"^\s*(from drayman\._native|from drayman import .*_native)", re.M)
    wrong = [
        path.relative_to(ROOT)
        for path in sources(".py")
        if ROOT / "python" in path.parents
        and imports.search(path.read_text())
        and path.parent.name not in doors
        and path.name != "wire.py"
    ]
    assert not wrong


def test_pure_crates_do_not_know_python_or_one_another() -> None:
    for manifest in (ROOT / "native" / "crates").glob("*/Cargo.toml"):
        text = manifest.read_text()
        assert "pyo3" not in text, manifest
        others = set(re.findall(r"^drayman-(\w+)", text, re.M))
        allowed = {"executor", "stdio"} if manifest.parent.name == "shim" else set()
        assert others <= allowed, manifest


def test_every_make_target_has_a_help_line() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"\.PHONY: (.*)", text)
    assert targets
    for target in targets.group(1).split():
        assert re.search(rf"^{target}:.*## ", text, re.M), target


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"]
)
def test_papers_are_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 100
