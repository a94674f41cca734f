"""Run a command on a pseudo-terminal and talk with it: ``terminal.py [STEP…] -- COMMAND…``.

Steps, in order: ``size:ROWSxCOLUMNS``, ``expect:TEXT`` (wait for it in the output),
``send:TEXT`` (backslash escapes allowed). What the command printed goes to standard output; its
exit code becomes ours; 124 when an expectation was not met or the command did not end in time.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

LIMIT_S = 30


def main(arguments: list[str]) -> int:
    """Play the steps, then read on until the command ends."""
    split = arguments.index("--")
    steps, command = arguments[:split], arguments[split + 1 :]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    deadline = time.monotonic() + LIMIT_S
    seen = ""
    for step in steps:
        kind, _, text = step.partition(":")
        if kind == "size":
            rows, columns = map(int, text.split("x"))
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        elif kind == "send":
            os.write(terminal, text.encode().decode("unicode_escape").encode("latin-1"))
        elif kind == "expect":
            while text not in seen:
                piece = read(terminal, deadline)
                if piece is None:
                    print(f"\nterminal: {text!r} did not come", file=sys.stderr)
                    return 124
                seen += piece
            seen = seen.split(text, 1)[1]
    while read(terminal, deadline) is not None:
        pass
    if time.monotonic() > deadline:
        print("\nterminal: the command did not end", file=sys.stderr)
        return 124  # leaving hangs up on it
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read(terminal: int, deadline: float) -> str | None:
    """What the command prints next, also shown; None at its end or after the deadline."""
    ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
    try:
        piece = os.read(terminal, 65536) if ready else b""
    except OSError:  # EIO: the other side has closed
        piece = b""
    if not piece:
        return None
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return piece.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
