"""Reading what a tracking store holds, by whichever way it can be read; no row is ever written here."""

import copy
import csv
import io
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tracking import artifacts, names
from tracking.client import mlflow_client, mlflow_errors, search
from tracking.database import chunks
from tracking.errors import FilterError, UnreadableFileError
from tracking.record import Outcome, Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

Condition = tuple[str, str, Any]
"""A column, ``=`` or ``LIKE`` or ``IN`` or ``IS NOT``, and a value or a list of values.

``IS NOT`` is met by runs that lack the column, too.

Columns are named as in MLflow's search: ``attributes.status``, ``params.lr``, ``metrics.converged``, ``tags.kind``.
"""

ATTRIBUTES = ("run_id", "experiment_id", "run_name", "status", "start_time", "end_time", "artifact_uri")
"""MLflow's names for the first fields of a `Run`."""

HAS_CONFIG_HASH: Condition = (f"tags.{names.CONFIG_HASH}", "LIKE", "%")
"""Met by runs that train something, be they old or new."""

NO_SUMMARY: Condition = (f"tags.{names.KIND}", "IS NOT", names.CONDITION)
"""Met by all runs but those that sum up others: who counts or draws trials asks for it, or for `HAS_CONFIG_HASH`."""

_JOBS_COLUMNS = {"config_hash", "overrides", "run_id", "origin"}

_ID = re.compile("[0-9a-f]{32}")

_OUTCOME = (
    "attributes.run_id",
    f"tags.{names.CONFIG_HASH}",
    "attributes.status",
    f"tags.{names.SWEEP_ID}",
    f"params.{names.TRIALS}",
    f"metrics.{names.CONVERGED}",
    f"metrics.{names.CONVERGENCE_RATE}",
    f"metrics.{names.CONVERGED_AT_END}",
    f"metrics.{names.EPOCHS_TO_CONVERGE}",
    f"metrics.{names.MEDIAN_EPOCHS_TO_CONVERGE}",
    f"metrics.{names.FINAL_LOSS}",
    f"metrics.{names.MAX_ERROR}",
)


