"""All benchmarks in one run, written into ``docs/benchmarks.md``: ``make bench``. Wants an otherwise idle machine."""

import argparse
import datetime
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks import analysis_speed, kernel_speed, sweep_speed

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"

PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "kernel": ("Training alone", kernel_speed.report),
    "sweep": ("Sweeps, end to end", sweep_speed.report),
    "analysis": ("Loading and drawing", analysis_speed.report),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; by default all")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="default: docs/benchmarks.md")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    sections = [
        "# Benchmarks",
        f"Measured on {datetime.date.today():%-d %B %Y} with `make bench`, all numbers of a table side by side in one "
        f"run; load before: {load:.1f}.",
    ]
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: valid parts are {', '.join(PARTS)}")
    # Each in a process of its own: the system counts what a process has held as memory of the commands it starts, too.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in options.parts or PARTS:
            title, report = PARTS[name]
            sections.append(f"## {title}\n\n`python -m benchmarks {name}`\n\n{pool.submit(report).result()}")
    options.output.write_text("\n\n".join(sections) + "\n")


if __name__ == "__main__":
    main()
