"""Builds the three compiled parts of the one wheel: see ``pyproject.toml`` for the rest.

* the extension ``drayman._native``: ``maturin build`` makes a wheel of ``native/``, of
  which we take the library;
* the Cython modules, by ``cythonize``;
* the binaries ``drayman-shim``, static, and ``drayman-logger``, which finds hosts as others on its
  host do, by cargo, as package data in ``drayman/bin``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
# Static, so that it maps a few pages only and needs nothing of the host's libraries.
STATIC = ["--", "-C", "target-feature=+crt-static"]


def toolchain() -> dict[str, str]:
    """The environment cargo runs in, with a toolchain from `puccinialin` if there is none."""
    environment = dict(os.environ)
    if shutil.which("cargo") is None:
        from puccinialin import setup_rust

        environment.update(setup_rust())
    return environment


class BuildNative(build_ext):
    """``build_ext`` that also runs maturin and cargo."""

    def run(self) -> None:
        super().run()
        package = ROOT / "python" / "drayman" if self.inplace else Path(self.build_lib) / "drayman"
        package.mkdir(parents=True, exist_ok=True)
        environment = toolchain()
        self.build_extension_module(package, environment)
        self.build_binary("drayman-shim", STATIC, package, environment)
        self.build_binary("drayman-logger", [], package, environment)

    def build_extension_module(self, package: Path, environment: dict[str, str]) -> None:
        wheels = Path(self.build_temp).resolve() / "maturin"
        shutil.rmtree(wheels, ignore_errors=True)
        # The bare command: `python -m maturin` is not importable in pip's isolated builds.
        subprocess.run(
            ["maturin", "build", "--release", "--locked", "--compatibility", "linux",
             "--interpreter", sys.executable, "--out", str(wheels)],
            cwd=ROOT / "native",
            env=environment,
            check=True,
        )  # fmt: skip
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (n for n in archive.namelist() if Path(n).name.startswith("_native."))
            # A new file and a rename: a running engine keeps the library it has mapped.
            fresh = package / f".{Path(name).name}.new"
            fresh.write_bytes(archive.read(name))
            fresh.replace(package / Path(name).name)

    def build_binary(
        self, name: str, flags: list[str], package: Path, environment: dict[str, str]
    ) -> None:
        subprocess.run(
            ["cargo", "rustc", "--release", "--locked", "-p", name, "--bin", name,
             *flags],
            cwd=ROOT,
            env=environment,
            check=True,
        )  # fmt: skip
        target = Path(environment.get("CARGO_TARGET_DIR", ROOT / "target"))
        binaries = package / "bin"
        binaries.mkdir(exist_ok=True)
        fresh = binaries / f".{name}.new"
        shutil.copy2(target / "release" / name, fresh)
        fresh.replace(binaries / name)


setup(
    ext_modules=cythonize(
        [Extension("drayman.stdio.replay", ["python/drayman/stdio/replay.pyx"])],
        build_dir="build/cython",
        language_level=3,
    ),
    cmdclass={"build_ext": BuildNative},
)
