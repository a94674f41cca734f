"""Commands that cannot be run: what they say, by Docker's words, and the code."""

from __future__ import annotations

import time

import pytest
from tests.engine.engines import EngineServer, until

# Linux: no argument of a process may be longer, and all of them together not much longer.
LONGEST_BYTES = 128 << 10


@pytest.fixture(scope="module")
def box(engine_server: EngineServer) -> str:
    box = engine_server.running()
    script = (
        "mkdir /dir; echo 'no program' >/plain; chmod 644 /plain;"
        "printf '#!/nowhere/sh\n' >/orphan; chmod 755 /orphan;"
        "printf 'MZ no format' >/garbage; chmod 755 /garbage;"
        # An ELF head of a machine that this one is not.
        r"printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\363\0\1\0\0\0' >/foreign;"
        "head -c 4096 /dev/zero >>/foreign; chmod 755 /foreign"
    )
    engine_server.docker("exec", box, "sh", "-c", script)
    return box


ERRORS = [
    (["nothere"], {}, 127, "executable file not found in $PATH"),
    (["/nothere"], {}, 127, "no such file or directory"),
    (["/plain"], {}, 126, "permission denied"),
    (["/dir"], {}, 126, "is a directory"),
    (["/orphan"], {}, 127, "no such file or directory"),
    (["/garbage"], {}, 128, "exec format error"),
    (["/foreign"], {}, 128, "exec format error"),
    (["pwd"], {"WorkingDir": "/plain"}, 126, "not a directory"),
    # Made for a first process, by runc as by us, and not for an exec.
    (["pwd"], {"WorkingDir": "/none"}, 127, "no such file or directory"),
    (["echo", "x" * (LONGEST_BYTES + 1)], {}, 128, "argument list too long"),
    (["echo", *(["x" * 1000] * 2100)], {}, 128, "argument list too long"),
]


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize(("command", "more", "code", "text"), ERRORS)
def test_it_says_why(
    engine_server: EngineServer,
    box: str,
    command: list[str],
    more: dict[str, str],
    code: int,
    text: str,
    attached: bool,
) -> None:
    asked = {"Cmd": command, "AttachStdout": True, "AttachStderr": True, **more}
    status, answer = engine_server.api("POST", f"/containers/{box}/exec", asked)
    assert status == 201, answer
    start = f"/exec/{answer['Id']}/start"
    if attached:
        connection, head = engine_server.hijack(start, {})
        said = head
        with connection:
            while part := connection.recv(65536):
                said += part
        assert text.encode() in said
        assert said.endswith(b"\r\n")
    else:
        status, failure = engine_server.api("POST", start, {"Detach": True})
        # What is the command's fault is 400, what the host says of it 500.
        assert status == (500 if code == 128 else 400)
        assert text in failure["message"]
    document = engine_server.api("GET", f"/exec/{answer['Id']}/json")[1]
    assert (document["ExitCode"], document["Running"]) == (code, False)


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("nobodyhere", "unable to find user nobodyhere"),
        ("0:nogroup", "unable to find group nogroup"),
    ],
)
def test_who_is_unknown(engine_server: EngineServer, box: str, user: str, text: str) -> None:
    asked = {"Cmd": ["true"], "User": user}
    status, answer = engine_server.api("POST", f"/containers/{box}/exec", asked)
    assert (status, text in answer["message"]) == (400, True)


def test_a_child_that_keeps_the_output_is_not_waited_for(
    engine_server: EngineServer, box: str
) -> None:
    began = time.monotonic()
    done = engine_server.docker("exec", box, "sh", "-c", "sleep 30 & echo told; exit 4", code=4)
    assert done.stdout == b"told\n"
    assert 1 < time.monotonic() - began < 10
    until(lambda: engine_server.state(box)["Running"])
