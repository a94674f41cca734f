"""Archives become images, whatever their layout and compression; broken ones become errors
and nothing else."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import struct
import termios
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.images import (
    busybox_archive,
    busybox_layers,
    configuration,
    digest,
    docker_archive,
    docker_archive_files,
    oci_layout,
    oci_layout_files,
    second_layer,
    tar,
)
from tests.unit.image_world import World

from drayman.api.lending import Framing
from drayman.errors import DraymanError


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def small() -> list[bytes]:
    return [second_layer()]


def loaded(tag: str) -> list[dict[str, str]]:
    return [{"stream": f"Loaded image: {tag}\n"}]


@pytest.mark.parametrize("compression", ["", "gzip", "zstd", "xz"])
def test_docker_archives(world: World, tmp_path: Path, compression: str) -> None:
    image_id = busybox_archive(tmp_path / "a.tar", "busybox:1", 2, compression)
    assert world.load((tmp_path / "a.tar").read_bytes()) == loaded("busybox:1")
    image = world.images.get("busybox:1")
    assert image.id == image_id
    assert image.diff_ids == [digest(layer) for layer in busybox_layers(2)]
    assert image.config.cmd == ["sh"]
    assert image.size_bytes > os.stat("/usr/bin/busybox").st_size
    lower = world.images.lower(image.id)
    assert [Path(one).name for one in lower[1:]] == image.layer_ids[::-1]
    assert Path(lower[2], "bin/busybox").exists()
    assert not list(world.paths.temporary.iterdir())
    assert world.told() == [f"load {image_id}"]


@pytest.mark.parametrize("layer_compression", ["gzip", "zstd"])
def test_layers_may_be_compressed_inside(
    world: World, tmp_path: Path, layer_compression: str
) -> None:
    busybox_archive(tmp_path / "a.tar", layers=2, layer_compression=layer_compression)
    assert world.load((tmp_path / "a.tar").read_bytes()) == loaded("busybox:latest")


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("nested", [False, True])
def test_oci_layouts(world: World, tmp_path: Path, compression: str, nested: bool) -> None:
    (image_id,) = oci_layout(tmp_path / "a.tar", "busybox:2", 2, compression, nested)
    assert world.load((tmp_path / "a.tar").read_bytes()) == loaded("busybox:2")
    image = world.images.get("busybox:2")
    assert image.id == image_id
    assert [name.partition("@")[0] for name in image.digests] == ["busybox"]
    assert world.images.get(image.digests[0]).id == image_id


def test_of_several_platforms_the_host_s_is_taken(world: World, tmp_path: Path) -> None:
    host = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    ids = oci_layout(tmp_path / "a", nested=True, architectures=("s390x", host, "riscv64"))
    assert world.load((tmp_path / "a").read_bytes()) == loaded("busybox:latest")
    assert [image.id for image in world.images.all()] == [ids[1]]
    oci_layout(tmp_path / "b", "b:1", nested=True, architectures=("s390x", "riscv64"))
    (refusal,) = world.load((tmp_path / "b").read_bytes())
    assert "does not provide the specified platform" in refusal["error"]


def test_an_image_without_a_name_is_told_by_its_id(world: World) -> None:
    files, (image_id,) = oci_layout_files(small(), "")
    assert world.load(docker_archive(files)) == [{"stream": f"Loaded image ID: {image_id}\n"}]
    assert world.images.get(image_id).tags == []


def test_progress_names_new_layers_alone(world: World, tmp_path: Path) -> None:
    busybox_archive(tmp_path / "1", "one:1", 1)
    busybox_archive(tmp_path / "2", "two:1", 2)
    world.load((tmp_path / "1").read_bytes())
    first, *rest = world.load((tmp_path / "2").read_bytes(), quiet=False)
    assert (first["status"], first["id"]) == ("Loading layer", digest(second_layer())[7:19])
    assert rest == loaded("two:1")


def test_a_name_moves_to_the_newer_image(world: World, tmp_path: Path) -> None:
    old = busybox_archive(tmp_path / "1", "busybox:1", 1)
    new = busybox_archive(tmp_path / "2", "busybox:1", 2)
    world.load((tmp_path / "1").read_bytes())
    documents = world.load((tmp_path / "2").read_bytes())
    assert documents[0]["stream"] == (
        f"The image busybox:1 already exists, renaming the old one with ID {old} to empty string\n"
    )
    assert world.images.get("busybox:1").id == new
    assert world.images.get(old).tags == []
    # The older one again: it gets its name back, and is still one image.
    world.load((tmp_path / "1").read_bytes())
    assert world.images.get("busybox:1").id == old
    assert len(world.images.all()) == 2


def test_what_was_loaded_is_there_after_a_restart(world: World, tmp_path: Path) -> None:
    image_id = busybox_archive(tmp_path / "a", "busybox:1", 2)
    world.load((tmp_path / "a").read_bytes())
    world.store.close()
    world.open()
    world.run(lambda images: images.sweep())
    assert world.images.get("busybox:1").id == image_id
    assert Path(world.images.lower(image_id)[2], "bin/busybox").exists()


def test_the_same_archive_twice_at_once(world: World, tmp_path: Path) -> None:
    busybox_archive(tmp_path / "a", "busybox:1", 2)

    async def load() -> list[dict[str, Any]]:
        descriptor = os.open(tmp_path / "a", os.O_RDONLY)
        try:
            return (await world.images.image_load(descriptor, Framing(False, None), quiet=True))[0]
        finally:
            os.close(descriptor)

    async def both() -> None:
        results = await asyncio.gather(load(), load(), load())
        assert results == [loaded("busybox:1")] * 3

    asyncio.run(both())
    assert len(world.images.all()) == 1
    assert not list(world.paths.temporary.iterdir())


def test_a_body_is_read_to_its_end_and_what_follows_is_given_back(world: World) -> None:
    blob = configuration(small())
    archive = docker_archive(docker_archive_files(small(), ["a:1"], blob))
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(piece), piece)
        for piece in (archive[:1000], archive[1000:])
    )  # fmt: skip
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(chunks[100:] + b"0\r\n\r\nGET /next")
        framing = Framing(True, None, chunks[:100])
        documents, surplus = world.run(
            lambda images: images.image_load(ours.fileno(), framing, quiet=True)
        )
        assert documents == loaded("a:1")
        assert surplus == b"GET /next"


def test_a_client_that_leaves_is_not_waited_for(world: World) -> None:
    async def leave(images: Any) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            loading = asyncio.ensure_future(
                images.image_load(ours.fileno(), Framing(True, None), quiet=True)
            )
            theirs.sendall(b"1000\r\n" + b"x" * 10)
            # Until what was sent is read: then the load waits for the rest.
            while struct.unpack("i", fcntl.ioctl(theirs, termios.TIOCOUTQ, bytes(4)))[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            loading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await loading

    world.run(leave)
    assert world.leftovers() == []


BLOB = configuration(small())
GOOD = docker_archive_files(small(), ["a:1"], BLOB)
CONFIG = next(iter(GOOD))


def manifest(**changes: Any) -> bytes:
    item = {"Config": CONFIG, "RepoTags": ["a:1"], "Layers": ["0/layer.tar"], **changes}
    return json.dumps([item]).encode()


OCI, _ = oci_layout_files(small(), "a:1")
OCI_INDEX = json.loads(OCI["index.json"])
OCI_MANIFEST = f"blobs/sha256/{OCI_INDEX['manifests'][0]['digest'][7:]}"


def oci(**changes: Any) -> dict[str, bytes | str]:
    described = {**OCI_INDEX["manifests"][0], **changes}
    return {**OCI, "index.json": json.dumps({"manifests": [described]}).encode()}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "open manifest.json: no such file or directory"),
        ({**GOOD, "manifest.json": b"null"}, "manifest cannot be null"),
        ({**GOOD, "manifest.json": b"{}"}, "invalid JSON"),
        ({**GOOD, "manifest.json": b"[" * 100_000}, "invalid JSON"),
        ({**GOOD, "manifest.json": b'[{"Config": 1}]'}, "invalid JSON"),
        ({**GOOD, "manifest.json": b" " * (9 << 20)}, "manifest.json is larger than"),
        ({**GOOD, "manifest.json": "/etc/passwd"}, "open manifest.json: no such file"),
        ({**GOOD, "manifest.json": "."}, "manifest.json is not a regular file"),
        ({**GOOD, "manifest.json": manifest(Config="../../../etc/passwd")}, "no such file"),
        ({**GOOD, "manifest.json": manifest(Config="")}, ""),
        ({**GOOD, "manifest.json": manifest(Config="a\0b")}, "invalid path"),
        ({**GOOD, "manifest.json": manifest(Layers=[])}, "layers length mismatch"),
        ({**GOOD, "manifest.json": manifest(Layers=["x"])}, "open x: no such file"),
        ({**GOOD, "manifest.json": manifest(RepoTags=["A B"])}, "invalid reference format"),
        ({**GOOD, "0/layer.tar": b"no tar at all" * 100}, ""),
        ({**GOOD, "0/layer.tar": tar([("x", b"y", 0o644)])}, "invalid diffID for layer 0"),
        ({**GOOD, "0/layer.tar": "/dev/zero"}, "no such file"),
        ({**GOOD, CONFIG: b"[]"}, "invalid JSON"),
        ({**GOOD, CONFIG: b'{"os":"windows"}'}, "cannot load windows image on linux"),
        ({**GOOD, CONFIG: configuration(small(), {"Cmd": "text"})}, "invalid JSON"),
        ({**GOOD, CONFIG: configuration(small(), created="yesterday")}, "invalid time"),
        ({**GOOD, CONFIG: configuration([], rootfs={"diff_ids": ["../x"]})}, "invalid diffID"),
        (
            {**GOOD, CONFIG: configuration([], rootfs={"diff_ids": [digest(b"")] * 126})},
            "max depth exceeded",
        ),
        (oci(digest="sha256:../../etc/passwd"), "invalid checksum digest format"),
        (oci(digest=digest(b"another")), "no such file"),
        ({**oci(), OCI_MANIFEST: b"{}"}, "unexpected digest"),
        ({**OCI, "index.json": b'{"manifests":[{"digest":1}]}'}, "invalid JSON"),
    ],
)  # fmt: skip
def test_hostile_archives(world: World, files: dict[str, bytes | str], message: str) -> None:
    (document,) = world.load(docker_archive(files))
    assert message in document["error"]
    assert document["errorDetail"] == {"message": document["error"]}
    assert world.images.all() == []
    assert [name for name in world.leftovers() if len(name) != 64] == []
    assert not list(world.paths.layers.iterdir())


def test_a_tower_of_indexes_is_refused(world: World) -> None:
    files = dict(OCI)
    index = OCI["index.json"]
    for _ in range(10):
        assert isinstance(index, bytes)
        files[f"blobs/sha256/{digest(index)[7:]}"] = index
        described = {
            "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest(index),
        }  # fmt: skip
        index = json.dumps({"manifests": [described]}).encode()
    (document,) = world.load(docker_archive({**files, "index.json": index}))
    assert "too deep or too long" in document["error"]


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08garbage", b"no tar" * 500, docker_archive(GOOD)[:700]]
)
def test_a_broken_outer_tar_raises(world: World, content: bytes) -> None:
    with pytest.raises(DraymanError):
        world.load(content)
    assert world.leftovers() == []


def test_images_before_a_broken_one_stay(world: World) -> None:
    items = [*json.loads(GOOD["manifest.json"]), {"Config": "missing"}]
    files = {**GOOD, "manifest.json": json.dumps(items).encode()}
    good, bad = world.load(docker_archive(files))
    assert good == loaded("a:1")[0]
    assert bad["error"] == "open missing: no such file or directory"
    assert [image.tags for image in world.images.all()] == [["a:1"]]


KEYS = [
    "Config", "RepoTags", "Layers", "manifests", "digest", "config", "layers", "mediaType",
    "annotations", "rootfs", "diff_ids", "history", "created", "os", "platform",
]  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from(["", "a:1", CONFIG, "..", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(["manifest.json", "index.json", CONFIG]), document=JSON)
def test_any_document_is_an_image_or_an_error(world: World, name: str, document: Any) -> None:
    base = OCI if name == "index.json" else GOOD
    documents = world.load(docker_archive({**base, name: json.dumps(document).encode()}))
    assert all(set(one) in ({"stream"}, {"error", "errorDetail"}) for one in documents)
    assert not list(world.paths.temporary.iterdir())
