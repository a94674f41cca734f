"""Swarm and plugins: nothing is there, and everything says so in the right words."""

from __future__ import annotations

import pytest

from tests.api.client import Client

NOT_A_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to'
    " connect this node to swarm and try again."
)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/swarm", 503, NOT_A_MANAGER),
        ("POST", "/swarm/init", 503, NOT_A_MANAGER),
        ("POST", "/swarm/leave?force=1", 503, "This node is not part of a swarm"),
        ("POST", "/swarm/update", 400, "invalid swarm object version ''"),
        ("POST", "/services/a/update?version=x", 400, "invalid swarm object version 'x'"),
        ("POST", "/services/a/update?version=7", 503, NOT_A_MANAGER),
        ("GET", "/services", 503, NOT_A_MANAGER),
        ("GET", "/services?filters=nonsense", 400, "invalid filter"),
        ("GET", "/services/a/logs", 400, "Bad parameters: you must choose at least one stream"),
        ("GET", "/tasks/a/logs?stdout=1", 503, NOT_A_MANAGER),
        ("GET", "/nodes/a", 503, NOT_A_MANAGER),
        ("DELETE", "/secrets/a", 503, NOT_A_MANAGER),
        ("GET", "/v1.24/secrets", 400, "GET /secrets requires minimum API version 1.25"),
        ("GET", "/v1.29/configs", 400, "GET /configs requires minimum API version 1.30"),
        ("PUT", "/volumes/a", 503, NOT_A_MANAGER),
        ("PUT", "/v1.41/volumes/a", 400, "PUT /volumes/{name} requires minimum API version 1.42"),
        ("GET", "/plugins/a/b:c/json", 404, 'plugin "a/b:c" not found'),
        ("POST", "/plugins/a/enable", 404, 'plugin "a" not found'),
    ],
)
def test_answers(client: Client, method: str, path: str, status: int, text: str) -> None:
    answer = client.ask(method, path)
    assert (answer.status, answer.json()) == (status, {"message": text})


def test_there_are_no_plugins(client: Client) -> None:
    assert client.ask("GET", "/plugins").body == b"[]\n"
