"""The real docker CLI: each check of docker_cli.sh is a test, of one run of the script."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance import checks
from tests.engine.engines import EngineServer

SCRIPT = Path(__file__).with_name("docker_cli.sh")


@pytest.fixture(scope="module")
def reports(engine_server: EngineServer) -> dict[str, str]:
    return checks.reports(SCRIPT, DOCKER_HOST=engine_server.url)


@pytest.mark.parametrize("name", checks.names(SCRIPT))
def test_the_docker_cli(reports: dict[str, str], name: str) -> None:
    assert reports[name] == ""


def test_each_check_has_a_name_of_its_own() -> None:
    names = checks.names(SCRIPT)
    assert sorted(names) == sorted(set(names))
