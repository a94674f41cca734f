"""A classic BPF interpreter: what the kernel would answer to a system call."""

from __future__ import annotations

import ctypes
import struct
import sys

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
KILL = 0x00000000

# AUDIT_ARCH_* of linux/audit.h
X86_64 = 0xC000003E
I386 = 0x40000003
AARCH64 = 0xC00000B7
X32_BIT = 1 << 30

_LOAD, _AND, _JUMP, _RETURN = 0x20, 0x54, 0x05, 0x06
_TESTS = {
    0x15: lambda a, k: a == k,
    0x25: lambda a, k: a > k,
    0x35: lambda a, k: a >= k,
    0x45: lambda a, k: a & k != 0,
}


def run(program: bytes, arch: int, number: int, *arguments: int) -> int:
    """The filter's answer (``SECCOMP_RET_*`` with its data) to one call."""
    padded = [argument & (2**64 - 1) for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    data = struct.pack("=IIQ6Q", number, arch, 0, *padded)
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == _LOAD:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif code == _AND:
            accumulator &= operand
        elif code == _JUMP:
            at += operand
        elif code == _RETURN:
            return int(operand)
        else:
            at += if_true if _TESTS[code](accumulator, operand) else if_false


def allowed(program: bytes, arch: int, number: int, *arguments: int) -> bool:
    """Whether the call would be made."""
    return run(program, arch, number, *arguments) == ALLOW


class Names:
    """Numbers of calls by name, from the libseccomp that the extension uses."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2")
        self._library.seccomp_syscall_resolve_name_arch.argtypes = (
            ctypes.c_uint32,
            ctypes.c_char_p,
        )

    def number(self, name: str, arch: int = X86_64) -> int:
        """The number of a call, which the architecture must have."""
        found = int(self._library.seccomp_syscall_resolve_name_arch(arch, name.encode()))
        assert found >= 0, f"{name} is unknown on {arch:#x}"
        return found


assert sys.byteorder == "little", "the programs of these tests are made for such hosts"
