"""Benchmarks, printed, and this machine's part of ``docs/benchmarks.md`` renewed. Wants an otherwise idle machine."""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks import analysis_speed, kernel_speed, sweep_speed
from benchmarks.document import renewed
from benchmarks.machine import circumstances, machine

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"

PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "kernel": ("Training alone", kernel_speed.report),
    "sweep": ("Sweeps, end to end", sweep_speed.report),
    "analysis": ("Loading and drawing", analysis_speed.report),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; by default all")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="default: docs/benchmarks.md")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: valid parts are {', '.join(PARTS)}")
    # Each in a process of its own: the system counts what a process has held as memory of the commands it starts, too.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in options.parts or PARTS:
            title, report = PARTS[name]
            results = f"{circumstances()}\n\n{pool.submit(report).result()}"
            print(f"## {title}\n\n{results}\n", flush=True)
            document = options.document.read_text() if options.document.exists() else "# Benchmarks"
            command = f"`python -m benchmarks {name}`"
            options.document.write_text(renewed(document, title, command, machine(), results))


if __name__ == "__main__":
    main()
