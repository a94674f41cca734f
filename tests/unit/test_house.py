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
# How a file begins that says what it is for; Python's are parsed.
FIRST_WORDS = {".rs": ("//!", "#!"), ".pyx": ('"""', "# cython: "), ".sh": ("#",)}


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
    for ending, begins in FIRST_WORDS.items():
        silent += [
            path.relative_to(ROOT)
            for path in sources(ending)
            if not path.read_text().startswith(begins)
        ]
    assert not silent


def test_names_say_what_is_inside() -> None:
    vague = ("util", "helper", "common", "misc", "manager")
    assert not [
        path.relative_to(ROOT)
        for path in sources(".py", ".rs", ".pyx", ".pyi", ".sh")
        if path.stem.rstrip("s") in vague or path.parent.name.rstrip("s") in vague
    ]


def test_only_the_doors_import_the_extension() -> None:
    doors = ("runtime", "storage", "stdio", "network")
    package = ROOT / "python" / "drayman"
    assert not [
        path.relative_to(ROOT)
        for path in sources(".py")
        if package in path.parents
        and path.relative_to(package).parts[0] not in doors
        and imports_extension(path)
    ]


def imports_extension(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names) if any("_native" in name.name for name in names):
                return True
            case ast.ImportFrom(module=module, names=names) if "_native" in (module or "") or any(
                name.name == "_native" for name in names
            ):
                return True
    return False


def test_no_test_sleeps_to_wait() -> None:
    """A loop may look again after a while; nothing else may hope that it was long enough."""
    measured = "test_it_sleeps_when_nothing_happens"
    hopeful = []
    for path in sources(".py"):
        if path.is_relative_to(ROOT / "python"):
            continue
        tree = ast.parse(path.read_text())
        patient = [n for n in ast.walk(tree) if isinstance(n, ast.While)]
        patient += [n for n in ast.walk(tree) if getattr(n, "name", "") == measured]
        excused = {call for node in patient for call in sleeps(node)}
        hopeful += [
            f"{path.relative_to(ROOT)}:{call.lineno}"
            for call in sleeps(tree)
            if call not in excused
        ]
    assert not hopeful


def sleeps(tree: ast.AST) -> list[ast.Call]:
    """The calls that let time pass; ``sleep(0)`` only lets others run."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and [ast.unparse(argument) for argument in node.args] != ["0"]
    ]


def test_nothing_but_root_is_a_reason_to_skip() -> None:
    """What tests need is installed by packaging/system.sh, so that its lack is a failure."""
    skip = re.compile(r"pytest\.(?:skip|mark\.skip|importorskip)")
    for_root = re.compile(
        r"pytest\.mark\.skipif\(os\.geteuid\(\) != 0|if os\.geteuid\(\) != 0:\s+pytest\.skip"
    )
    assert not [
        path.relative_to(ROOT)
        for path in sources(".py")
        if path != Path(__file__)
        and len(skip.findall(path.read_text())) != len(for_root.findall(path.read_text()))
    ]


def test_pure_crates_do_not_know_python_or_one_another() -> None:
    for manifest in (ROOT / "native" / "crates").glob("*/Cargo.toml"):
        text = manifest.read_text()
        assert "pyo3" not in text, manifest
        others = set(re.findall(r"^drayman-(\w+)", text, re.M))
        allowed = {"shim": {"executor", "stdio"}, "logger": {"logdrivers", "stdio"}}
        assert others <= allowed.get(manifest.parent.name, set()), manifest


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
