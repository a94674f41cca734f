"""The table of states against what engine-side code relies on."""

from __future__ import annotations

import pytest

from drayman.engine import lifecycle
from drayman.engine.lifecycle import RULES, STATUSES, Refusal, allows, follow
from drayman.errors import Conflict, NotModified, System
from drayman.model.container import Container, ContainerConfig, HostConfig, State

ID = "ab" * 32


def container(status: str) -> Container:
    return Container(
        id=ID,
        name="web",
        created_at_ns=1,
        image_id="sha256:1",
        config=ContainerConfig(),
        host_config=HostConfig(),
        state=State(status=status),
    )


@pytest.mark.parametrize("event", RULES)
def test_every_rule_leads_to_a_status_or_a_refusal(event: str) -> None:
    for status, rule in RULES[event].items():
        assert status in STATUSES
        assert isinstance(rule, Refusal) or rule in STATUSES


# What befalls a container cannot be asked for in every state; what a client asks can.
CLIENT_EVENTS = sorted(set(RULES) - {"restart", "exit", "back-off", "removal-failed"})


@pytest.mark.parametrize("event", CLIENT_EVENTS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_client_gets_an_answer_in_every_state(event: str, status: str) -> None:
    if event == "pause" and status == "restarting":
        assert isinstance(RULES[event][status], Refusal)
    assert status in RULES[event]


@pytest.mark.parametrize(
    ("status", "event", "kind", "text"),
    [
        ("running", "start", NotModified, ""),
        ("restarting", "start", NotModified, ""),
        (
            "paused",
            "start",
            Conflict,
            "cannot start a paused container, try unpause instead",
        ),
        ("exited", "stop", NotModified, ""),
        ("created", "stop", NotModified, ""),
        ("exited", "kill", Conflict, f"container {ID} is not running"),
        ("paused", "pause", Conflict, f"container {ID} is already paused"),
        ("running", "unpause", System, f"Container {ID} is not paused"),
        (
            "paused",
            "exec",
            Conflict,
            "Container web is paused, unpause the container before exec",
        ),
        (
            "paused",
            "attach",
            Conflict,
            "container web is paused, unpause the container before attach",
        ),
        (
            "running",
            "remove",
            Conflict,
            'cannot remove container "web": container is running: stop the container'
            " before removing or force remove",
        ),
        ("removing", "remove", Conflict, "removal of container web is already in progress"),
    ],
)
def test_refusals_speak_as_docker_does(
    status: str, event: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        follow(container(status), event)
    assert str(caught.value) == text


def test_the_name_that_was_asked_for_is_repeated() -> None:
    with pytest.raises(Conflict, match="container abab is paused"):
        follow(container("paused"), "attach", asked="abab")


def test_what_cannot_befall_a_container_is_a_fault_of_ours() -> None:
    with pytest.raises(System, match="'exit' cannot happen"):
        follow(container("created"), "exit")


def test_allows_reads_the_same_table() -> None:
    assert allows(container("exited"), "remove")
    assert not allows(container("running"), "remove")
    assert lifecycle.follow(container("exited"), "start") == "running"
