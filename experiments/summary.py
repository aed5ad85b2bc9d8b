"""What a sweep says of itself: its plan, its table of jobs, its convergence by condition."""

import csv
import io
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence

from experiments.jobs import Job
from nn_core.statistics import wilson_interval

MOST_ROWS = 60
"""Rows that a table for the eye may have."""


def plan_line(total: int, to_do: int, finished: int, failed: int) -> str:
    """Say what is left to do, as in ``1,000 jobs: 640 to do, 350 already finished, 10 failed before (will run again)``.

    `failed` are among those to do.
    """
    parts = [f"{to_do - failed:,} to do"]
    if finished:
        parts.append(f"{finished:,} already finished")
    if failed:
        parts.append(f"{failed:,} failed before (will run again)")
    return f"{total:,} {'job' if total == 1 else 'jobs'}: {', '.join(parts)}"


def swept_keys(jobs: Sequence[Job]) -> tuple[str, ...]:
    """Params that differ between jobs, in the order in which params are listed; a param that a job lacks differs."""
    first = jobs[0].params
    keys = dict.fromkeys(first)
    swept: set[str] = set()
    for job in jobs:
        flat = job.params
        keys.update(dict.fromkeys(flat))
        swept.update(key for key, value in flat.items() if first.get(key) != value)
        swept.update(first.keys() - flat.keys())
    return tuple(key for key in keys if key in swept)


def jobs_csv(jobs: Sequence[Job], runs: Iterable[tuple[str, str]]) -> bytes:
    """Write the table of jobs.

    Parameters
    ----------
    jobs : sequence of Job
    runs : iterable of pairs of str
        Each job's run id and origin, empty for jobs without a run.
    """
    table = io.BytesIO()
    text = io.TextIOWrapper(table, "utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["job", "config_hash", "overrides", "run_id", "origin"])
    for number, (job, run) in enumerate(zip(jobs, runs, strict=True)):
        rows.writerow([number, job.config_hash, shlex.join(job.overrides), *run])
    return table.getvalue()


def plan_table(jobs: Sequence[Job], finished: Mapping[str, str], failed: Mapping[str, str]) -> str:
    """List jobs and what would be done with each, for a dry run."""
    lines = []
    for number, job in enumerate(jobs[:MOST_ROWS]):
        if job.config_hash in finished:
            fate = f"finished, run {finished[job.config_hash]}"
        else:
            fate = "failed before, would run again" if job.config_hash in failed else "would run"
        overrides = [line for line in job.overrides if not line.startswith("dry_run=")]
        lines.append(f"{number:>6}  {shlex.join(overrides)}  ({fate})")
    if len(jobs) > MOST_ROWS:
        lines.append(f"   ...  and {len(jobs) - MOST_ROWS:,} more")
    return "\n".join(lines)


def convergence_table(jobs: Sequence[Job], keys: Sequence[str], rates: Iterable[float]) -> str:
    """Tabulate the convergence rate by condition, in Markdown.

    Parameters
    ----------
    jobs : sequence of Job
    keys : sequence of str
        What the sweep varies; the seed is what a condition is repeated over.
    rates : iterable of float
        Share of each job's trials that converged; NaN for jobs without a run, which are left out.
    """
    conditions = [key for key in keys if key != "seed"]
    counts: dict[tuple[str, ...], list[int]] = {}
    for job, rate in zip(jobs, rates, strict=True):
        if not math.isnan(rate):
            params = job.params
            count = counts.setdefault(tuple(params.get(key, "") for key in conditions), [0, 0])
            count[0] += round(rate * job.config.trials)
            count[1] += job.config.trials
    header = [*conditions, "converged", "trials", "rate", "95% interval"]
    rows = []
    for values, (converged, trials) in list(counts.items())[:MOST_ROWS]:
        low, high = wilson_interval(converged, trials)
        rows.append([*values, f"{converged:,}", f"{trials:,}", f"{converged / trials:.2f}", f"{low:.2f} to {high:.2f}"])
    text = _markdown(header, rows)
    if len(counts) > MOST_ROWS:
        text += f"\n\n... and {len(counts) - MOST_ROWS:,} more conditions."
    return text


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])
