"""A client's memory of its containers, by which an engine that was killed is judged.

A `Box` knows what each answer promised: after an operation whose answer came, one status is
possible; after one whose answer was cut off by a kill, the status before and the one after.
"""

from __future__ import annotations

import http.client
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.engines import EngineServer

# Of one client.
BOXES_FEW, BOXES_MAX = 3, 6
TERM_CODE = 5
KILLED_CODE = 137
# Ends by itself with a code of its own, or when it is asked to, and then with another.
STEADY = f"trap 'exit {TERM_CODE}' TERM; sleep 1000 & wait"
BRIEF = "sleep {seconds}; exit {code}"

Answer = tuple[int, Any]

RUNNING, PAUSED, EXITED, CREATED, GONE = "running", "paused", "exited", "created", "gone"

# What a client may ask: in which statuses it asks, and what follows.
ASKED: dict[str, tuple[tuple[str, ...], str | None]] = {
    "start": ((CREATED, EXITED), RUNNING),
    "stop": ((RUNNING,), EXITED),
    "kill": ((RUNNING, PAUSED), EXITED),
    "restart": ((RUNNING, EXITED), RUNNING),
    "pause": ((RUNNING,), PAUSED),
    "unpause": ((PAUSED,), RUNNING),
    "rename": ((CREATED, RUNNING, PAUSED, EXITED), None),
    "exec": ((RUNNING,), None),
    "remove": ((CREATED, RUNNING, PAUSED, EXITED), GONE),
}
# How a run ends that a client ends. A stop may come before the program listens to it.
CODES = {
    "stop": {TERM_CODE, KILLED_CODE},
    "kill": {KILLED_CODE},
    "restart": {TERM_CODE, KILLED_CODE},
}


@dataclass
class Box:
    """One container, as its client knows it."""

    name: str
    # The code that it ends with by itself; None for one that does not.
    code: int | None
    policy: str
    rm: bool
    bridged: bool
    id: str = ""
    statuses: set[str] = field(default_factory=lambda: {GONE, CREATED})
    names: set[str] = field(default_factory=set)
    codes: set[int] = field(default_factory=set)
    # The pid and the start of the run that must go on; None when another may have begun.
    run: tuple[int, str] | None = None
    # Those whose start was answered, and the codes they end with.
    execs: dict[str, int] = field(default_factory=dict)
    # The run whose shim was killed: whatever was under way may have failed.
    hurt: tuple[int, str] | None = None
    # A client asked it to end, so a policy may be silent.
    stopped: bool = False
    # It was the next engine that was asked.
    late: bool = False

    @property
    def steady(self) -> bool:
        """Whether it runs until somebody ends it."""
        return self.code is None

    @property
    def body(self) -> dict[str, Any]:
        """What it is created of."""
        script = STEADY if self.steady else BRIEF.format(seconds=0.03, code=self.code)
        limit = 1 if self.policy == "on-failure" else 0
        return {
            "Image": "busybox",
            "Cmd": ["sh", "-c", script],
            "HostConfig": {
                "NetworkMode": "bridge" if self.bridged else "none",
                "AutoRemove": self.rm,
                "RestartPolicy": {"Name": self.policy, "MaximumRetryCount": limit},
            },
        }


def draw(chosen: random.Random, name: str) -> Box:
    """A container of some kind."""
    steady = chosen.random() < 0.7
    rm = chosen.random() < 0.15
    policies = ("no", "no", "always", "unless-stopped") if steady else ("no", "on-failure")
    return Box(
        name=name,
        code=None if steady else chosen.choice((0, 3, 42)),
        policy="no" if rm else chosen.choice(policies),
        rm=rm,
        bridged=chosen.random() < 0.3,
    )


