"""Uploading what was kept on disk while the tracking server was away, and telling the sweeps it belongs to."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tracking import outcomes, overview, spool
from tracking.errors import TrackingError, without_password
from tracking.record import RunUpdate
from tracking.store import Store, open_store
from tracking.uri import tracking_uri

_ORIGINS = {"FINISHED": "new", "FAILED": "failed"}


def sync() -> Iterator[spool.Kept]:
    """Upload what the current folder keeps; interrupted or repeated, it stores every run once.

    Yields
    ------
    Kept
        Each run and update, once it is stored.

    Raises
    ------
    TrackingError
        If it was meant for another store, cannot be read, or cannot be stored.
    """
    folder = Path.cwd() / spool.FOLDER
    here = without_password(tracking_uri())
    stores: dict[str, Store] = {}
    # The last file of each sweep stays until the sweep has been told: who is interrupted before will come back to it.
    last: dict[str, spool.Kept] = {}
    with spool.alone(folder):
        for kept in spool.waiting(folder):
            if kept.destination != here:
                raise TrackingError(
                    f"{folder} holds runs meant for {kept.destination}, and the tracking store is {here}: "
                    "set MLFLOW_TRACKING_URI to the former"
                )
            if kept.experiment not in stores:
                stores[kept.experiment] = open_store(kept.experiment)
            stores[kept.experiment].upload(kept)
            if before := last.get(kept.sweep_id):
                spool.forget(folder, before)
            last[kept.sweep_id] = kept
            yield kept
        for sweep_id, kept in last.items():
            _tell(stores[kept.experiment], sweep_id, kept.now_ms)
            spool.forget(folder, kept)


def _tell(store: Store, sweep_id: str, now_ms: int) -> None:
    """Let a sweep that has ended say what is there of it now; doing so again changes nothing."""
    sweep = overview.run(store, sweep_id)
    jobs = overview.jobs(store, sweep) if sweep is not None else []
    if sweep is None or sweep.end_ms is None or not jobs:
        return
    children = {child.config_hash: child for child in outcomes.children(store, sweep_id)}
    for job in jobs:
        child = children.get(job["config_hash"])
        if child is not None and child.status in _ORIGINS:
            job |= {"run_id": child.run_id, "origin": _ORIGINS[child.status]}
    origins = [job["origin"] for job in jobs]
    counts = outcomes.counts(origins)
    status: Literal["FINISHED", "FAILED"] | None = None
    if "" not in origins:
        status = "FAILED" if "failed" in origins else "FINISHED"
    text = io.StringIO()
    rows = csv.DictWriter(text, jobs[0], lineterminator="\n")
    rows.writeheader()
    rows.writerows(jobs)
    table = text.getvalue().encode()
    told = (status or sweep.status, counts, table)
    if told == (sweep.status, sweep.metrics, overview.read_artifact(store, sweep, "jobs.csv")):
        return
    update = RunUpdate(counts, {"mlflow.note.content": outcomes.counted(counts)}, {"jobs.csv": table}, status)
    # Later than what it said itself when it ended, which MLflow's client would keep otherwise.
    store.writer.update(sweep_id, update, max(sweep.end_ms, now_ms) + 1)
