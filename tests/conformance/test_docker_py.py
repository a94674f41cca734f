"""docker-py on containers: its README's quick start, and what programs built on it do."""

from __future__ import annotations

import io
import socket
import struct
import tarfile
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.utils.socket import frames_iter
from tests import images
from tests.engine.engines import until

BIG_BYTES = 4 << 20
# docker-py leaves some of the connections it takes over to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def idle(client: docker.DockerClient) -> Container:
    """One that runs and does nothing."""
    return client.containers.run("busybox", ["sleep", "1000"], detach=True)


def untar(chunks: Iterator[bytes]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isreg() else None
            found[entry.name] = file.read() if file else b""
    return found


# -------------------------------------------------------------------- run
def test_run_returns_what_was_printed(client: docker.DockerClient) -> None:
    assert client.containers.run("busybox", "echo hello world") == b"hello world\n"


def test_run_of_a_failing_command_raises_with_its_errors(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.ContainerError) as caught:
        client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    assert caught.value.exit_status == 3
    assert caught.value.stderr == b"bad\n"
    assert client.containers.list(all=True) == []


def test_run_of_a_missing_command_says_which(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.APIError, match=r'exec: "nothere": executable file not'):
        client.containers.run("busybox", "nothere")


def test_run_of_a_missing_image_says_which(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.DockerException, match=r"registry\.invalid"):
        client.containers.run("registry.invalid/nothere", "true")


def test_run_streams(client: docker.DockerClient) -> None:
    lines = client.containers.run("busybox", ["seq", "3"], stream=True)
    assert b"".join(lines) == b"1\n2\n3\n"


def test_run_keeps_the_streams_asked_for(client: docker.DockerClient) -> None:
    command = ["sh", "-c", "echo out; echo err >&2"]
    assert client.containers.run("busybox", command) == b"out\n"
    assert client.containers.run("busybox", command, stdout=False, stderr=True) == b"err\n"


def test_run_detached_is_a_container(client: docker.DockerClient) -> None:
    container = client.containers.run(
        "busybox", ["sleep", "1000"], detach=True, name="quick", labels={"of": "mine"}
    )
    assert container.status == "created"  # as it was when docker-py looked
    container.reload()
    assert (container.name, container.status) == ("quick", "running")
    assert container.labels == {"of": "mine"}
    assert container.image.tags == ["busybox:latest"]
    assert client.containers.list(filters={"label": "of=mine"}) == [container]
    assert client.containers.get("quick") == container


def test_run_takes_what_docker_takes(client: docker.DockerClient) -> None:
    command = ["sh", "-c", 'echo "$A $(id -u) $(pwd) $(hostname)"; touch /x || cat /proc/1/limits']
    said = client.containers.run(
        "busybox",
        command,
        environment={"A": "b"},
        user="12",
        working_dir="/tmp",
        hostname="box",
        read_only=True,
        mem_limit="64m",
        cap_drop=["ALL"],
        network_mode="none",
        ulimits=[docker.types.Ulimit(name="nofile", soft=99, hard=99)],
        remove=True,
    )
    first, *rest = said.decode().splitlines()
    assert first == "b 12 /tmp box"
    assert [line.split()[3:5] for line in rest if line.startswith("Max open")] == [["99", "99"]]


# -------------------------------------------------------------------- life
def test_stop_start_restart_kill_pause_rename_remove(idle: Container) -> None:
    def status() -> str:
        idle.reload()
        return str(idle.status)

    idle.pause()
    assert status() == "paused"
    idle.unpause()
    assert status() == "running"
    idle.stop(timeout=0)
    assert status() == "exited"
    idle.start()
    idle.restart(timeout=0)
    assert status() == "running"
    idle.rename("renamed")
    idle.kill()
    assert idle.wait()["StatusCode"] == 137
    idle.reload()
    assert idle.name == "renamed"
    idle.remove()
    with pytest.raises(docker.errors.NotFound, match=f"No such container: {idle.id}"):
        idle.reload()


def test_wait_for_the_next_exit(client: docker.DockerClient) -> None:
    container = client.containers.run(
        "busybox", ["sh", "-c", "read x; exit 5"], detach=True, stdin_open=True
    )
    feed = container.attach_socket(params={"stdin": 1, "stream": 1})
    feed._sock.sendall(b"go\n")
    assert container.wait()["StatusCode"] == 5
    feed.close()


def test_update_changes_limits(idle: Container) -> None:
    assert idle.update(mem_limit="32m", memswap_limit="64m") == {"Warnings": None}
    idle.reload()
    assert idle.attrs["HostConfig"]["Memory"] == 32 << 20


def test_top_shows_processes(idle: Container) -> None:
    shown = idle.top(ps_args="-eo pid,args")
    assert shown["Titles"] == ["PID", "COMMAND"]
    assert [row[1] for row in shown["Processes"]] == ["sleep 1000"]


def test_stats_once_and_streamed(idle: Container) -> None:
    once = idle.stats(stream=False)
    assert once["id"] == idle.id
    assert once["pids_stats"]["current"] == 1
    stream = idle.stats(decode=True)
    assert next(stream)["memory_stats"]["usage"] > 0
    stream.close()


def test_prune_removes_what_has_ended(client: docker.DockerClient, idle: Container) -> None:
    ended = client.containers.create("busybox", "true")
    assert client.containers.prune()["ContainersDeleted"] == [ended.id]
    assert client.containers.list(all=True) == [idle]


# -------------------------------------------------------------------- logs
def test_logs(client: docker.DockerClient) -> None:
    container = client.containers.run("busybox", ["seq", "3"], detach=True)
    container.wait()
    assert container.logs() == b"1\n2\n3\n"
    assert container.logs(stdout=False) == b""
    assert container.logs(tail=1, timestamps=True).split(b"Z ")[1] == b"3\n"
    assert container.logs(since=2**31) == b""


def test_logs_stream_follows_until_the_end(client: docker.DockerClient) -> None:
    container = client.containers.run(
        "busybox", ["sh", "-c", "echo early; read x; echo late"], detach=True, stdin_open=True
    )
    lines = container.logs(stream=True)
    assert next(lines) == b"early\n"
    feed = container.attach_socket(params={"stdin": 1, "stream": 1})
    feed._sock.sendall(b"go\n")
    assert list(lines) == [b"late\n"]
    feed.close()


# -------------------------------------------------------------------- exec
def test_exec_run(idle: Container) -> None:
    assert idle.exec_run("echo hi") == (0, b"hi\n")
    code, said = idle.exec_run(["sh", "-c", "exit 4"])
    assert (code, said) == (4, b"")
    said = idle.exec_run(
        ["sh", "-c", "echo $K $(id -u) $(pwd)"],
        environment={"K": "v"},
        user="12",
        workdir="/tmp",
    ).output
    assert said == b"v 12 /tmp\n"


def test_exec_run_demultiplexes(idle: Container) -> None:
    command = ["sh", "-c", "echo out; echo err >&2"]
    assert idle.exec_run(command, demux=True).output == (b"out\n", b"err\n")


def test_exec_run_streams(idle: Container) -> None:
    code, stream = idle.exec_run(["seq", "3"], stream=True)
    assert code is None
    assert b"".join(stream) == b"1\n2\n3\n"


def test_exec_run_gives_a_socket(idle: Container) -> None:
    _, connection = idle.exec_run("cat", stdin=True, socket=True)
    connection._sock.sendall(b"abc")
    connection._sock.shutdown(socket.SHUT_WR)
    assert list(frames_iter(connection, tty=False)) == [(1, b"abc")]
    connection.close()


def test_exec_on_a_terminal_is_not_framed(idle: Container) -> None:
    assert idle.exec_run("tty", tty=True).output == b"/dev/pts/0\r\n"


def test_exec_of_a_missing_command(idle: Container) -> None:
    code, said = idle.exec_run("nothere")
    assert code == 127
    assert b'exec: "nothere": executable file not found in $PATH' in said


def test_exec_detached_and_inspected(client: docker.DockerClient, idle: Container) -> None:
    made = client.api.exec_create(idle.id, ["sh", "-c", "exit 6"])
    assert client.api.exec_inspect(made)["ExitCode"] is None
    assert client.api.exec_start(made, detach=True) == ""
    until(lambda: not client.api.exec_inspect(made)["Running"])
    seen = client.api.exec_inspect(made)
    assert (seen["ExitCode"], seen["ContainerID"]) == (6, idle.id)


def test_exec_resize(client: docker.DockerClient, idle: Container) -> None:
    command = ["sh", "-c", 'until [ "$(stty size)" = "33 99" ]; do :; done; stty size']
    made = client.api.exec_create(idle.id, command, tty=True)
    connection = client.api.exec_start(made, tty=True, socket=True)
    client.api.exec_resize(made, height=33, width=99)
    said = b"".join(piece for _, piece in frames_iter(connection, tty=True))
    assert said.endswith(b"33 99\r\n")
    connection.close()


# -------------------------------------------------------------------- attach
def test_attach_shows_what_comes(client: docker.DockerClient) -> None:
    container = client.containers.create("busybox", ["seq", "3"])
    stream = container.attach(stream=True)
    container.start()
    assert b"".join(stream) == b"1\n2\n3\n"
    assert container.attach(logs=True, stream=False) == b"1\n2\n3\n"


def test_attach_demultiplexes(client: docker.DockerClient) -> None:
    container = client.containers.create("busybox", ["sh", "-c", "echo out; echo err >&2"])
    stream = container.attach(stream=True, demux=True)
    container.start()
    assert set(stream) == {(b"out\n", None), (None, b"err\n")}


def test_attach_socket_carries_bytes_both_ways(client: docker.DockerClient) -> None:
    low = client.api
    made = low.create_container("busybox", "cat", stdin_open=True)
    connection = low.attach_socket(made, params={"stdin": 1, "stdout": 1, "stream": 1})
    low.start(made)
    content = bytes(range(256)) * 64
    connection._sock.sendall(content)
    heard = b""
    while len(heard) < len(content):
        header = connection.read(8)
        kind, size = struct.unpack(">BxxxL", header)
        assert kind == 1
        heard += connection.read(size)
    assert heard == content
    connection.close()


# -------------------------------------------------------------------- copy
def test_put_and_get_archive(idle: Container) -> None:
    content = bytes(range(256)) * (BIG_BYTES // 256)
    assert idle.put_archive("/tmp", images.tar([("big", content, 0o644)]))
    assert idle.exec_run("wc -c /tmp/big").output == f"{len(content)} /tmp/big\n".encode()
    stream, stat = idle.get_archive("/tmp/big")
    assert (stat["name"], stat["size"]) == ("big", len(content))
    assert untar(stream) == {"big": content}


def test_archive_of_what_is_missing(idle: Container) -> None:
    with pytest.raises(docker.errors.NotFound, match="Could not find the file /nothere"):
        idle.get_archive("/nothere")
    with pytest.raises(docker.errors.NotFound):
        idle.put_archive("/nothere", images.tar([("x", b"", 0o644)]))


def test_export_and_diff(idle: Container) -> None:
    assert idle.exec_run("touch /tmp/new").exit_code == 0
    assert idle.diff() == [{"Path": "/tmp", "Kind": 0}, {"Path": "/tmp/new", "Kind": 1}]
    assert "tmp/new" in untar(idle.export())


# -------------------------------------------------------------------- errors
def test_errors_are_docker_pys_own(client: docker.DockerClient, idle: Container) -> None:
    with pytest.raises(docker.errors.NotFound, match="No such container: nothere"):
        client.containers.get("nothere")
    with pytest.raises(docker.errors.ImageNotFound, match="No such image: nothere:latest"):
        client.containers.create("nothere")
    with pytest.raises(docker.errors.APIError, match="is already in use by container") as caught:
        client.containers.create("busybox", name=idle.name)
    assert caught.value.status_code == 409
    with pytest.raises(docker.errors.APIError, match="container is running: stop the") as caught:
        idle.remove()
    assert caught.value.is_client_error()
    with pytest.raises(docker.errors.APIError, match="invalid signal: NOSUCH"):
        idle.kill("NOSUCH")


def test_low_level_inspection(client: docker.DockerClient) -> None:
    low = client.api
    host = low.create_host_config(binds=["/etc:/host:ro"], port_bindings={80: None})
    made = low.create_container("busybox", "true", ports=[80], host_config=host)
    seen: dict[str, Any] = low.inspect_container(made)
    assert made == {"Id": seen["Id"], "Warnings": []}
    assert seen["Config"]["ExposedPorts"] == {"80/tcp": {}}
    assert seen["HostConfig"]["Binds"] == ["/etc:/host:ro"]
    [mount] = seen["Mounts"]
    assert (mount["Source"], mount["Destination"], mount["RW"]) == ("/etc", "/host", False)
    low.start(made)
    low.wait(made)
    [listed] = low.containers(all=True, filters={"status": "exited"}, size=True)
    assert listed["Id"] == seen["Id"]
    assert listed["SizeRootFs"] > 0
