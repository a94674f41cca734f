"""``--storage-opt``: how large the files may grow that a container writes."""

from __future__ import annotations

from drayman.engine.sizes_in_words import parse_size
from drayman.errors import InvalidParameter
from drayman.model.container import HostConfig

_SIZE = "size"


def size_bytes(host_config: HostConfig) -> int | None:
    """The limit; None without one. InvalidParameter for any other option, or no size."""
    options = host_config.storage_opt or {}
    for name in options:
        # Docker takes it in any case.
        if name.lower() != _SIZE:
            raise InvalidParameter(f"unknown option {name} for --storage-opt: there is size")
    text = next(iter(options.values()), None)
    if text is None:
        return None
    size = parse_size(text)
    if size == 0:
        raise InvalidParameter(f"--storage-opt size={text}: the size must be above zero")
    return size
