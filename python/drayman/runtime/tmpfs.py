"""Options of a tmpfs, as ``--tmpfs`` and ``--mount type=tmpfs`` write them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from drayman.errors import InvalidParameter
from drayman.model.mount import Mount

# What every tmpfs has unless its options say the contrary.
_BASE = ("noexec", "nosuid", "nodev", "rprivate")
# Words of one pair are one setting: the last one given counts.
_PAIRS = (
    ("ro", "rw"), ("exec", "noexec"), ("suid", "nosuid"), ("dev", "nodev"),
    ("atime", "noatime"), ("diratime", "nodiratime"), ("relatime", "norelatime"),
    ("strictatime", "nostrictatime"), ("sync", "async"), ("mand", "nomand"),
    ("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"),
    ("bind",), ("rbind",), ("remount",), ("dirsync",),
)  # fmt: skip
_SETTING = {word: pair[0] for pair in _PAIRS for word in pair}
_VALUED = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol")


def validate_destination(target: str) -> None:
    """Check where something is to be mounted. Raises InvalidParameter."""
    if not target.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{target}' mount path must be absolute")
    if posixpath.normpath(target).lstrip("/") == "":
        raise InvalidParameter("invalid specification: destination can't be '/'")


def merge(words: str | Iterable[str]) -> list[str]:
    """The mount options of a tmpfs: ours, then those given (``rw,size=64m``), the last one
    of a kind counting. Raises InvalidParameter for one that a tmpfs does not take."""
    given = words.split(",") if isinstance(words, str) else words
    chosen: dict[str, str] = {}
    for word in (*_BASE, *given):
        if word in ("", "defaults"):
            continue
        name, separator, _ = word.partition("=")
        setting = _SETTING.get(word) or (name if separator and name in _VALUED else None)
        if setting is None:
            shown = " ".join([name, word[len(name) + 1 :]] if separator else [name])
            raise InvalidParameter(f'Invalid tmpfs option ["{shown}"]')
        chosen.pop(setting, None)
        chosen[setting] = word
    return list(chosen.values())


def options_of(mount: Mount) -> list[str]:
    """The mount options of an entry of ``HostConfig.Mounts``. Raises InvalidParameter."""
    words: list[str] = ["ro"] if mount.read_only else []
    options = mount.tmpfs_options
    if options is not None:
        if options.size_bytes < 0:
            raise InvalidParameter("size must be positive")
        if options.mode:
            words.append(f"mode={options.mode:o}")
        if options.size_bytes:
            words.append(f"size={options.size_bytes}")
        for option in options.options or ():
            if len(option) not in (1, 2):
                raise InvalidParameter("invalid option array length")
            words.append("=".join(option))
    return merge(words)
