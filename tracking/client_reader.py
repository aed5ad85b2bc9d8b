"""A store behind any tracking URI, read through MLflow's public client."""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from tracking.addresses import is_server, ping
from tracking.client import RUNS_A_PAGE, mlflow_errors, search
from tracking.reader import ATTRIBUTES, Condition, Experiment, Histories, Reader, ordered
from tracking.record import Run

if TYPE_CHECKING:
    from mlflow import entities

_CONNECTIONS = 8


class ClientReader(Reader):
    """A store of any kind; see `Reader`."""

    def ping(self) -> None:
        if is_server(self.uri):
            ping(self.uri)

    def experiments(self) -> list[Experiment]:
        with mlflow_errors(self.uri):
            from mlflow.entities import ViewType

            found = self.client.search_experiments(ViewType.ALL, max_results=10_000)
        return [Experiment(e.experiment_id, e.name, e.artifact_location, e.lifecycle_stage == "active") for e in found]

    def experiment_tag(self, key: str) -> str | None:
        with mlflow_errors(self.uri):
            found = (self.client.get_experiment(experiment_id) for experiment_id in self._experiment_ids())
            return next((one.tags.get(key) for one in found), None)

    def runs(self, *conditions: Condition) -> list[Run]:
        return [_run(run) for run in self._search(conditions)]

    def rows(self, columns: Sequence[str], *conditions: Condition, newest: int = 0) -> Iterator[tuple[Any, ...]]:
        for run in itertools.islice(self._search(conditions, newest), newest or None):
            yield tuple(_cell(run, column) for column in columns)

    def histories(self, run_ids: Sequence[str], keys: Sequence[str], steps: Sequence[int] = ()) -> Histories:
        points: list[tuple[int, int, int, float]] = []
        only = set(steps)
        wanted = [(r, k) for r in range(len(run_ids)) for k in range(len(keys))]
        with mlflow_errors(self.uri), ThreadPoolExecutor(_CONNECTIONS) as pool:
            histories = pool.map(lambda rk: self.client.get_metric_history(run_ids[rk[0]], keys[rk[1]]), wanted)
            for (r, k), history in tqdm(
                zip(wanted, histories, strict=True), "loss curves", len(wanted), delay=2, leave=False, disable=None
            ):
                points.extend((r, k, m.step, m.value) for m in history if not only or m.step in only)
        return ordered(*np.array(points, np.float64).reshape(-1, 4).T)

    def _search(self, conditions: Sequence[Condition], newest: int = 0) -> "Iterator[entities.Run]":
        # In MLflow's language, a run that lacks a tag is not one whose tag is something else.
        excluded = [(column, value) for column, how, value in conditions if how == "IS NOT"]
        asked = [f"{_quoted(column)} {how} {_literal(value)}" for column, how, value in conditions if how != "IS NOT"]
        at_once = newest if newest and not excluded else RUNS_A_PAGE
        with mlflow_errors(self.uri):
            found = search(self.client, self._experiment_ids(), " AND ".join(asked), at_once, oldest_first=not newest)
            for run in found:
                if not any(_cell(run, column) == value for column, value in excluded):
                    yield run


def _run(run: "entities.Run") -> Run:
    read = Run.read(*(getattr(run.info, name) or None for name in ATTRIBUTES))  # a server says 0 for no end yet
    return replace(read, params=dict(run.data.params), metrics=dict(run.data.metrics), tags=dict(run.data.tags))


def _cell(run: "entities.Run", column: str) -> Any:
    kind, _, key = column.partition(".")
    return getattr(run.info, key) if kind == "attributes" else getattr(run.data, kind).get(key)


def _quoted(column: str) -> str:
    kind, _, key = column.partition(".")
    return column if kind == "attributes" else f"{kind}.`{key}`"


def _literal(value: Any) -> str:
    """Write a number, a string or a list of strings in MLflow's search language."""
    if isinstance(value, str):
        quote = '"' if "'" in value else "'"
        return f"{quote}{value}{quote}"
    return repr(value) if isinstance(value, float | int) else f"({', '.join(map(_literal, value))})"
