"""The fuzzer's seeds: one for each kind of archive that no one should send."""

from __future__ import annotations

from tests.engine.fuzz_seeds import AS_IT_IS, INPUT_LIMIT_BYTES, SEEDS, seeds


def test_each_hostile_archive_is_a_seed() -> None:
    written = {path: path.read_bytes() for path in SEEDS.glob("*/hostile-*")}
    due = seeds()
    assert set(written) == set(due), "run python -m tests.engine.fuzz_seeds"
    # Compressors differ from one version to the next.
    changed = {path for path in due if due[path] != written[path]}
    assert not {path for path in changed if not due[path].startswith(AS_IT_IS)}
    assert max(len(seed) for seed in written.values()) <= INPUT_LIMIT_BYTES
