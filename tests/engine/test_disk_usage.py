"""``GET /system/df``: what takes how much, and what could be freed."""

from __future__ import annotations

from tests import images
from tests.engine.engines import EngineServer

LOWER_BYTES, UPPER_BYTES, WRITTEN_BYTES = 100_000, 10_000, 1_000


def load_two_that_share(engine_server: EngineServer) -> None:
    lower = images.tar([("lower", bytes(LOWER_BYTES), 0o644)])
    upper = images.tar([("upper", bytes(UPPER_BYTES), 0o644)])
    for tag, layers in (("shared:one", [lower]), ("shared:two", [lower, upper])):
        files = images.docker_archive_files(layers, [tag], images.configuration(layers))
        engine_server.docker("load", stdin=images.docker_archive(files))


def test_what_is_shared_counts_once(engine_server: EngineServer) -> None:
    load_two_that_share(engine_server)
    _, usage = engine_server.api("GET", "/system/df?type=image&verbose=1")
    assert list(usage) == ["ImageUsage"]
    usage = usage["ImageUsage"]
    sizes = {tag: item for item in usage["Items"] for tag in item["RepoTags"]}
    busybox = sizes["busybox:latest"]["Size"]
    assert sizes["shared:one"]["Size"] == LOWER_BYTES
    assert sizes["shared:two"]["Size"] == LOWER_BYTES + UPPER_BYTES
    assert sizes["shared:two"]["SharedSize"] == LOWER_BYTES
    assert usage["TotalSize"] == busybox + LOWER_BYTES + UPPER_BYTES
    assert (usage["TotalCount"], usage["ActiveCount"]) == (3, 0)
    assert usage["Reclaimable"] == usage["TotalSize"]
    engine_server.create("true")
    _, used = engine_server.api("GET", "/system/df?type=image&verbose=0")
    assert used["ImageUsage"] == {
        "TotalCount": 3,
        "ActiveCount": 1,
        "TotalSize": busybox + LOWER_BYTES + UPPER_BYTES,
        "Reclaimable": LOWER_BYTES + UPPER_BYTES,
    }


def test_what_containers_and_volumes_take(engine_server: EngineServer) -> None:
    write = f"head -c {WRITTEN_BYTES} /dev/zero >/data/f; head -c {WRITTEN_BYTES} /dev/zero >/f"
    container = engine_server.create("sh", "-c", write, HostConfig={"Binds": ["kept:/data"]})
    engine_server.docker("start", "-a", container)
    _, usage = engine_server.api("GET", "/system/df?type=container&type=volume&verbose=true")
    containers, volumes = usage["ContainerUsage"], usage["VolumeUsage"]
    assert containers["TotalSize"] == containers["Reclaimable"] == WRITTEN_BYTES
    assert containers["ActiveCount"] == 0
    [volume] = volumes["Items"]
    assert volume["UsageData"] == {"Size": WRITTEN_BYTES, "RefCount": 1}
    assert (volumes["TotalSize"], volumes["Reclaimable"]) == (WRITTEN_BYTES, 0)
    engine_server.api("DELETE", f"/containers/{container}")
    _, usage = engine_server.api("GET", "/system/df?type=volume&verbose=true")
    assert usage["VolumeUsage"]["Reclaimable"] == WRITTEN_BYTES
    engine_server.api("DELETE", "/volumes/kept")


def test_the_docker_cli_reads_it(engine_server: EngineServer) -> None:
    shown = engine_server.docker("system", "df", "--format", "{{.Type}} {{.TotalCount}}").stdout
    assert shown.decode().splitlines()[-1] == "Build Cache 0"
    assert b"Images" in shown
