"""What came of a sweep's jobs, as the store tells it."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tracking.store import Store


@dataclass(frozen=True, slots=True)
class Child:
    """A run that a sweep made."""

    config_hash: str
    run_id: str
    status: str


def children(store: Store, sweep_id: str) -> Iterator[Child]:
    """Look up the runs that a sweep made, oldest first."""
    if store.database is not None:
        rows = store.database.rows(
            "SELECT hashes.value, runs.run_uuid, runs.status FROM tags AS sweeps "
            "JOIN runs ON runs.run_uuid = sweeps.run_uuid "
            "JOIN tags AS hashes ON hashes.run_uuid = runs.run_uuid AND hashes.key = 'config_hash' "
            "WHERE sweeps.key = 'sweep_id' AND sweeps.value = ? AND runs.lifecycle_stage = 'active' "
            "ORDER BY runs.start_time, runs.run_uuid",
            (sweep_id,),
        )
        yield from itertools.starmap(Child, rows)
        return
    for run in store.search(f"tags.sweep_id = '{sweep_id}'"):
        if "config_hash" in run.data.tags:
            yield Child(run.data.tags["config_hash"], run.info.run_id, run.info.status)


def convergence_rates(store: Store) -> Iterator[tuple[str, float]]:
    """Look up the share of trials that converged in each of the experiment's runs that has that metric."""
    if store.database is not None:
        yield from store.database.rows(
            "SELECT latest_metrics.run_uuid, latest_metrics.value FROM latest_metrics "
            "JOIN runs ON runs.run_uuid = latest_metrics.run_uuid "
            "WHERE latest_metrics.key IN ('converged', 'convergence_rate') AND runs.experiment_id = ?",
            (int(store.experiment_id),),
        )
        return
    for run in store.search("attributes.status = 'FINISHED'"):
        rate = run.data.metrics.get("converged", run.data.metrics.get("convergence_rate"))
        if rate is not None:
            yield run.info.run_id, rate


def counts(origins: Sequence[str]) -> dict[str, int]:
    """Count a sweep's jobs by where their runs come from: new, reused or failed; without a run, from nowhere."""
    return {
        "jobs": len(origins),
        "finished": origins.count("new"),
        "reused": origins.count("reused"),
        "failed": origins.count("failed"),
    }


def counted(numbers: Mapping[str, int]) -> str:
    """Write a sweep's counts as a line of text."""
    return ", ".join(f"{count:,} {'job' if (count, what) == (1, 'jobs') else what}" for what, count in numbers.items())