class Client:
    """Works on boxes of its own, one request after the other, until it is told to stop."""

    def __init__(self, engine: EngineServer, chosen: random.Random, number: int) -> None:
        self._engine = engine
        self._chosen = chosen
        self._number = number
        self._made = 0
        self._is_enough: Callable[[], bool] = bool
        self.boxes: list[Box] = []

    def work(self, is_enough: Callable[[], bool]) -> None:
        """Do what comes to mind."""
        self._is_enough = is_enough
        while not is_enough():
            few = len(self.boxes) < BOXES_FEW
            if few or (len(self.boxes) < BOXES_MAX and self._chosen.random() < 0.2):
                self._made += 1
                box = draw(self._chosen, f"box{self._number}x{self._made}")
                self._create(box)
            else:
                box = self._chosen.choice(self.boxes)
                self._operate(box)
            box.late = is_enough()

    def _create(self, box: Box) -> None:
        box.names = {box.name}
        self.boxes.append(box)
        answer = self._ask("POST", f"/containers/create?name={box.name}", box.body)
        if answer is not None:
            assert answer[0] == 201, (box, answer)
            box.id, box.statuses = answer[1]["Id"], {CREATED}

    def _operate(self, box: Box) -> None:
        if len(box.statuses) != 1 or box.statuses == {GONE} or box.hurt:
            return
        (now,) = box.statuses
        verb = self._chosen.choice([verb for verb in ASKED if now in ASKED[verb][0]])
        after = ASKED[verb][1] or now
        # Until the answer comes, either may be.
        box.statuses = {now, after}
        box.codes |= CODES.get(verb, set())
        if verb == "restart":
            # It is stopped first.
            box.statuses = {now, EXITED, RUNNING}
        if EXITED in box.statuses and box.rm:
            box.statuses |= {GONE}
        if verb == "remove":
            # It is killed first.
            box.statuses = {now, GONE} if now == CREATED else {now, EXITED, GONE}
            box.codes |= {KILLED_CODE}
        if verb in ("stop", "kill", "remove"):
            box.stopped = True
        if verb in ("start", "stop", "kill", "restart", "remove"):
            box.run = None
            box.execs = {}
        answer = self._request(verb, box)
        if answer is None or box.hurt:
            return
        if self._is_enough():
            # The next engine was asked, which may start it by itself at the same time.
            return
        assert answer[0] in (200, 201, 204), (verb, box, answer)
        if verb in ("start", "restart"):
            box.stopped = False
            self._started(box)
        elif verb in CODES:
            box.statuses = {EXITED, GONE} if box.rm else {EXITED}
            box.codes = CODES[verb]
        elif not box.statuses <= {EXITED, GONE}:
            box.statuses = {after}

    def _started(self, box: Box) -> None:
        """Remember which run it is that must go on."""
        if not box.steady:
            assert box.code is not None
            # It has ended, or will any moment.
            box.statuses, box.codes = (
                {RUNNING, EXITED, GONE} if box.rm else {RUNNING, EXITED},
                {box.code},
            )
            return
        box.statuses, box.codes = {RUNNING}, set()
        answer = self._ask("GET", f"/containers/{box.id}/json")
        if answer is not None and not box.hurt:
            box.run = (answer[1]["State"]["Pid"], answer[1]["State"]["StartedAt"])

    def _request(self, verb: str, box: Box) -> Answer | None:
        path = f"/containers/{box.id}"
        match verb:
            case "rename":
                self._made += 1
                name = f"{box.name}x{self._made}"
                box.names.add(name)
                answer = self._ask("POST", f"{path}/rename?name={name}")
                if answer is not None:
                    box.names = {name}
                return answer
            case "exec":
                return self._exec(box)
            case "remove":
                return self._ask("DELETE", f"{path}?force=1&v=1")
            case "stop" | "restart":
                return self._ask("POST", f"{path}/{verb}?t=1")
        return self._ask("POST", f"{path}/{verb}")

    def _exec(self, box: Box) -> Answer | None:
        code = self._chosen.randrange(3, 9)
        seconds = self._chosen.choice((0, 0.05, 1000))
        command = {"Cmd": ["sh", "-c", f"sleep {seconds}; exit {code}"]}
        made = self._ask("POST", f"/containers/{box.id}/exec", command)
        if made is None or made[0] != 201:
            return made
        answer = self._ask("POST", f"/exec/{made[1]['Id']}/start", {"Detach": True})
        if answer is not None and answer[0] == 404 and self._is_enough():
            # Made in the memory of the engine that died, as Docker's are.
            return None
        if answer is not None and answer[0] == 200:
            box.execs[made[1]["Id"]] = code
        return answer

    def _ask(self, method: str, path: str, body: Any = None) -> Answer | None:
        """The answer; None when the engine died over it."""
        try:
            return self._engine.api(method, path, body)
        except (ConnectionError, http.client.HTTPException):
            return None


def shim_of(engine: EngineServer, box: Box) -> int | None:
    """The pid of a box's shim, when one is sure to hold it."""
    if box.run is None or not box.statuses <= {RUNNING, PAUSED}:
        return None
    try:
        parent = int(Path(f"/proc/{box.run[0]}/stat").read_text().rpartition(")")[2].split()[1])
        command = Path(f"/proc/{parent}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    mine = b"drayman-shim" in command and str(engine.place).encode() in command
    return parent if mine else None
