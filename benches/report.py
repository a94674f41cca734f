"""``python -m benches.report RUN.json``: the table, the picture and the figures of one run."""

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
        params = bench.get("params") or {}
        groups.setdefault(bench["group"], {})[params.get("peer") or params["engine"]] = bench
    return groups


def figures(groups: dict[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each who of each group: median and spread in milliseconds, and the ratio of
    its median to ours; what else was noted, and (``NAME_ratio``) how that compares."""
    rows = []
    for group, benches in groups.items():
        ours = benches.get(OURS)
        for who, bench in benches.items():
            stats = bench["stats"]
            row = {"work": group, "who": who, "rounds": stats["rounds"]}
            for name in ("median", "min", "max", "iqr"):
                row[f"{name}_ms"] = stats[name] * 1000
            if ours is not None and who != OURS:
                row["ratio"] = stats["median"] / ours["stats"]["median"]
                for name, noted in ours["extra_info"].items():
                    if noted > 0 and name in bench["extra_info"]:
                        row[f"{name}_ratio"] = bench["extra_info"][name] / noted
            rows.append({**row, **bench["extra_info"]})
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """Medians, spread, and how many times faster we are."""
    result = Table("work", "who", "median", "min - max", "peer ÷ ours", title="One run")
    known = {"work", "who", "rounds", "median_ms", "min_ms", "max_ms", "iqr_ms", "ratio"}
    for row in rows:
        median, spread = (
            f"{row['median_ms']:,.1f} ms",
            f"{row['min_ms']:,.1f} - {row['max_ms']:,.1f}",
        )
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        result.add_row(row["work"], row["who"], median, spread, ratio)
        for name in sorted(row.keys() - known):
            if not name.endswith("_ratio"):
                ratio = f"{row[f'{name}_ratio']:.2f}" if f"{name}_ratio" in row else ""
                result.add_row("", f"  {name}", f"{row[name]:,.0f}", "", ratio)
    return result


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """A bar for each peer of each group, as ratio to ours, logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    rows = [row for row in rows if "ratio" in row]
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.35 * len(rows)))
    axes.barh([f"{row['work']} · {row['who']}" for row in rows], [row["ratio"] for row in rows])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("time ÷ Drayman's (right of the line: slower than Drayman)")
    axes.invert_yaxis()
    figure.savefig(path, bbox_inches="tight")


def main() -> None:
    """Print the table; draw, and store the figures with the machine, beside the run."""
    run = Path(sys.argv[1])
    machine = json.loads(run.read_text())["machine_info"]
    rows = figures(load(run))
    Console().print(table(rows))
    stored, picture = run.with_name("figures.json"), run.with_suffix(".svg")
    stored.write_text(json.dumps({"machine": machine, "figures": rows}, indent=1))
    draw(rows, picture)
    print(f"picture: {picture}, figures: {stored}")


if __name__ == "__main__":
    main()
