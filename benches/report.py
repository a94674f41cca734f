"""``python -m benches.report RUN.json``: the table and the picture of one run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

OURS = "drayman"


def load(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Benches by group, then by who was measured."""
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for bench in json.loads(path.read_text())["benchmarks"]:
        who = (bench.get("params") or {}).get("engine") or bench["name"].removeprefix("bench_")
        groups.setdefault(bench["group"], {})[who] = bench
    return groups


def table(groups: dict[str, dict[str, dict[str, Any]]]) -> Table:
    """Medians in milliseconds and how many times faster we are."""
    result = Table("work", "who", "median", "peer ÷ ours", title="Medians of one run")
    for group, benches in groups.items():
        ours = benches.get(OURS)
        for who, bench in benches.items():
            median = bench["stats"]["median"]
            ratio = f"{median / ours['stats']['median']:.2f}" if ours and who != OURS else ""
            result.add_row(group, who, f"{median * 1000:,.1f} ms", ratio)
            for name, value in bench["extra_info"].items():
                result.add_row("", f"  {name}", f"{value:,.0f}", "")
    return result


def draw(groups: dict[str, dict[str, dict[str, Any]]], path: Path) -> None:
    """A bar for each who of each group, as ratio to ours, logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    rows = [
        (f"{group} · {who}", bench["stats"]["median"] / benches[OURS]["stats"]["median"])
        for group, benches in groups.items()
        if OURS in benches
        for who, bench in benches.items()
        if who != OURS
    ]
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.35 * len(rows)))
    axes.barh([name for name, _ in rows], [ratio for _, ratio in rows])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("time ÷ Drayman's (right of the line: slower than Drayman)")
    axes.invert_yaxis()
    figure.savefig(path, bbox_inches="tight")


def main() -> None:
    """Print the table; draw beside the JSON."""
    run = Path(sys.argv[1])
    groups = load(run)
    Console().print(table(groups))
    picture = run.with_suffix(".svg")
    draw(groups, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
