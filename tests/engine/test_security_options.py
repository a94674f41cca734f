"""What a container's processes are allowed to do, as docker run asks for it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.engine.engines import EngineServer

STATUS = "awk '/^(CapEff|NoNewPrivs|Seccomp):/ {print $2}' /proc/self/status"
CHOWN, NET_ADMIN = 1 << 0, 1 << 12


def run(engine: EngineServer, *options: str, script: str) -> list[str]:
    """The lines that a script says in a container of its own, whatever it ends with."""
    command = ("run", "--rm", "--network", "none", *options, "busybox", "sh", "-c", script)
    done = engine.docker(*command, code=None)
    return (done.stdout + done.stderr).decode().splitlines()


def status(engine: EngineServer, *options: str) -> tuple[int, bool, bool]:
    """Capabilities, no new privileges, seccomp's filter."""
    capabilities, privileges, seccomp = run(engine, *options, script=STATUS)
    return int(capabilities, 16), privileges == "1", seccomp == "2"


def test_capabilities(engine_server: EngineServer) -> None:
    default, privileges, seccomp = status(engine_server)
    assert (default & CHOWN, default & NET_ADMIN, privileges, seccomp) == (CHOWN, 0, False, True)
    changed, _, _ = status(engine_server, "--cap-add=NET_ADMIN", "--cap-drop=chown")
    assert changed == default & ~CHOWN | NET_ADMIN
    assert status(engine_server, "--cap-drop=ALL")[0] == 0
    assert status(engine_server, "--user=5")[0] == 0


def test_privileged(engine_server: EngineServer) -> None:
    capabilities, _, seccomp = status(engine_server, "--privileged")
    mine = Path("/proc/self/status").read_text().partition("CapBnd:")[2].split()[0]
    assert (capabilities, seccomp) == (int(mine, 16), False)
    told = run(engine_server, "--privileged", script="mount -t tmpfs x /tmp && ls /dev | wc -l")
    assert int(told[0]) >= len(os.listdir("/dev")) // 2


def test_no_new_privileges(engine_server: EngineServer) -> None:
    for option in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=1"):
        assert status(engine_server, f"--security-opt={option}")[1]
    assert not status(engine_server, "--security-opt=no-new-privileges=false")[1]


def test_seccomp(engine_server: EngineServer) -> None:
    assert not status(engine_server, "--security-opt=seccomp=unconfined")[2]
    profile = engine_server.place / "profile.json"
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    option = f"--security-opt=seccomp={profile}"
    told = run(engine_server, option, script="mkdir /x; touch /y && echo made")
    assert sorted(told) == ["made", "mkdir: can't create directory '/x': Function not implemented"]
    told = run(engine_server, option, "--privileged", script="mkdir /x")
    assert told == ["mkdir: can't create directory '/x': Function not implemented"]


def test_paths_of_the_system(engine_server: EngineServer) -> None:
    script = "cat /proc/keys | wc -c; echo x 2>&- >/proc/sys/kernel/domainname && echo writable"
    told = run(engine_server, script=script)
    assert (told[0], "writable" in told) == ("0", False)
    told = run(engine_server, "--security-opt=systempaths=unconfined", script=script)
    assert told[-1] == "writable"


def test_labels_mean_nothing_without_selinux(engine_server: EngineServer) -> None:
    for option in ("label=disable", "label=type:x", "label:user:x", "apparmor=unconfined"):
        assert run(engine_server, f"--security-opt={option}", script="echo on") == ["on"]


def test_a_root_that_cannot_be_written(engine_server: EngineServer) -> None:
    script = "touch /x; touch /dev/shm/x /v/x /t/x && echo made"
    told = run(engine_server, "--read-only", "-v=/v", "--tmpfs=/t", script=script)
    assert told == ["made", "touch: /x: Read-only file system"]


def test_users_and_their_groups(engine_server: EngineServer) -> None:
    script = "id -u; id -g; id -G"
    assert run(engine_server, "--user=5:6", "--group-add=7", script=script) == ["5", "6", "6 7"]
    assert run(engine_server, "--group-add=7", script=script)[2].split().count("7") == 1


def test_settings_of_the_kernel(engine_server: EngineServer) -> None:
    told = run(
        engine_server,
        *("--sysctl=net.ipv4.ip_forward=1", "--sysctl=kernel.shmmax=9999"),
        script="cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax",
    )
    assert told == ["1", "9999"]


@pytest.mark.parametrize(
    ("host_config", "told"),
    [
        ({"Sysctls": {"vm.swappiness": "1"}}, '"vm.swappiness" is not in a separate kernel'),
        ({"Sysctls": {"kernel/pid_max": "9"}}, '"kernel/pid_max" is not in a separate kernel'),
        ({"Sysctls": {"net/../vm/swappiness": "1"}}, '"net/../vm/swappiness" is not a name'),
        ({"Sysctls": {"kernel.hostname": "x"}}, 'conflicts with the OCI "hostname" field'),
        (
            {"Sysctls": {"net.core.somaxconn": "9"}, "NetworkMode": "host"},
            '"net.core.somaxconn" not allowed in host network namespace',
        ),
        (
            {"Sysctls": {"kernel.shmmax": "9"}, "IpcMode": "host"},
            '"kernel.shmmax" is not allowed in the hosts ipc namespace',
        ),
        (
            {"Sysctls": {"kernel.domainname": "x"}, "UTSMode": "host"},
            '"kernel.domainname" is not in a separate kernel namespace',
        ),
        ({"CapAdd": ["NOPE"]}, 'invalid CapAdd: unknown capability: "CAP_NOPE"'),
        ({"SecurityOpt": ["nope"]}, 'invalid --security-opt 1: "nope"'),
        ({"SecurityOpt": ["nope=1"]}, 'invalid --security-opt 2: "nope=1"'),
        ({"SecurityOpt": ["no-new-privileges=maybe"]}, "invalid --security-opt 2"),
    ],
)
def test_what_cannot_be_is_400(
    engine_server: EngineServer, host_config: dict[str, Any], told: str
) -> None:
    body = {"Image": "busybox", "HostConfig": host_config}
    status, answer = engine_server.api("POST", "/containers/create", body)
    assert (status, told in answer["message"]) == (400, True), answer


@pytest.mark.parametrize("profile", ["{nope", '{"defaultAction": 3}', '{"defaultAction": "NOPE"}'])
def test_a_profile_that_is_none(engine_server: EngineServer, profile: str) -> None:
    body = {"Image": "busybox", "HostConfig": {"SecurityOpt": [f"seccomp={profile}"]}}
    status, answer = engine_server.api("POST", "/containers/create", body)
    if status == 201:
        # It is read when it is used, as by Docker.
        status, answer = engine_server.api("POST", f"/containers/{answer['Id']}/start")
    assert (status, "seccomp" in answer["message"]) == (400, True), answer
