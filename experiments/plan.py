"""What is left to do of a batch of jobs, in the words in which it is announced."""

import shlex
from collections.abc import Sequence

from experiments.jobs import Job
from experiments.ledger import MOST_ROWS, Ledger


def line(jobs: Sequence[Job], ledger: Ledger) -> str:
    """Say what is left, as in ``1,000 jobs: 640 to do, 350 already finished, 10 failed before (will run again)``."""
    entries = [ledger[job.config_hash] for job in jobs]
    finished = sum(entry.done for entry in entries)
    failed = sum(entry.failed_before and not entry.done for entry in entries)
    parts = [f"{len(jobs) - finished - failed:,} to do"]
    if finished:
        parts.append(f"{finished:,} already finished")
    if failed:
        parts.append(f"{failed:,} failed before (will run again)")
    return f"{len(jobs):,} {'job' if len(jobs) == 1 else 'jobs'}: {', '.join(parts)}"


def table(jobs: Sequence[Job], ledger: Ledger) -> str:
    """List jobs and what would be done with each, for a dry run."""
    lines = []
    for number, job in enumerate(jobs[:MOST_ROWS]):
        entry = ledger[job.config_hash]
        if entry.done:
            fate = f"finished, run {entry.run.run_id}"
        else:
            fate = "failed before, would run again" if entry.failed_before else "would run"
        overrides = [override for override in job.overrides if not override.startswith("dry_run=")]
        lines.append(f"{number:>6}  {shlex.join(overrides)}  ({fate})")
    if len(jobs) > MOST_ROWS:
        lines.append(f"   ...  and {len(jobs) - MOST_ROWS:,} more")
    return "\n".join(lines)
