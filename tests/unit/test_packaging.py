"""What is handed on: a source archive that can be built, and what a build asks for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What a build reads; tests, benches and papers stay in the repository.
BUILT_FROM = (
    "python", "native", "packaging", "setup.py", "pyproject.toml", "Cargo.toml", "Cargo.lock",
    "README.md", "LICENSE",
)  # fmt: skip
COMPILED = (".so", ".c", ".pyc", "drayman-shim", "drayman-logger")


@pytest.fixture
def backend() -> ModuleType:
    """packaging/backend.py, as pip loads it."""
    spec = importlib.util.spec_from_file_location("backend", ROOT / "packaging" / "backend.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_source_archive_has_all_that_a_build_reads(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files", *BUILT_FROM], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert set(tracked.stdout.split()) - names == set()
    assert [name for name in names if name.endswith(COMPILED)] == []


@pytest.mark.parametrize("goal", ["wheel", "editable"])
def test_a_toolchain_is_asked_for_where_there_is_none(
    backend: ModuleType, goal: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ask = getattr(backend, f"get_requires_for_build_{goal}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert any(requirement.startswith("puccinialin") for requirement in ask())
    cargo = tmp_path / "cargo"
    cargo.write_text("#!/bin/sh\n")
    cargo.chmod(0o755)
    assert not any(requirement.startswith("puccinialin") for requirement in ask())
