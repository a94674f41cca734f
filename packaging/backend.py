"""The build backend: setuptools, plus a Rust toolchain where the machine has none.

`puccinialin` installs a toolchain for the time of a build; it is asked for only when no
``cargo`` is on PATH, so an ordinary developer's build never downloads one.
"""

from __future__ import annotations

import shutil

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def _toolchain() -> list[str]:
    return [] if shutil.which("cargo") else ["puccinialin>=0.1.8"]


def get_requires_for_build_wheel(config_settings: dict | None = None) -> list[str]:
    return build_meta.get_requires_for_build_wheel(config_settings) + _toolchain()


def get_requires_for_build_editable(config_settings: dict | None = None) -> list[str]:
    return build_meta.get_requires_for_build_editable(config_settings) + _toolchain()
