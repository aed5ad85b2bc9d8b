"""What came of the runs that train something, in a few numbers each."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from tracking.store import Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run says of itself.

    Attributes
    ----------
    run_id, config_hash, status : str
    sweep_id : str or None
        The sweep that made it; None for a single run.
    trials : int
    converged : float or None
        Share of its trials that converged.
    epochs_to_converge : float or None
        Of several trials the median; None if that is infinite.
    final_loss, max_error : float or None
        Of a single trial.
    """

    run_id: str
    config_hash: str
    status: str
    sweep_id: str | None = None
    trials: int = 1
    converged: float | None = None
    epochs_to_converge: float | None = None
    final_loss: float | None = None
    max_error: float | None = None


def outcomes(store: Store, sweep_id: str | None = None) -> Iterator[Outcome]:
    """Look up the runs of an experiment, or those that one sweep made, oldest first."""
    if store.database is None:
        matching = "tags.config_hash LIKE '%'" if sweep_id is None else f"tags.sweep_id = '{sweep_id}'"
        for run in store.search(matching):
            metrics, tags = run.data.metrics, run.data.tags
            if "config_hash" in tags:
                yield Outcome(
                    run.info.run_id,
                    tags["config_hash"],
                    run.info.status,
                    tags.get("sweep_id"),
                    int(run.data.params.get("trials", 1)),
                    metrics.get("converged", metrics.get("convergence_rate")),
                    metrics.get("epochs_to_converge", metrics.get("median_epochs_to_converge")),
                    metrics.get("final_loss"),
                    metrics.get("max_error"),
                )
        return
    rows = store.database.rows(
        "SELECT runs.run_uuid, hashes.value, runs.status, sweeps.value, CAST(COALESCE(trials.value, '1') AS INTEGER), "  # noqa: S608
        "rates.value, epochs.value, losses.value, errors.value FROM runs "
        "JOIN tags AS hashes ON hashes.run_uuid = runs.run_uuid AND hashes.key = 'config_hash' "
        "LEFT JOIN tags AS sweeps ON sweeps.run_uuid = runs.run_uuid AND sweeps.key = 'sweep_id' "
        "LEFT JOIN params AS trials ON trials.run_uuid = runs.run_uuid AND trials.key = 'trials' "
        "LEFT JOIN latest_metrics AS rates "
        "ON rates.run_uuid = runs.run_uuid AND rates.key IN ('converged', 'convergence_rate') "
        "LEFT JOIN latest_metrics AS epochs "
        "ON epochs.run_uuid = runs.run_uuid AND epochs.key IN ('epochs_to_converge', 'median_epochs_to_converge') "
        "LEFT JOIN latest_metrics AS losses ON losses.run_uuid = runs.run_uuid AND losses.key = 'final_loss' "
        "LEFT JOIN latest_metrics AS errors ON errors.run_uuid = runs.run_uuid AND errors.key = 'max_error' "
        "WHERE runs.experiment_id = ? AND runs.lifecycle_stage = 'active' "
        + ("" if sweep_id is None else "AND sweeps.value = ? ")
        + "ORDER BY runs.start_time, runs.run_uuid",
        (int(store.experiment_id), *(() if sweep_id is None else (sweep_id,))),
    )
    yield from itertools.starmap(Outcome, rows)
