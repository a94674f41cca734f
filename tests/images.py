"""Small images made from the host's static busybox, as archives that an engine loads."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

BUSYBOX = Path("/usr/bin/busybox")
# What the tests call; `busybox --list` has hundreds.
APPLETS = (
    "ash awk cat chmod chown cp cut date dd df echo env false find grep head hostname httpd id"
    " kill link ln ls mkdir mknod mktemp mount mv nc nohup ping printf ps pwd readlink rm rmdir"
    " sed seq sh sha256sum sleep sort stat stty sync tail tar tee test touch tr true tty umount"
    " uname wc wget whoami xargs yes"
)
HOST_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "")
USERS = b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n"
CREATED = "2026-01-02T03:04:05.678Z"

Entry = tuple[str, bytes | str, int]
Document = dict[str, Any]


def tar(entries: Sequence[Entry]) -> bytes:
    """A tar of (name, content, mode): a name that ends in a slash is a directory, content
    that is text is a link's target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def busybox_layer() -> bytes:
    """The tar of a small root file system: busybox, its applets, users."""
    directories: list[Entry] = [
        (f"{name}/", b"", 0o755) for name in ("bin", "etc", "home", "root", "usr", "usr/bin", "var")
    ]
    return tar(
        [
            *directories,
            ("tmp/", b"", 0o1777),
            ("bin/busybox", BUSYBOX.read_bytes(), 0o755),
            *((f"bin/{applet}", "busybox", 0o777) for applet in APPLETS.split()),
            ("etc/passwd", USERS, 0o644),
            ("etc/group", b"root:x:0:\nuser:x:1000:\nwheel:x:10:root\n", 0o644),
        ]
    )


def second_layer() -> bytes:
    """The tar of a layer on top: a file more, one changed, one gone, a directory emptied."""
    return tar(
        [
            ("etc/", b"", 0o755),
            ("etc/motd", b"hello from the second layer\n", 0o644),
            ("etc/.wh.group", b"", 0o644),
            ("var/", b"", 0o755),
            ("var/.wh..wh..opq", b"", 0o644),
            ("var/new", b"new\n", 0o600),
        ]
    )


def digest(content: bytes) -> str:
    """``sha256:…``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def compress(content: bytes, compression: str) -> bytes:
    """As ``compression`` says: nothing, ``gzip``, ``zstd`` or ``xz``."""
    if compression == "gzip":
        return gzip.compress(content, 1)
    if compression == "zstd":
        return zstandard.compress(content, 1)
    if compression == "xz":
        return lzma.compress(content, preset=0)
    return content


def configuration(layers: Sequence[bytes], config: Document | None = None, **more: Any) -> bytes:
    """The configuration blob of an image of these tars."""
    history = [
        {"created": CREATED, "created_by": f"ADD layer{number}"} for number in range(len(layers))
    ]
    document = {
        "architecture": HOST_ARCHITECTURE,
        "os": "linux",
        "created": CREATED,
        "config": {
            "Cmd": ["sh"],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            **(config or {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        "history": [*history, {"created": CREATED, "created_by": "CMD sh", "empty_layer": True}],
        **more,
    }
    return json.dumps(document).encode()


def busybox_layers(count: int) -> list[bytes]:
    """The first of the two layers, or both."""
    return [busybox_layer(), second_layer()][:count]


def docker_archive(files: Mapping[str, bytes | str], compression: str = "") -> bytes:
    """An archive of these files, text being links."""
    return compress(tar([(name, what, 0o644) for name, what in files.items()]), compression)


def docker_archive_files(
    layers: Sequence[bytes], tags: Sequence[str], config: bytes, layer_compression: str = ""
) -> dict[str, bytes | str]:
    """The files of a docker-archive of one image."""
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": name, "RepoTags": list(tags), "Layers": paths}]
    return {
        name: config,
        **{
            path: compress(layer, layer_compression)
            for path, layer in zip(paths, layers, strict=True)
        },
        "manifest.json": json.dumps(manifest).encode(),
    }


def busybox_archive(
    path: Path,
    tag: str = "busybox:latest",
    layers: int = 1,
    compression: str = "",
    config: Document | None = None,
    layer_compression: str = "",
) -> str:
    """Write a docker-archive of a busybox image; returns the image's id.

    ``compression`` is the whole archive's, ``layer_compression`` each layer's; ``config``
    adds to or replaces keys of the image's configuration (``{"User": "user"}``).
    """
    tars = busybox_layers(layers)
    blob = configuration(tars, config)
    files = docker_archive_files(tars, [tag] if tag else [], blob, layer_compression)
    path.write_bytes(docker_archive(files, compression))
    return digest(blob)


def oci_layout_files(
    layers: Sequence[bytes],
    tag: str,
    compression: str = "gzip",
    nested: bool = False,
    architectures: Sequence[str] = (HOST_ARCHITECTURE,),
) -> tuple[dict[str, bytes | str], list[str]]:
    """The files of an OCI layout, and the image's id for each architecture."""
    files: dict[str, bytes | str] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(content: bytes, media_type: str) -> Document:
        files[f"blobs/sha256/{digest(content)[7:]}"] = content
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    kind = "application/vnd.oci.image."
    manifests, ids = [], []
    for architecture in architectures:
        config = configuration(layers, architecture=architecture)
        ids.append(digest(config))
        manifest = {
            "schemaVersion": 2,
            "config": blob(config, f"{kind}config.v1+json"),
            "layers": [
                blob(compress(layer, compression), f"{kind}layer.v1.tar") for layer in layers
            ],
        }
        described = blob(json.dumps(manifest).encode(), f"{kind}manifest.v1+json")
        manifests.append({**described, "platform": {"os": "linux", "architecture": architecture}})
    if nested:
        index = {"schemaVersion": 2, "manifests": manifests}
        manifests = [blob(json.dumps(index).encode(), f"{kind}index.v1+json")]
    if tag:
        for manifest in manifests:
            manifest["annotations"] = {"io.containerd.image.name": f"docker.io/library/{tag}"}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    return files, ids


def oci_layout(
    path: Path,
    tag: str = "busybox:latest",
    layers: int = 1,
    compression: str = "gzip",
    nested: bool = False,
    architectures: Sequence[str] = (HOST_ARCHITECTURE,),
) -> list[str]:
    """Write an OCI layout of a busybox image as a tar; returns the ids, one an architecture.
    ``compression`` is the layers'; ``nested`` puts an index into the index."""
    files, ids = oci_layout_files(busybox_layers(layers), tag, compression, nested, architectures)
    path.write_bytes(docker_archive(files))
    return ids
