"""Headers that every answer of the API carries."""

from __future__ import annotations

import time
from email.utils import formatdate
from importlib import metadata

from drayman.api import versions

Headers = list[tuple[bytes, bytes]]

try:
    PRODUCT = f"Drayman/{metadata.version('drayman')} (linux)"
except metadata.PackageNotFoundError:  # run from a source tree
    PRODUCT = "Drayman (linux)"

_FIXED: Headers = [
    (b"api-version", versions.NEWEST.encode()),
    (b"docker-experimental", b"false"),
    (b"ostype", b"linux"),
    (b"server", PRODUCT.encode()),
]


class _Dated:
    """The headers of one second, so that the date is not written anew for each answer."""

    second = -1
    headers: Headers = _FIXED


def common() -> Headers:
    """The headers, dated now; the list is shared and must not be changed."""
    now = int(time.time())
    if now != _Dated.second:
        date = formatdate(now, usegmt=True).encode()
        _Dated.second, _Dated.headers = now, [*_FIXED, (b"date", date)]
    return _Dated.headers
