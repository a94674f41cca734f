"""The driver `journald`, read back by journalctl from a journald of the test's own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.engine.engines import until
from tests.engine.shims import Place, scene

# In a mount namespace where all that it writes to lies below the two directories given.
SCRIPT = """
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log || exit
mkdir -p /run/systemd/journal /run/log/journal
mount --bind "$0/socket" /run/systemd/journal && mount --bind "$0/log" /run/log/journal || exit
exec /lib/systemd/systemd-journald
"""


@contextlib.contextmanager
def journald(place: Path) -> Iterator[Path]:
    """Its socket; what it got lies in ``place/log``."""
    for name in ("socket", "log"):
        (place / name).mkdir(parents=True)
    command = ["unshare", "-m", "sh", "-c", SCRIPT, str(place)]
    with subprocess.Popen(command) as process:
        try:
            until((place / "socket/socket").exists, "journald does not listen")
            yield place / "socket/socket"
        finally:
            process.send_signal(signal.SIGTERM)


def entries(place: Path) -> list[dict[str, Any]]:
    command = ["journalctl", "-D", str(place / "log"), "-o", "json", "--all", "CONTAINER_NAME=box"]
    done = subprocess.run(command, capture_output=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


@scene
async def test_the_journal_has_it(place: Place) -> None:
    # A socket's path is short.
    with tempfile.TemporaryDirectory(prefix="dmj-") as short, journald(Path(short)) as socket:
        where = Path(short)
        fields = {"CONTAINER_NAME": "box", "SYSLOG_IDENTIFIER": "t", "NOTE": "two\nlines"}
        # More than a datagram holds, so that it goes in a file.
        fields["LARGE"] = "v" * 300_000
        script = "echo out; echo err >&2; head -c 20000 /dev/zero | tr '\\0' x; echo"
        box = place.box("sh", "-c", script, delivery={
            "receiver": {"driver": "journald", "socket": str(socket), "fields": fields},
            "container_id": "c" * 64, "queue_bytes": 1 << 20, "may_lose": False,
        })  # fmt: skip
        await box.spawn()
        await box.shim.start()
        await box.shim.closed
        until(lambda: len(entries(where)) == 4, lambda: str(entries(where))[:2000])
        told = entries(where)
    by_text = {entry["MESSAGE"]: entry for entry in told}
    assert {by_text["out"]["PRIORITY"], by_text["err"]["PRIORITY"]} == {"6", "3"}
    assert {entry["SYSLOG_IDENTIFIER"] for entry in told} == {"t"}
    assert {entry["NOTE"] for entry in told} == {"two\nlines"}
    assert {len(entry["LARGE"]) for entry in told} == {300_000}
    first, last = by_text["x" * 16384], by_text["x" * (20000 - 16384)]
    assert (first["CONTAINER_PARTIAL_MESSAGE"], first["CONTAINER_PARTIAL_LAST"]) == (
        "true",
        "false",
    )
    assert "CONTAINER_PARTIAL_MESSAGE" not in last
    assert first["CONTAINER_PARTIAL_ID"] == last["CONTAINER_PARTIAL_ID"]
    assert sorted(int(entry["CONTAINER_LOG_ORDINAL"]) for entry in told) == [1, 2, 3, 4]
    assert box.logged("stderr") == "err\n"
