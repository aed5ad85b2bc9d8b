"""What the store knows of sweeps and of runs under way, by one query per experiment."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tracking import files
from tracking.client_writer import mlflow_errors
from tracking.errors import TrackingError
from tracking.store import Store

_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class RunInfo:
    """A run, with its tags and latest metrics.

    Attributes
    ----------
    run_id, name, status : str
    start_ms : int
        Milliseconds since 1970.
    end_ms : int or None
    artifact_uri : str
    tags : mapping of str to str
    metrics : mapping of str to float
    """

    run_id: str
    name: str
    status: str
    start_ms: int
    end_ms: int | None
    artifact_uri: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ChildRun:
    """What a finished or failed run says about the sweep that made it.

    Attributes
    ----------
    status, config_hash : str
    sweep_id : str or None
        None for a single run.
    rate : float or None
        Share of its trials that converged.
    trials : int
    """

    status: str
    sweep_id: str | None
    config_hash: str
    rate: float | None
    trials: int


def sweeps(store: Store) -> list[RunInfo]:
    """Parent runs of all sweeps, oldest first."""
    return _runs(
        store,
        "runs.run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'kind' AND value = 'sweep')",
        "tags.kind = 'sweep'",
    )


def running(store: Store) -> list[RunInfo]:
    """Runs under way, or so their status says."""
    return _runs(store, "runs.status = 'RUNNING'", "attributes.status = 'RUNNING'")


def run(store: Store, run_id: str) -> RunInfo | None:
    """Look up one run; None if the experiment has none of that id."""
    found = matching(store, run_id) if _ID.fullmatch(run_id) else []
    return found[0] if found else None


def matching(store: Store, wanted: str) -> list[RunInfo]:
    """Find runs by id, name, or (by SQL only) the beginning of an id."""
    if _ID.fullmatch(wanted):
        return _runs(store, "runs.run_uuid = ?", f"attributes.run_id = '{wanted}'", wanted)
    quote = '"' if "'" in wanted else "'"
    by_name = _runs(store, "runs.name = ?", f"attributes.run_name = {quote}{wanted}{quote}", wanted)
    if not by_name and store.database is not None and wanted.isalnum():
        return _runs(store, "runs.run_uuid LIKE ?", "", f"{wanted}%")
    return by_name


def latest(store: Store) -> list[RunInfo]:
    """Look up the latest run of an experiment; empty if it has none."""
    if store.database is not None:
        newest = (
            "SELECT run_uuid FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active' "
            "ORDER BY start_time DESC, run_uuid DESC LIMIT 1"
        )
        found = store.database.query(newest, (int(store.experiment_id),))
    else:
        with mlflow_errors(store.uri):
            page = store.client.search_runs(
                [store.experiment_id], order_by=["attributes.start_time DESC"], max_results=1
            )
        found = [(entity.info.run_id,) for entity in page]
    return [info for (run_id,) in found if (info := run(store, run_id)) is not None]


def params(store: Store, run_id: str) -> dict[str, str]:
    """Look up a run's params."""
    if store.database is None:
        with mlflow_errors(store.uri):
            return dict(store.client.get_run(run_id).data.params)
    return dict(store.database.query("SELECT key, value FROM params WHERE run_uuid = ? ORDER BY key", (run_id,)))


def children(store: Store) -> dict[str, ChildRun]:
    """Look up all runs that train something, by run id."""
    if store.database is None:
        return {
            run.info.run_id: ChildRun(
                run.info.status,
                run.data.tags.get("sweep_id"),
                run.data.tags["config_hash"],
                run.data.metrics.get("converged", run.data.metrics.get("convergence_rate")),
                int(run.data.params.get("trials", 1)),
            )
            for run in store.search("tags.config_hash LIKE '%'")
        }
    rows = store.database.query(
        "SELECT runs.run_uuid, runs.status, sweeps.value, hashes.value, rates.value, trials.value "
        "FROM runs "
        "JOIN tags AS hashes ON hashes.run_uuid = runs.run_uuid AND hashes.key = 'config_hash' "
        "LEFT JOIN tags AS sweeps ON sweeps.run_uuid = runs.run_uuid AND sweeps.key = 'sweep_id' "
        "LEFT JOIN latest_metrics AS rates "
        "ON rates.run_uuid = runs.run_uuid AND rates.key IN ('converged', 'convergence_rate') "
        "LEFT JOIN params AS trials ON trials.run_uuid = runs.run_uuid AND trials.key = 'trials' "
        "WHERE runs.experiment_id = ? AND runs.lifecycle_stage = 'active'",
        (int(store.experiment_id),),
    )
    return {
        run_id: ChildRun(status, sweep_id, config_hash, rate, int(trials or 1))
        for run_id, status, sweep_id, config_hash, rate, trials in rows
    }


