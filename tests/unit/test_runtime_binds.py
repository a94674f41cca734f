"""Mounts that clients ask for, as strings and as objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig, HostConfig
from drayman.model.mount import BindOptions, Mount, MountPoint, TmpfsOptions, VolumeOptions
from drayman.runtime import tmpfs
from drayman.runtime.binds import parse_bind, requested, validate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a:/b", Mount(type="bind", source="/a", target="/b")),
        ("/a/../c/:/b", Mount(type="bind", source="/c", target="/b")),
        ("/a:/b:ro", Mount(type="bind", source="/a", target="/b", read_only=True)),
        ("/a:/b:rw,z", Mount(type="bind", source="/a", target="/b")),
        (
            "/a:/b:rslave,ro",
            Mount(
                type="bind", source="/a", target="/b", read_only=True,
                bind_options=BindOptions(propagation="rslave"),
            ),
        ),
        ("data:/b", Mount(type="volume", source="data", target="/b")),
        (
            "data:/b:nocopy",
            Mount(
                type="volume", source="data", target="/b",
                volume_options=VolumeOptions(no_copy=True),
            ),
        ),
        ("/b", Mount(type="volume", target="/b")),
        ("/a:/b:", Mount(type="bind", source="/a", target="/b")),
    ],
)  # fmt: skip
def test_strings(text: str, expected: Mount) -> None:
    assert parse_bind(text).mount == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid volume specification: ''"),
        (":/b", "invalid volume specification: ':/b'"),
        ("/a:ro", "invalid volume specification: '/a:ro'"),
        ("/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"),
        ("/a:/b:bad", "invalid mode: bad"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:z,Z", "invalid mode: z,Z"),
        (
            "/a:/",
            "invalid volume specification: '/a:/': invalid mount config for type \"bind\": "
            "invalid specification: destination can't be '/'",
        ),
        (
            "/a:b",
            "invalid volume specification: '/a:b': invalid mount config for type \"bind\": "
            "invalid mount path: 'b' mount path must be absolute",
        ),
    ],
)
def test_refused_strings(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_bind(text)
    assert str(caught.value) == message


@given(st.text(alphabet="/:ab.,rowzshlave", max_size=30))
def test_any_string_is_a_sound_mount_or_a_refusal(text: str) -> None:
    try:
        request = parse_bind(text)
    except InvalidParameter:
        return
    point = request.point(source="/volume")
    assert point.destination.startswith("/")
    assert point.destination.strip("/") not in ("", "..")
    assert ".." not in point.destination.split("/")
    assert request.mount.type in ("bind", "volume")
    assert point.rw is ("ro" not in request.mode.split(","))


@pytest.mark.parametrize(
    ("mount", "part"),
    [
        (Mount(type="cluster", target="/a"), 'for type "cluster": mount type unknown'),
        (Mount(type="bind", source="/a"), "field Target must not be empty"),
        (Mount(type="bind", target="/a"), "field Source must not be empty"),
        (Mount(type="bind", source="a", target="/a"), "mount path must be absolute"),
        (Mount(type="tmpfs", source="/a", target="/a"), "field Source must not be specified"),
        (Mount(type="volume", target="/a", read_only=True), "must not set ReadOnly mode"),
        (Mount(type="volume", source="a/b", target="/a"), "includes invalid characters"),
        (
            Mount(type="volume", target="/a", bind_options=BindOptions()),
            "field BindOptions must not be specified",
        ),
        (
            Mount(type="bind", source="/a", target="/b", tmpfs_options=TmpfsOptions()),
            "field TmpfsOptions must not be specified",
        ),
        (
            Mount(
                type="bind", source="/a", target="/b", bind_options=BindOptions(propagation="x")
            ),
            "invalid propagation mode: x",
        ),
        (
            Mount(
                type="volume", source="v1", target="/b",
                volume_options=VolumeOptions(subpath="../x"),
            ),
            "subpath must be a relative path",
        ),
    ],
)  # fmt: skip
def test_refused_objects(mount: Mount, part: str) -> None:
    with pytest.raises(InvalidParameter, match=part):
        validate(mount)


def test_everything_a_container_asks_for() -> None:
    config = ContainerConfig(volumes={"/image": {}, "/data": {}, "/scratch/": {}})
    host_config = HostConfig(
        binds=["/a:/data"],
        mounts=[Mount(type="tmpfs", target="/t")],
        tmpfs={"/scratch": ""},
    )
    found = requested(config, host_config)
    assert [(r.mount.type, r.mount.target) for r in found] == [
        ("bind", "/data"), ("tmpfs", "/t"), ("volume", "/image"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "host_config",
    [
        HostConfig(binds=["/a:/x", "/b:/x/"]),
        HostConfig(binds=["/a:/x"], mounts=[Mount(type="tmpfs", target="/x")]),
        HostConfig(binds=["/a:/x"], tmpfs={"/x": ""}),
    ],
)
def test_one_mount_a_place(host_config: HostConfig) -> None:
    with pytest.raises(InvalidParameter, match="Duplicate mount point: /x"):
        requested(ContainerConfig(), host_config)


def test_points() -> None:
    assert parse_bind("/a:/b/../c").point() == MountPoint(
        type="bind", source="/a", destination="/c", propagation="rprivate"
    )
    assert parse_bind("v1:/c:ro").point(name="v1", source="/v/_data", driver="local") == MountPoint(
        type="volume", name="v1", source="/v/_data", destination="/c", driver="local",
        mode="ro", rw=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["noexec", "nosuid", "nodev", "rprivate"]),
        ("exec", ["nosuid", "nodev", "rprivate", "exec"]),
        ("size=1m,size=2m", ["noexec", "nosuid", "nodev", "rprivate", "size=2m"]),
        ("defaults,rw,ro", ["noexec", "nosuid", "nodev", "rprivate", "ro"]),
    ],
)
def test_options_of_a_tmpfs(words: str, expected: list[str]) -> None:
    assert tmpfs.merge(words) == expected


@pytest.mark.parametrize("words", ["exex", "huge=always", "size", "mode"])
def test_refused_options_of_a_tmpfs(words: str) -> None:
    with pytest.raises(InvalidParameter, match=r'^Invalid tmpfs option \["'):
        tmpfs.merge(words)


@given(st.lists(st.sampled_from(["ro", "rw", "exec", "noexec", "size=1", "size=2", "shared"])))
def test_the_last_of_a_kind_counts(words: list[str]) -> None:
    merged = tmpfs.merge(words)
    for pair in (("ro", "rw"), ("exec", "noexec"), ("size=1", "size=2")):
        given_words = [word for word in words if word in pair]
        left = [word for word in merged if word in pair]
        assert len(left) <= 1
        if given_words:
            assert left == [given_words[-1]]
