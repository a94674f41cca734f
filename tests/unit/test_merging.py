"""A client's configuration over an image's."""

from __future__ import annotations

from typing import Any

import pytest

from drayman.engine.merging import merge
from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig, HealthConfig
from drayman.model.image import ImageConfig

IMAGE = ImageConfig(entrypoint=["/entry"], cmd=["default"])


@pytest.mark.parametrize(
    ("asked", "argv"),
    [
        ({}, ["/entry", "default"]),
        ({"cmd": ["mine"]}, ["/entry", "mine"]),
        ({"entrypoint": ["/mine"]}, ["/mine"]),
        ({"entrypoint": ["/mine"], "cmd": ["x"]}, ["/mine", "x"]),
        ({"entrypoint": [""], "cmd": ["x"]}, ["x"]),
        ({"entrypoint": []}, ["default"]),
    ],
)
def test_commands(asked: dict[str, Any], argv: list[str]) -> None:
    config = merge(ContainerConfig(**asked), IMAGE)
    assert [*(config.entrypoint or []), *(config.cmd or [])] == argv


@pytest.mark.parametrize("asked", [{}, {"entrypoint": [""]}])
def test_nothing_to_run_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter, match=r"^no command specified$"):
        merge(ContainerConfig(**asked), ImageConfig())


def test_the_client_wins_and_the_image_fills_in() -> None:
    config = merge(
        ContainerConfig(env=["A=mine"], labels={"a": "mine"}, user="7"),
        ImageConfig(
            cmd=["x"],
            env=["A=theirs", "B=theirs"],
            labels={"a": "theirs", "b": "theirs"},
            user="root",
            working_dir="/srv",
            stop_signal="SIGINT",
            exposed_ports={"80/tcp": {}},
            volumes={"/data": {}},
        ),
    )
    assert config.env == ["A=mine", "B=theirs"]
    assert config.labels == {"a": "mine", "b": "theirs"}
    assert config.user == "7"
    assert config.working_dir == "/srv"
    assert config.stop_signal == "SIGINT"
    assert config.exposed_ports == {"80/tcp": {}}
    assert config.volumes == {"/data": {}}


def test_a_health_check_is_filled_in_field_by_field() -> None:
    config = merge(
        ContainerConfig(cmd=["x"], healthcheck=HealthConfig(interval=5)),
        ImageConfig(healthcheck=HealthConfig(test=["CMD", "true"], interval=1, retries=2)),
    )
    assert config.healthcheck == HealthConfig(test=["CMD", "true"], interval=5, retries=2)
