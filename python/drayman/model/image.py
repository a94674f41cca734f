"""What an image is: a configuration and the layers below it."""

from __future__ import annotations

import msgspec

from drayman.model.container import HealthConfig, Nothing
from drayman.model.go_json import Wire


class ImageConfig(Wire, frozen=True, kw_only=True):
    """What containers of an image inherit."""

    user: str = ""
    exposed_ports: dict[str, Nothing] | None = None
    env: list[str] | None = None
    cmd: list[str] | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool = False
    volumes: dict[str, Nothing] | None = None
    working_dir: str = ""
    entrypoint: list[str] | None = None
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    shell: list[str] | None = None


class Image(Wire, frozen=True, kw_only=True):
    """An image the engine holds. `id` is the digest of its configuration blob."""

    id: str  # sha256:…
    config: ImageConfig = ImageConfig()
    architecture: str = ""
    variant: str = ""
    os: str = "linux"
    author: str = ""
    comment: str = ""
    created: str = ""  # as the image says it, RFC 3339
    size_bytes: int = 0  # of all layers, unpacked
    diff_ids: list[str] = msgspec.field(default_factory=list)
    # The layers' directories below ``layers/``, lowest first; see storage/layers.py.
    layer_ids: list[str] = msgspec.field(default_factory=list)
    tags: list[str] = msgspec.field(default_factory=list)  # repository:tag, familiar form
    digests: list[str] = msgspec.field(default_factory=list)  # repository@sha256:…
    last_tag_ns: int = 0
    # Removed by force while stopped containers stand on its layers: shown to nobody, kept
    # until the last of them is gone.
    removed: bool = False
