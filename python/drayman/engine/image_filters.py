"""The filters of ``GET /images/json``."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from drayman.engine import image_references, moments
from drayman.errors import InvalidParameter
from drayman.model.image import Image
from drayman.storage.image_config import seconds_of

_ACCEPTED = frozenset(("before", "dangling", "label", "label!", "reference", "since", "until"))
_TRUE, _FALSE = ("1", "true"), ("0", "false")


def choose(
    images: list[Image], filters: dict[str, list[str]], find: Callable[[str], Image]
) -> list[Image]:
    """The images that every filter lets through; with ``reference``, only the names it
    matches are left on them. ``find`` knows the images that ``before`` and ``since`` name.

    Raises InvalidParameter for an unknown filter or value, NotFound for an unknown image.
    """
    for key in filters:
        if key not in _ACCEPTED:
            raise InvalidParameter(f"invalid filter '{key}'")
    for name in filters.get("before", ()):
        limit = seconds_of(find(name).created)
        images = [image for image in images if seconds_of(image.created) < limit]
    for name in filters.get("since", ()):
        limit = seconds_of(find(name).created)
        images = [image for image in images if seconds_of(image.created) > limit]
    for text in filters.get("until", ()):
        limit_ns = moments.parse_ns(text, time.time_ns())
        images = [image for image in images if seconds_of(image.created) * 1_000_000_000 < limit_ns]
    if filters.get("dangling"):
        dangling = _flag(filters["dangling"])
        images = [image for image in images if dangling is not bool(image.tags)]
    for wanted in filters.get("label", ()):
        images = [image for image in images if _has_label(image, wanted)]
    for unwanted in filters.get("label!", ()):
        images = [image for image in images if not _has_label(image, unwanted)]
    if filters.get("reference"):
        images = _named(images, filters["reference"])
    return images


def _named(images: list[Image], patterns: list[str]) -> list[Image]:
    def fits(name: str) -> bool:
        return any(image_references.matches(pattern, name) for pattern in patterns)

    left = (
        replace(
            image,
            tags=[tag for tag in image.tags if fits(tag)],
            digests=[digest for digest in image.digests if fits(digest)],
        )
        for image in images
    )
    return [image for image in left if image.tags or image.digests]


def _flag(values: list[str]) -> bool:
    value = values[0].lower()
    if len(set(values)) != 1 or value not in (*_TRUE, *_FALSE):
        raise InvalidParameter(f"invalid filter 'dangling={values}'")
    return value in _TRUE


def _has_label(image: Image, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    labels = image.config.labels or {}
    return key in labels and (not equals or labels[key] == value)
