"""What changed: in a container since its image, and from one image to another."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from tests import images
from tests.engine.engines import EngineServer, until

MODIFIED, ADDED, DELETED = range(3)


def changes(engine: EngineServer, container: str, query: str = "") -> list[dict[str, Any]]:
    status, found = engine.api("GET", f"/containers/{container}/changes{query}")
    assert status == 200
    return found or []


def test_what_was_made_removed_and_written_is_listed(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig={"Binds": ["diff:/etc/v"]})
    engine_server.docker(
        "exec", container, "sh", "-c", "echo x >/new; rm /bin/yes; echo y >/etc/v/z"
    )
    done = engine_server.docker("diff", container).stdout.decode().splitlines()
    assert {"A /new", "C /bin", "D /bin/yes"} <= set(done)
    assert not any("/etc/v/" in line for line in done)


def test_an_unchanged_container_has_no_changes(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    assert engine_server.api("GET", f"/containers/{container}/changes") == (200, None)


def test_a_name_that_is_no_text_is_listed(engine_server: EngineServer) -> None:
    container = engine_server.running()
    engine_server.docker("exec", container, "sh", "-c", r"touch /$(printf 'a\377')")
    assert changes(engine_server, container) == [{"Path": "/a\ufffd", "Kind": ADDED}]


def test_sizes_and_types_are_told_where_they_are_asked_for(engine_server: EngineServer) -> None:
    container = engine_server.running()
    script = "echo 12345 >/root/file; ln -s file /root/link; mkfifo /root/pipe; rm /bin/yes"
    engine_server.docker("exec", container, "sh", "-c", script)
    assert changes(engine_server, container, "?size=1") == [
        {"Path": "/bin", "Kind": MODIFIED, "Type": "directory", "Size": 0},
        {"Path": "/bin/yes", "Kind": DELETED},
        {"Path": "/root", "Kind": MODIFIED, "Type": "directory", "Size": 0},
        {"Path": "/root/file", "Kind": ADDED, "Type": "file", "Size": 6},
        {"Path": "/root/link", "Kind": ADDED, "Type": "symlink", "Size": 0},
        {"Path": "/root/pipe", "Kind": ADDED, "Type": "fifo", "Size": 0},
    ]


def test_since_lists_what_changed_later(engine_server: EngineServer) -> None:
    container = engine_server.running()
    engine_server.docker("exec", container, "touch", "/early")
    upper = engine_server.root / "containers" / container / "upper"

    def write() -> bool:
        engine_server.docker("exec", container, "touch", "/late")
        early, late = ((upper / name).stat().st_ctime_ns for name in ("early", "late"))
        return late > early

    until(write)
    seconds, nanoseconds = divmod((upper / "late").stat().st_ctime_ns, 10**9)
    since = f"{seconds}.{nanoseconds:09}"
    found = [one["Path"] for one in changes(engine_server, container, f"?since={since}")]
    assert found == ["/late"]
    assert [one["Path"] for one in changes(engine_server, container)] == ["/early", "/late"]


def test_bad_times_are_400(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    assert engine_server.api("GET", f"/containers/{container}/changes?since=never")[0] == 400


def test_nothing_changes_after_the_end_of_time(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    engine_server.docker("cp", "/etc/hostname", f"{container}:/new")
    assert changes(engine_server, container, "?since=9999999999") == []
    assert changes(engine_server, container, "?since=-9999999999") != []


@pytest.fixture(scope="module")
def newer(engine_server: EngineServer) -> str:
    """An image that adds a file to busybox, and removes one."""
    layers = [
        *images.busybox_layers(1),
        images.tar([("bin/.wh.yes", b"", 0o644), ("srv/", b"", 0o755), ("srv/new", b"123", 0o644)]),
    ]
    files = images.docker_archive_files(
        layers, ["registry.local/team/newer:1"], images.configuration(layers)
    )
    engine_server.docker("load", stdin=images.docker_archive(files))
    return "registry.local/team/newer:1"


def test_from_image_to_image(engine_server: EngineServer, newer: str) -> None:
    path = f"/images/busybox/changes?size=1&to={quote(newer)}"
    assert engine_server.api("GET", path) == (
        200,
        [
            {"Path": "/bin", "Kind": MODIFIED, "Type": "directory", "Size": 0},
            {"Path": "/bin/yes", "Kind": DELETED},
            {"Path": "/srv", "Kind": ADDED, "Type": "directory", "Size": 0},
            {"Path": "/srv/new", "Kind": ADDED, "Type": "file", "Size": 3},
        ],
    )
    back = engine_server.api("GET", f"/images/{newer}/changes?to=busybox")[1]
    assert [(one["Path"], one["Kind"]) for one in back] == [
        ("/bin", MODIFIED),
        ("/bin/yes", ADDED),
        ("/srv", DELETED),
    ]
    assert engine_server.api("GET", f"/images/{newer}/changes?to={newer}") == (200, None)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/images/busybox/changes", 400, "to cannot be empty"),
        ("/images/busybox/changes?to=nosuch", 404, "No such image: nosuch"),
        ("/images/nosuch/changes?to=busybox", 404, "No such image: nosuch"),
    ],
)
def test_images_that_are_not_there(
    engine_server: EngineServer, path: str, status: int, text: str
) -> None:
    found, answer = engine_server.api("GET", path)
    assert (found, text in answer["message"]) == (status, True)
