"""What stands against removing an image, in Docker's words (moby, images/image_delete.go)."""

from __future__ import annotations

from collections.abc import Sequence

from drayman.errors import Conflict
from drayman.model.container import Container
from drayman.model.image import Image

# Of an id, as people see it.
SHORT_ID_CHARACTERS = 12


def short(any_id: str) -> str:
    """The beginning of an id."""
    return any_id.removeprefix("sha256:")[:SHORT_ID_CHARACTERS]


def is_id_prefix(image: Image, name: str) -> bool:
    """Whether a client named the image by its id rather than by one of its names."""
    return image.id.startswith(name) or image.id.removeprefix("sha256:").startswith(name)


def one_name(image: Image) -> bool:
    """Whether all its names are of one repository, with one tag at most."""
    if len(image.tags) + len(image.digests) <= 1:
        return bool(image.tags or image.digests)
    repositories = {digest.partition("@")[0] for digest in image.digests}
    if len(image.tags) > 1 or len(repositories) != 1:
        return False
    return not image.tags or image.tags[0].rpartition(":")[0] in repositories


def refuse_untagging(image: Image, name: str, users: Sequence[Container]) -> None:
    """Conflict when the last name of an image in use is to go without force."""
    if users and one_name(image):
        raise Conflict(
            f'conflict: unable to remove repository reference "{name}" (must force) - container'
            f" {short(users[0].id)} is using its referenced image {short(image.id)}"
        )


def refuse_deletion(
    image: Image, users: Sequence[Container], *, force: bool, names_matter: bool = True
) -> None:
    """Conflict when a running container uses the image, or, without force, a stopped one
    does or it has more names than go with it."""
    for user in users:
        if user.state.running:
            _refuse(
                image,
                "cannot be forced",
                f"image is being used by running container {short(user.id)}",
            )
    if force:
        return
    if names_matter and (image.tags or image.digests):
        _refuse(image, "must be forced", "image is referenced in multiple repositories")
    for user in users:
        _refuse(
            image, "must be forced", f"image is being used by stopped container {short(user.id)}"
        )


def _refuse(image: Image, how: str, why: str) -> None:
    raise Conflict(f"conflict: unable to delete {short(image.id)} ({how}) - {why}")
