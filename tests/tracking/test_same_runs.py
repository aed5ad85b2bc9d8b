"""Runs written by SQL and runs written through MLflow's client cannot be told apart, whatever MLflow is asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.entities import ViewType
from sqlalchemy import inspect

from tracking.client_reader import ClientReader
from tracking.client_writer import ClientWriter
from tracking.record import Curve, RunRecord, RunUpdate
from tracking.sql_reader import SqlReader
from tracking.sql_writer import SqlWriter
from tracking.store import Store, open_store

Record = Callable[..., RunRecord]

ODD_NAMES = [
    "Robert'); DROP TABLE runs;--",
    '<script>alert("x")</script>',
    "[a](javascript:alert(1)) | `b`",
    "../../../../etc/passwd",
    "ünïcödé 🙂 ‮",
    "x" * 400,
]


def records(record: Record) -> list[RunRecord]:
    """Cover what runs differ in: names, several curves or none, no metrics, no artifacts, failures, divergence."""
    steps = np.arange(2500)
    long = {f"loss/q{q}": Curve(steps, np.sin(steps * q)) for q in (10, 50, 90)}
    odd = [record(100 + i, name=name, tags={"note": name}) for i, name in enumerate(ODD_NAMES)]
    return [
        *[record(seed) for seed in range(5)],
        *odd,
        record(10, curves=long),
        record(11, curves={"loss": Curve(steps[:0], np.zeros(0))}, metrics={"final_loss": 1.7e308, "tiny": -5e-324}),
        record(12, metrics={}, artifacts={}, curves={}, params={}, tags={}),
        record(13, status="FAILED", metrics={}, curves={}, artifacts={"traceback.txt": b"Traceback"}),
        record(14, tags={"diverged": "17", "mlflow.user": "somebody else"}),
        record(15, params={f"p{i}": str(i) for i in range(130)}),
        record(16, metrics={f"m{i}": float(i) for i in range(1200)}),
    ]


def told(store: Store, run_id: str, folder: Path) -> dict[str, Any]:
    """All that the client tells of one run, but for the ids that must differ."""
    run = store.reader.client.get_run(run_id)
    info = {key: value for key, value in dict(run.info).items() if key not in {"run_id", "run_uuid", "artifact_uri"}}
    keys = sorted(run.data.metrics)
    bulk = {
        key: [
            (m.value, m.timestamp, m.step)
            for m in store.reader.client._tracking_client.store.get_metric_history_bulk(
                [run_id], key, max_results=10_000
            )
        ]
        for key in keys
    }
    histories = {
        key: [(m.value, m.timestamp, m.step) for m in store.reader.client.get_metric_history(run_id, key)]
        for key in keys
    }
    files = {}
    if store.reader.client.list_artifacts(run_id):
        folder.mkdir()
        top = Path(store.reader.client.download_artifacts(run_id, "", str(folder)))
        files = {path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*"))}
    return {
        "info": info,
        "uri": run.info.artifact_uri.replace(run_id, "RUN"),
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": {key: value.replace(run_id, "RUN") for key, value in run.data.tags.items()},
        "histories": {key: sorted(history, key=lambda point: point[2]) for key, history in histories.items()},
        "bulk": bulk,
        "files": files,
        "inputs": run.inputs.to_dictionary(),
        "outputs": run.outputs and run.outputs.to_dictionary(),
    }


SEARCHES = [
    ("metrics.final_loss < 0.5", ["metrics.final_loss ASC"]),
    ("params.lr = '0.5' and metrics.converged = 1", ["params.seed DESC"]),
    ("tags.config_hash LIKE '%3'", ["attributes.start_time DESC"]),
    ("tags.mlflow.parentRunId = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", ["attributes.run_name ASC"]),
    ("attributes.status = 'FAILED'", []),
    ("attributes.status != 'FAILED' and attributes.end_time > 0", ["metrics.`prediction/0-1-1` DESC"]),
    ("attributes.run_name ILIKE '%SEED=2'", ["tags.config_hash ASC"]),
    ("attributes.user_id = 'somebody else'", []),
]


def found(store: Store, search: str, order: list[str]) -> list[str]:
    runs = store.reader.client.search_runs([store.experiment_id], search, ViewType.ALL, order_by=order)
    return [run.info.run_name for run in runs]


def rows(store: Store, table: str, run_ids: list[str]) -> list[tuple[Any, ...]]:
    """Rows of a table, each run's id replaced by its place, in a fixed order; whatever table and columns there are."""
    place = {run_id: str(i) for i, run_id in enumerate(run_ids)}
    assert isinstance(store.reader, SqlReader)
    with store.reader.database.reading() as connection:
        columns = sorted(column["name"] for column in inspect(connection).get_columns(table))
        selected = list(connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}"))
    mine = []
    for row in selected:
        cells = dict(zip(columns, row, strict=True))
        if cells["run_uuid"] in place:
            run_id = cells["run_uuid"]
            mine.append(
                tuple(str(c).replace(run_id, place[run_id]) if isinstance(c, str) else c for c in cells.values())
            )
    return sorted(mine, key=repr)


