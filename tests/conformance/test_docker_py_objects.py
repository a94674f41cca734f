"""docker-py on what is no container: images, volumes, networks, events, the engine itself."""

from __future__ import annotations

import io

import docker
import pytest
from tests import images
from tests.engine.engines import EngineServer

# docker-py leaves some of the connections it takes over to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def archive(tag: str, **config: object) -> tuple[bytes, str]:
    """A docker-archive of an image that is not the usual one, and its id."""
    layers = images.busybox_layers(2)
    configuration = images.configuration(layers, config)
    files = images.docker_archive_files(layers, [tag], configuration)
    return images.docker_archive(files), images.digest(configuration)


# -------------------------------------------------------------------- images
def test_images_are_listed_and_got(client: docker.DockerClient) -> None:
    [image] = client.images.list()
    assert image.tags == ["busybox:latest"]
    assert client.images.get("busybox") == image
    assert client.images.get(image.short_id).id == image.id
    assert client.images.list(name="nothere") == []
    assert image.attrs["RootFS"]["Type"] == "layers"
    assert [step["CreatedBy"] for step in image.history()] == ["CMD sh", "ADD layer0"]


def test_images_load_and_remove(client: docker.DockerClient) -> None:
    content, image_id = archive("second:one", User="user", Cmd=["id", "-un"])
    [image] = client.images.load(content)
    assert (image.id, image.tags) == (image_id, ["second:one"])
    assert client.containers.run("second:one", remove=True) == b"user\n"
    client.images.remove("second:one")
    with pytest.raises(docker.errors.ImageNotFound, match="No such image: second:one"):
        client.images.get("second:one")


def test_images_tag_and_untag(client: docker.DockerClient) -> None:
    image = client.images.get("busybox")
    assert image.tag("other/place", "mine")
    image.reload()
    assert sorted(image.tags) == ["busybox:latest", "other/place:mine"]
    client.images.remove("other/place:mine")
    image.reload()
    assert image.tags == ["busybox:latest"]


def test_images_import(client: docker.DockerClient) -> None:
    said = client.api.import_image_from_data(
        images.busybox_layer(), repository="imported", tag="now", changes=["ENV A=b"]
    )
    assert '"status":"sha256:' in said
    assert client.containers.run("imported:now", ["sh", "-c", "echo $A"], remove=True) == b"b\n"


def test_an_image_in_use_stays(client: docker.DockerClient) -> None:
    client.containers.create("busybox", "true")
    with pytest.raises(docker.errors.APIError, match="conflict: unable to") as caught:
        client.images.remove("busybox")
    assert caught.value.status_code == 409


def test_load_of_no_archive_says_so(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.DockerException):
        client.images.load(io.BytesIO(b"no tar" * 1000))


# -------------------------------------------------------------------- volumes
def test_volumes(client: docker.DockerClient) -> None:
    volume = client.volumes.create("kept", labels={"of": "mine"})
    assert (volume.name, volume.attrs["Driver"]) == ("kept", "local")
    assert client.volumes.list(filters={"label": "of=mine"}) == [volume]
    mounted = {"kept": {"bind": "/data", "mode": "rw"}}
    client.containers.run("busybox", ["sh", "-c", "echo hi >/data/f"], volumes=mounted, remove=True)
    said = client.containers.run("busybox", ["cat", "/data/f"], volumes=mounted)
    assert said == b"hi\n"
    with pytest.raises(docker.errors.APIError, match="volume is in use"):
        volume.remove()
    [user] = client.containers.list(all=True)
    user.remove()
    volume.remove()
    with pytest.raises(docker.errors.NotFound, match="get kept: no such volume"):
        client.volumes.get("kept")


def test_volumes_prune(client: docker.DockerClient) -> None:
    named = client.volumes.create("named")
    anonymous = client.volumes.create()
    assert client.volumes.prune()["VolumesDeleted"] == [anonymous.name]
    assert client.volumes.list() == [named]


# -------------------------------------------------------------------- networks
def test_networks_that_are_there(client: docker.DockerClient) -> None:
    assert {network.name for network in client.networks.list()} == {"bridge", "host", "none"}
    bridge = client.networks.get("bridge")
    assert bridge.attrs["IPAM"]["Config"][0]["Gateway"]
    container = client.containers.run("busybox", ["sleep", "1000"], detach=True)
    bridge.reload()
    assert bridge.containers == [container]


def test_a_published_port_is_known_after_the_start(client: docker.DockerClient) -> None:
    container = client.containers.run(
        "busybox", ["sleep", "1000"], detach=True, ports={"80/tcp": ("127.0.0.1", None)}
    )
    container.reload()
    [binding] = container.ports["80/tcp"]
    assert binding["HostIp"] == "127.0.0.1"
    assert int(binding["HostPort"]) > 0


# -------------------------------------------------------------------- events
def test_events_come_as_they_happen(client: docker.DockerClient) -> None:
    events = client.events(decode=True, filters={"type": "container", "event": ["start", "die"]})
    container = client.containers.run("busybox", ["sh", "-c", "exit 3"], detach=True)
    seen = [next(events), next(events)]
    events.close()
    assert [event["Action"] for event in seen] == ["start", "die"]
    assert {event["Actor"]["ID"] for event in seen} == {container.id}
    assert seen[1]["Actor"]["Attributes"]["exitCode"] == "3"
    assert seen[1]["Actor"]["Attributes"]["image"] == "busybox"


def test_events_of_the_past(client: docker.DockerClient) -> None:
    container = client.containers.create("busybox", "true", name="seen")
    past = client.events(since=0, until=2**31, decode=True, filters={"container": container.id})
    assert next(past)["Action"] == "create"
    past.close()


# -------------------------------------------------------------------- the engine
def test_the_engine_answers_for_itself(client: docker.DockerClient) -> None:
    assert client.ping() is True
    assert client.version()["ApiVersion"] == client.api.api_version
    info = client.info()
    assert info["Images"] == 1
    assert info["Driver"] == "overlay2"
    used = client.df()
    assert [image["RepoTags"] for image in used["Images"]] == [["busybox:latest"]]


def test_a_client_may_ask_for_an_older_version(engine_server: EngineServer) -> None:
    client = docker.DockerClient(base_url=engine_server.url, version="1.41")
    assert client.containers.run("busybox", "echo hi", remove=True) == b"hi\n"
    client.close()


def test_a_client_may_be_too_new(engine_server: EngineServer) -> None:
    client = docker.DockerClient(base_url=engine_server.url, version="1.99")
    with pytest.raises(docker.errors.APIError, match=r"client version 1\.99 is too new"):
        client.ping()
    client.close()