def of_kind(kind: str, sweep_id: str) -> tuple[Condition, Condition]:
    """Ask for the runs of a sweep that are of one kind."""
    return (f"tags.{names.KIND}", "=", kind), (f"tags.{names.SWEEP_ID}", "=", sweep_id)


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment."""

    id: str
    name: str
    artifact_location: str
    active: bool


class Histories(NamedTuple):
    """Points of metric curves, in order of run, key and step; all arrays have the shape (points,)."""

    run: NDArray[np.int64]  # index into the run ids asked for
    key: NDArray[np.int64]  # index into the keys asked for
    step: NDArray[np.int64]
    value: NDArray[np.float64]


class Reader(ABC):
    """A tracking store to read from: one of its experiments, or all that are active.

    Every method raises `TrackingError` if the store cannot be read. Where rows come one by one, a SQLite store cannot
    be written to until the last of them has been read.
    """

    def __init__(self, uri: str, experiment_id: str | None = None) -> None:
        self.uri = uri
        self.experiment_id = experiment_id

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's own, for what only it understands (imports MLflow, which takes seconds)."""
        return mlflow_client(self.uri)

    @abstractmethod
    def ping(self) -> None:
        """Find out whether the store answers at all, with no patience; raises `StoreUnreachableError` if not."""

    @abstractmethod
    def experiments(self) -> list[Experiment]:
        """All experiments of the store, deleted ones included."""

    @abstractmethod
    def experiment_tag(self, key: str) -> str | None:
        """A tag of the one experiment that is read; None if it has no such tag."""

    @abstractmethod
    def runs(self, *conditions: Condition) -> list[Run]:
        """All runs that meet all conditions, oldest first."""

    @abstractmethod
    def rows(self, columns: Sequence[str], *conditions: Condition, newest: int = 0) -> Iterator[tuple[Any, ...]]:
        """Some columns of all runs that meet all conditions, oldest first, or of the newest ones, newest first.

        A run has None in the columns that it does not have.
        """

    @abstractmethod
    def histories(self, run_ids: Sequence[str], keys: Sequence[str], steps: Sequence[int] = ()) -> Histories:
        """Points of these metrics of these runs, at all steps or only at some."""

    def sweeps(self) -> list[Run]:
        """Runs of sweeps, oldest first."""
        return self.runs((f"tags.{names.KIND}", "=", names.SWEEP))

    def trials(self, *conditions: Condition) -> list[Run]:
        """Runs that train something and meet all conditions, oldest first: no sweep, no condition."""
        return [run for run in self.runs(*conditions, NO_SUMMARY) if run.tags.get(names.KIND) != names.SWEEP]

    def running(self) -> list[Run]:
        """Runs under way, or so their status says."""
        return self.runs(("attributes.status", "=", "RUNNING"))

    def run(self, run_id: str) -> Run | None:
        """Look up one run; None if there is none of that id."""
        found = self.runs(("attributes.run_id", "=", run_id)) if _ID.fullmatch(run_id) else []
        return found[0] if found else None

    def by_ids(self, run_ids: Sequence[str]) -> dict[str, Run]:
        """Look up the runs that have these ids, as far as there are such."""
        return {run.run_id: run for chunk in chunks(run_ids) for run in self.runs(("attributes.run_id", "IN", chunk))}

    def matching(self, wanted: str) -> list[Run]:
        """Find runs by id, by name, by the beginning of an id, or the one that was started last by ``latest``."""
        if wanted == "latest":
            newest = list(self.rows(["attributes.run_id"], NO_SUMMARY, newest=1))
            return self.runs(("attributes.run_id", "=", newest[0][0])) if newest else []
        if _ID.fullmatch(wanted):
            return self.runs(("attributes.run_id", "=", wanted))
        by_name = self.runs(("attributes.run_name", "=", wanted))
        if not by_name and wanted.isalnum():
            return self.runs(("attributes.run_id", "LIKE", f"{wanted}%"))
        return by_name

    def outcomes(self, *conditions: Condition) -> Iterator[Outcome]:
        """What came of the runs that train something and meet all conditions, oldest first and one by one."""
        rows = self.rows(_OUTCOME, HAS_CONFIG_HASH, *conditions)
        for run_id, config_hash, status, sweep_id, trials, converged, rate, at_end, epochs, median, *quality in rows:
            share = rate if converged is None else converged
            epochs = median if epochs is None else epochs
            yield Outcome(
                run_id,
                config_hash,
                status,
                sweep_id,
                int(trials) if trials and trials.isdecimal() else 1,
                share,
                at_end,
                epochs,
                *quality,
            )

    def of_sweep(self, sweep_id: str) -> Iterator[Outcome]:
        """What came of the runs that a sweep made; see `outcomes`."""
        return self.outcomes((f"tags.{names.SWEEP_ID}", "=", sweep_id))

    def finished(self, config_hashes: Collection[str]) -> dict[str, str]:
        """Of these configurations, by hash, those that are there as finished runs: the id of the latest of each."""
        return self._with_status("FINISHED", config_hashes)

    def failed(self, config_hashes: Collection[str]) -> dict[str, str]:
        """Of these configurations, by hash, those that are there as failed runs: the id of the latest of each."""
        return self._with_status("FAILED", config_hashes)

    def search(self, text: str) -> list[str]:
        """Ids of the runs that a filter in MLflow's language finds, newest first; raises `FilterError` if malformed."""
        with mlflow_errors(self.uri):
            from mlflow.exceptions import MlflowException

            found = search(self.client, self._experiment_ids(), text)
            try:
                return [run.info.run_id for run in found]
            except MlflowException as error:
                if error.error_code != "INVALID_PARAMETER_VALUE":
                    raise
                raise FilterError(error.message.rstrip(".")) from error

    def artifact(self, run: Run, name: str) -> bytes | None:
        """Read one artifact of a run; None if it has no such file."""
        return artifacts.read(self.uri, run.artifact_uri, name) if run.artifact_uri else None

    def jobs(self, sweep: Run) -> list[dict[str, str]]:
        """Read a sweep's table of jobs; empty if it has none.

        One that is damaged, or shorter than the sweep says, is completed by the runs that the sweep made, and that is
        logged: what it reused, or never came to, cannot be told.
        """
        rows: list[dict[str, str]] = []
        problem = "it is missing"
        try:
            content = self.artifact(sweep, names.JOBS_CSV)
            if content is not None:
                table = csv.DictReader(io.StringIO(content.decode()))
                if missing := _JOBS_COLUMNS - {*(table.fieldnames or ())}:
                    raise ValueError(f"no column {', '.join(sorted(missing))}")
                rows = [row for row in table if row["origin"] is not None]  # else it was cut off in this row
                problem = f"{len(rows):,} rows instead of {sweep.metrics.get(names.JOBS, 0):,.0f}"
            damaged = len(rows) < sweep.metrics.get(names.JOBS, 0)
        except (UnreadableFileError, ValueError, csv.Error) as error:
            damaged, problem = True, str(error)
        if damaged:
            lacking = "what it lacks is taken from the runs that the sweep made, without those that it reused"
            log.warning("%s of sweep %s is damaged (%s): %s", names.JOBS_CSV, sweep.run_id, problem, lacking)
            listed = {row["config_hash"] for row in rows}
            made = dict.fromkeys(run.config_hash for run in self.of_sweep(sweep.run_id))
            rows += [dict.fromkeys(_JOBS_COLUMNS, "") | {"config_hash": key} for key in made if key not in listed]
        return rows

    def within(self, experiment_id: str) -> Self:
        """The same store, but only one of its experiments."""
        reader = copy.copy(self)
        reader.experiment_id = experiment_id
        return reader

    def _with_status(self, status: str, config_hashes: Collection[str]) -> dict[str, str]:
        wanted = set(config_hashes)
        columns = [f"tags.{names.CONFIG_HASH}", "attributes.run_id"]
        rows = self.rows(columns, HAS_CONFIG_HASH, ("attributes.status", "=", status))
        return {config_hash: run_id for config_hash, run_id in rows if config_hash in wanted}

    def _experiment_ids(self) -> list[str]:
        """Ids of the experiments that are read."""
        if self.experiment_id is not None:
            return [self.experiment_id]
        return [experiment.id for experiment in self.experiments() if experiment.active]


def ordered(run: NDArray[Any], key: NDArray[Any], step: NDArray[Any], value: NDArray[Any]) -> Histories:
    """Sort points, and keep one of those that a repeated upload may have logged twice."""
    order = np.lexsort((step, key, run))
    place = np.stack([run, key, step]).astype(np.int64)[:, order]
    first = np.append(True, (np.diff(place) != 0).any(axis=0))[: place.shape[1]]
    run, key, step = place[:, first]
    return Histories(run, key, step, value[order][first].astype(np.float64))