def client_store(store: Store) -> Store:
    return Store(
        store.experiment, store.experiment_id, store.artifact_location, ClientReader(store.uri, store.experiment_id)
    )


def compare_both_ways(store: Store, records: list[RunRecord], folder: Path) -> None:
    assert isinstance(store.writer, SqlWriter)
    by_client_store = client_store(store)
    assert isinstance(by_client_store.writer, ClientWriter)
    by_client = by_client_store.write(records)
    seen_by_client = [found(store, *search) for search in SEARCHES]
    assert [len(names) for names in seen_by_client] != [0] * len(SEARCHES)
    for run_id in by_client:
        store.reader.client.delete_run(run_id)
    by_sql = store.write(records)
    active_only = [
        [r.info.run_name for r in store.reader.client.search_runs([store.experiment_id], s, order_by=o)]
        for s, o in SEARCHES
    ]
    assert active_only == seen_by_client
    for run_id in by_client:
        store.reader.client.restore_run(run_id)

    for place, (first, second) in enumerate(zip(by_client, by_sql, strict=True)):
        assert told(store, first, folder / f"c{place}") == told(store, second, folder / f"s{place}")
    for table in ("runs", "params", "tags", "metrics", "latest_metrics"):
        left = rows(store, table, by_client)
        assert left == rows(store, table, by_sql)
        assert left


def test_on_sqlite(sqlite_folder: Path, record: Record) -> None:
    compare_both_ways(open_store("xor"), records(record), sqlite_folder)


@pytest.mark.services
def test_on_postgres(postgres_database: str, empty_folder: Path, record: Record) -> None:
    compare_both_ways(open_store("xor"), records(record), empty_folder)


def test_predictions_are_a_table_to_mlflow(sqlite_folder: Path, record: Record) -> None:
    store = open_store("xor")
    run_ids = store.write([record(0), record(1)])
    mlflow.set_tracking_uri(store.uri)  # load_table looks there, whatever the client
    frame = store.reader.client.load_table(store.experiment_id, "predictions.json", run_ids, ["run_id"])
    assert sorted(frame["run_id"]) == run_ids
    assert list(frame["pattern"]) == ["0-1-1", "0-1-1"]


def test_parents_are_the_same_both_ways(sqlite_folder: Path) -> None:
    store = open_store("xor")
    by_client_store = client_store(store)
    steps = [
        RunUpdate(tags={"kind": "sweep", "a": "1"}, artifacts={"jobs.csv": b"planned"}, metrics={"jobs": 3.0}),
        RunUpdate(
            tags={"a": "2"}, artifacts={"jobs.csv": b"done"}, metrics={"finished": 2.0, "jobs": 4.0}, status="KILLED"
        ),
    ]
    pictures = []
    for which in (by_client_store, store):
        run_id = which.start_parent("a sweep", {"kind": "sweep", "mlflow.note.content": "# *Sweep*"})
        assert store.reader.client.get_run(run_id).info.status == "RUNNING"
        for step in steps:
            which.update_parent(run_id, step)
        picture = told(store, run_id, sqlite_folder / run_id)
        assert picture["info"].pop("start_time") <= picture["info"].pop("end_time")
        picture["histories"] = {key: [p[0] for p in points] for key, points in picture["histories"].items()}
        picture["bulk"] = {key: sorted(p[0] for p in points) for key, points in picture["bulk"].items()}
        pictures.append(picture)
    assert pictures[0] == pictures[1]
    assert pictures[0]["files"] == {"jobs.csv": b"done"}
    assert pictures[0]["tags"]["a"] == "2"


def test_experiments_are_the_same_both_ways(sqlite_folder: Path) -> None:
    store = open_store("by SQL")
    other = store.reader.client.create_experiment("by client", str(sqlite_folder / "mlartifacts" / "2"))
    for which in (store, client_store(store)):
        which.writer.tag_experiment("view", "old")
        which.writer.tag_experiment("view", "new")
        assert store.reader.client.get_experiment(store.experiment_id).tags == {"view": "new"}
        store.reader.client.delete_experiment_tag(store.experiment_id, "view")
    first, second = (dict(store.reader.client.get_experiment(number)) for number in (store.experiment_id, other))
    for entity in (first, second):
        assert entity.pop("creation_time") == entity.pop("last_update_time")
    assert [first.pop("name"), second.pop("name")] == ["by SQL", "by client"]
    assert [first.pop("experiment_id"), second.pop("experiment_id")] == ["1", "2"]
    locations = [first.pop("artifact_location"), second.pop("artifact_location")]
    assert locations == [str(sqlite_folder / "mlartifacts" / number) for number in ("1", "2")]
    assert first == second


@pytest.mark.parametrize("name", ODD_NAMES[:-1])
def test_odd_experiment_names_stay_names(sqlite_folder: Path, record: Record, name: str) -> None:
    store = open_store(name)
    store.write([record(0)])
    assert store.reader.client.get_experiment_by_name(name).experiment_id == open_store(name).experiment_id == "1"
    assert {path.name for path in sqlite_folder.iterdir()} == {"mlflow.db", "mlartifacts"}
    assert {path.name for path in (sqlite_folder / "mlartifacts").iterdir()} == {"1"}
