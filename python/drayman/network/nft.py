"""nftables in this process: libnftables by ctypes, a sixth of the time of the `nft` program."""

from __future__ import annotations

import ctypes
import json
import socket
import threading
from typing import Any

from drayman.errors import System, Unavailable

_LIBRARY = "libnftables.so.1"
# nftables/libnftables.h: NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE. With JSON output the
# library takes commands as JSON and as text alike.
_OUTPUT_JSON = 1 << 4
_OUTPUT_HANDLE = 1 << 3
# linux/netlink.h, which Python's socket module does not name.
_NETLINK_NETFILTER = 12


class Nftables:
    """Runs transactions: all of one succeeds, or none of it. Safe to share among threads."""

    def __init__(self) -> None:
        self._library = _load()
        require_kernel()
        self._lock = threading.Lock()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise System("nftables: no context")
        self._library.nft_ctx_output_set_flags(self._context, _OUTPUT_JSON | _OUTPUT_HANDLE)
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> str:
        """Carry out commands of nft's language; what they print, as JSON.

        Raises System with the library's words when the transaction is refused.
        """
        with self._lock:
            failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
            printed = self._library.nft_ctx_get_output_buffer(self._context) or b""
            said = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            raise System(f"nftables: {_first_line(said.decode(errors='replace'))}")
        return str(printed.decode())

    def list(self, what: str) -> list[dict[str, Any]]:
        """The objects that ``list WHAT`` shows, each a one-key dict (``{"chain": …}``)."""
        printed = self.run(f"list {what}")
        objects: list[dict[str, Any]] = json.loads(printed)["nftables"] if printed else []
        return [one for one in objects if "metainfo" not in one]

    def exists(self, what: str) -> bool:
        """Whether an object (``table ip nat``) is there."""
        try:
            self.run(f"list {what}")
        except System:
            return False
        return True


def require_kernel() -> None:
    """Raise Unavailable when this kernel has no netfilter to talk to, nor loads it when asked;
    the library would end the process."""
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER).close()
    except OSError as error:
        raise Unavailable(
            f"publishing ports and NAT need nf_tables, which this kernel lacks ({error.strerror}): "
            "load it (modprobe nf_tables nfnetlink), or choose networks none and host"
        ) from None


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise Unavailable(
            f"publishing ports and NAT need {_LIBRARY}, which this host lacks ({error}): "
            "install the package libnftables1 (Debian, Ubuntu) or nftables"
        ) from None
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
        getattr(library, name).restype = ctypes.c_char_p
    return library


def _first_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[0] if lines else "refused without a word"