@dataclass(frozen=True)
class Members:
    """What the runs of a sweep have in common.

    Attributes
    ----------
    own : bool
        Whether it made any; otherwise all its jobs had been finished before.
    params, metrics : frozenset of str
        Names that one of its runs has.
    """

    own: bool
    params: frozenset[str]
    metrics: frozenset[str]


def members(store: Store, sweep: RunInfo) -> Members:
    """Look up what a sweep's runs have; by one of them, a finished one."""
    made = [i for i, child in children(store).items() if child.sweep_id == sweep.run_id and child.status == "FINISHED"]
    reused = [job["run_id"] for job in jobs(store, sweep) if job["origin"] == "reused"]
    found = next((info for i in (*made, *reused) if (info := run(store, i)) is not None), None)
    if found is None:
        return Members(False, frozenset(), frozenset())
    return Members(bool(made), frozenset(params(store, found.run_id)), frozenset(found.metrics))


def jobs(store: Store, sweep: RunInfo) -> list[dict[str, str]]:
    """Read a sweep's table of jobs; empty if it has none."""
    content = read_artifact(store, sweep, "jobs.csv")
    return list(csv.DictReader(io.StringIO(content.decode()))) if content else []


def read_artifact(store: Store, run: RunInfo, name: str) -> bytes | None:
    """Read one artifact of a run; None if it has no such file."""
    folder = files.local_folder(run.artifact_uri)
    if folder is not None:
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TrackingError(f"{folder / name} cannot be read: {error}") from error
    with mlflow_errors(store.uri), TemporaryDirectory() as downloads:
        if name not in {entry.path for entry in store.client.list_artifacts(run.run_id)}:
            return None
        return Path(store.client.download_artifacts(run.run_id, name, downloads)).read_bytes()


def _runs(store: Store, condition: str, matching: str, *values: str) -> list[RunInfo]:
    """Runs that meet a condition, in SQL or in MLflow's filter language."""
    if store.database is None:
        return [
            RunInfo(
                run.info.run_id,
                run.info.run_name,
                run.info.status,
                run.info.start_time,
                run.info.end_time or None,
                run.info.artifact_uri,
                run.data.tags,
                run.data.metrics,
            )
            for run in store.search(matching)
        ]
    where = f"runs.experiment_id = ? AND runs.lifecycle_stage = 'active' AND {condition}"
    arguments = (int(store.experiment_id), *values)
    tags: dict[str, dict[str, str]] = {}
    metrics: dict[str, dict[str, float]] = {}
    for table, found in (("tags", tags), ("latest_metrics", metrics)):
        rows = store.database.query(
            f"SELECT runs.run_uuid, {table}.key, {table}.value "  # noqa: S608
            f"FROM runs JOIN {table} ON {table}.run_uuid = runs.run_uuid WHERE {where}",
            arguments,
        )
        for run_id, key, value in rows:
            found.setdefault(run_id, {})[key] = value
    return [
        RunInfo(run_id, name, status, start_ms, end_ms, uri, tags.get(run_id, {}), metrics.get(run_id, {}))
        for run_id, name, status, start_ms, end_ms, uri in store.database.query(
            "SELECT run_uuid, name, status, start_time, end_time, artifact_uri "  # noqa: S608
            f"FROM runs WHERE {where} ORDER BY start_time, run_uuid",
            arguments,
        )
    ]
