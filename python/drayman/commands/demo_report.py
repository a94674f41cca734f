"""The demo's table: a line a step, growing while one looks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import msgspec
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Column, Table

T = TypeVar("T")


class Amount(msgspec.Struct, frozen=True):
    """How much was done: so many bytes (the unit is empty), files, lines or what else counts."""

    number: int
    unit: str = ""

    def words(self) -> str:
        """The number, for people."""
        return f"{self.number:,} {self.unit}" if self.unit else f"{self.number / 1e6:,.0f} MB"

    def rate(self, seconds: float) -> str:
        """The same in a second."""
        if self.unit:
            return f"{self.number / seconds:,.0f} /s"
        return f"{self.number / 1e6 / seconds:,.0f} MB/s"


class Report:
    """The table, shown from `with` on."""

    def __init__(self, console: Console) -> None:
        self._table = Table(
            Column("docker …", no_wrap=True),
            *(
                Column(title, justify="right", no_wrap=True)
                for title in ("how much", "time", "rate")
            ),
            box=box.SIMPLE_HEAD,
        )
        self._console = console
        self._live = Live(self._table, console=console, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        self._console.print(self._table)

    def measure(
        self,
        what: str,
        work: Callable[[], T],
        amount: Callable[[T], Amount] | None = None,
        *,
        note: str = "",
        times: int = 1,
    ) -> T:
        """Do the work under a spinner and add its line, with the median of several times;
        what it answered. ``amount`` tells from that how much was done; where nothing can be
        counted, ``note`` stands in its place."""
        self._live.update(Group(self._table, Spinner("dots", what)))
        took = []
        for _ in range(times):
            begun = time.perf_counter()
            answer = work()
            took.append(time.perf_counter() - begun)
        seconds = statistics.median(took)
        if amount is not None:
            done = amount(answer)
            words, rate = done.words(), done.rate(seconds)
        else:
            words, rate = note or (f"median of {times}" if times > 1 else ""), ""
        self._table.add_row(what, words, f"{seconds * 1000:,.0f} ms", rate)
        return answer
