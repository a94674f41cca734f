"""A kill in the middle of a load leaves whole images, and nothing else after the next start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.images import busybox_archive
from tests.unit.image_world import World

from drayman.storage import temporary

LOADER = """
import sys
from pathlib import Path
from tests.unit.image_world import World
world = World(Path(sys.argv[1]))
content = Path(sys.argv[2]).read_bytes()
print("ready", flush=True)
sys.stdin.readline()
for number in range(1000):
    world.load(content)
    print("loaded", flush=True)
    world.run(lambda images: images.image_remove("busybox:1", force=False, prune=True))
    print("removed", flush=True)
"""


@pytest.mark.parametrize("kill_after_s", [0.005, 0.02, 0.05, 0.1])
def test_a_killed_load_leaves_whole_images_only(tmp_path: Path, kill_after_s: float) -> None:
    busybox_archive(tmp_path / "archive", "busybox:1", 2)
    with subprocess.Popen(
        [sys.executable, "-c", LOADER, str(tmp_path / "home"), str(tmp_path / "archive")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as loader:  # fmt: skip
        assert loader.stdin is not None
        assert loader.stdout is not None
        assert loader.stdout.readline() == "ready\n"
        loader.stdin.write("go\n")
        loader.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            loader.wait(kill_after_s)
        loader.kill()
        last = (loader.stdout.read().split() or [""])[-1]
    world = World(tmp_path / "home")
    temporary.clear(world.paths)
    world.run(lambda images: images.sweep())
    images = world.images.all()
    if last == "loaded":
        # The removal may have been done, and not told.
        assert len(images) <= 1
    for image in images:
        assert Path(world.images.lower(image.id)[2], "bin/busybox").exists()
        assert world.run(lambda all, id=image.id: all.image_history(id))
    live = {layer for image in images for layer in image.layer_ids}
    found = {place.name.removeprefix("init-") for place in world.paths.layers.iterdir()}
    assert found == live
    assert len(list(world.paths.blobs.iterdir())) == len(images)
    assert not list(world.paths.temporary.iterdir())
