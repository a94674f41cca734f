"""Engines for other people's clients: one a file."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import docker
import pytest
from tests.engine.conftest import engine_server
from tests.engine.engines import EngineServer

__all__ = ["engine_server"]


@pytest.fixture
def client(engine_server: EngineServer) -> Iterator[docker.DockerClient]:
    """docker-py; what a test has left is removed after it."""
    client = engine_server.client()
    yield client
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)
    for volume in client.volumes.list():
        volume.remove()
    for image in client.images.list():
        if "busybox:latest" not in image.tags:
            client.images.remove(image.id, force=True)
    # docker-py leaves some of the connections it takes over to the collector.
    gc.collect()
