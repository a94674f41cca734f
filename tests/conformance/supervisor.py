"""Keep an engine running on a socket of ours, as systemd would: ``supervisor.py PLACE -- ARG…``.

The socket ``PLACE/d.sock`` stays bound while engines come and go, so a client that connects
meanwhile waits instead of being refused. SIGUSR1 kills the engine (SIGKILL) and starts another,
then writes its number to ``PLACE/generation``; SIGTERM ends it in order and leaves.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

# Where systemd hands over the first socket.
FIRST_SOCKET = 3


def start(listener: socket.socket, place: Path, arguments: list[str]) -> int:
    """Start an engine on the socket; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    log = os.open(place / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(listener.fileno(), FIRST_SOCKET)
    # It may have that number already, and then stays close-on-exec.
    os.set_inheritable(FIRST_SOCKET, True)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execv(sys.executable, [sys.executable, "-m", "drayman", "serve", "-H", "fd://", *arguments])


def main() -> None:
    """Serve signals until SIGTERM."""
    place = Path(sys.argv[1])
    arguments = sys.argv[sys.argv.index("--") + 1 :]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place / "d.sock"))
    listener.listen(128)
    watched = {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    generation = 1
    engine = start(listener, place, arguments)
    (place / "supervisor.pid").write_text(str(os.getpid()))
    while True:
        received = signal.sigwait(watched)
        if received == signal.SIGCHLD:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == engine:
                sys.exit(f"the engine ended by itself: {os.waitstatus_to_exitcode(status)}")
        elif received == signal.SIGUSR1:
            os.kill(engine, signal.SIGKILL)
            os.waitpid(engine, 0)
            engine = start(listener, place, arguments)
            generation += 1
            (place / "generation.new").write_text(str(generation))
            (place / "generation.new").rename(place / "generation")
        else:
            os.kill(engine, signal.SIGTERM)
            status = os.waitpid(engine, 0)[1]
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
