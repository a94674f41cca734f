"""What fuzzing begins with beside the usual forms: each archive that the tests of hostile ones put.

`python -m tests.engine.fuzz_seeds` writes them anew, `test_fuzz_seeds` sees that they are there.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import zstandard
from tests.engine.raw_tars import END, entry, long_name, pax, record
from tests.engine.test_hostile_tars import FIRST, REFUSED, TAKEN, WINDOW_OF_TWO_GIGABYTES

SEEDS = Path(__file__).resolve().parents[2] / "native/fuzz/seeds"
# As much as packaging/fuzz.sh has the fuzzer try.
INPUT_LIMIT_BYTES = 8192
# What the first byte says to the target `unpack`: sums are made right, or the body is as it is.
SEALED, AS_IT_IS = b"\0", b"\x08"
DEEP = b"n/" * 1500 + b"x"


def seeds() -> dict[Path, bytes]:
    """Each seed by its file."""
    tars = {
        name: FIRST + archive + END
        for name, (archive, *_) in (REFUSED | TAKEN).items()
        if len(archive) < INPUT_LIMIT_BYTES - 4 * len(END)
    }
    tars["deep as PAX"] = pax(record(b"path", DEEP)) + entry("x") + END
    tars["deep as GNU"] = long_name(DEEP) + entry("x") + END
    tars["ends early"] = FIRST + entry("second", bytes(2000))[:700]
    bomb = FIRST + entry("bomb", bytes(2 << 20)) + END
    bodies = {
        "gzip bomb": gzip.compress(bomb, mtime=0),
        "zstd bomb": zstandard.compress(bomb),
        "window of two gigabytes": WINDOW_OF_TWO_GIGABYTES,
        "gzip ends early": gzip.compress(FIRST, mtime=0)[:-9],
    }
    return {
        **{_file("tar", name): b"\x40" + tar for name, tar in tars.items()},
        **{_file("unpack", name): SEALED + tar for name, tar in tars.items()},
        **{_file("unpack", name): AS_IT_IS + body for name, body in bodies.items()},
    }


def _file(target: str, name: str) -> Path:
    return SEEDS / target / ("hostile-" + re.sub("[^a-z0-9]+", "-", name.lower()))


if __name__ == "__main__":
    for path, seed in seeds().items():
        path.write_bytes(seed)
