"""A store is read alike by SQL and through MLflow's client, and what is read is what was written."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from tracking import artifacts, spool
from tracking.client_reader import ClientReader
from tracking.errors import FilterError, TrackingError
from tracking.reader import Reader
from tracking.record import Outcome, RunRecord, RunUpdate
from tracking.sql_reader import SqlReader
from tracking.store import Store, open_reader, open_store

Record = Callable[..., RunRecord]

SWEEP_ID = "0a" * 16


def tags(sweep_id: str, config_hash: str) -> dict[str, str]:
    return {"sweep_id": sweep_id, "config_hash": config_hash}


def records(record: Record, sweep_id: str) -> list[RunRecord]:
    several = {"convergence_rate": 0.25, "median_epochs_to_converge": 70.0}
    never = {"converged": 0.0, "final_loss": 0.5, "max_error": 0.9}
    once = {"converged": 1.0, "converged_at_end": 0.0, "epochs_to_converge": 12.0, "final_loss": 0.01, "max_error": 0.2}
    return [
        record(0, tags=tags(sweep_id, "a"), metrics=once),
        record(1, tags=tags(sweep_id, "b"), metrics=never, name='it\'s "quoted"'),
        record(2, tags=tags(sweep_id, "c"), metrics=several, params={"lr": "0.5", "trials": "4"}),
        record(3, tags=tags(sweep_id, "a"), metrics={}, status="FAILED"),
        record(4, tags={"config_hash": "single"}, metrics=once, name="it's alone"),
    ]


def written(store: Store, record: Record) -> tuple[str, list[str]]:
    """Write a sweep with runs of all kinds, and what is not to be seen: a run that was deleted, other experiments."""
    parent = store.start_parent("a sweep", {"kind": "sweep"})
    run_ids = store.write(records(record, parent))
    (deleted,) = store.write([record(5, tags=tags(parent, "d"))])
    store.reader.client.delete_run(deleted)
    for name in ("other", "deleted"):
        other = open_store(name)
        other.write([record(6, tags=tags(SWEEP_ID, "other"))])
    other.reader.client.delete_experiment(other.experiment_id)
    return parent, run_ids


def answers(reader: Reader, parent: str, run_ids: list[str]) -> dict[str, Any]:
    """Ask everything that can be asked."""
    histories = reader.histories(run_ids, ["loss", "final_loss", "none"])
    return {
        "experiments": sorted(reader.experiments(), key=lambda experiment: experiment.id),
        "sweeps": reader.sweeps(),
        "running": reader.running(),
        "run": reader.run(run_ids[0]),
        "no run": [reader.run("f" * 32), reader.run("' OR 1=1")],
        "by id": reader.matching(run_ids[1]),
        "by name": reader.matching("it's alone"),
        "by beginning": reader.matching(run_ids[4][:31]),
        "by nothing": reader.matching("zzz"),
        "latest": reader.matching("latest"),
        "by ids": reader.by_ids([run_ids[3], run_ids[1], "f" * 32]),
        "outcomes": list(reader.outcomes()),
        "of sweep": list(reader.of_sweep(parent)),
        "finished": reader.finished(["a", "c", "never"]),
        "failed": reader.failed(["a", "c", "never"]),
        "columns": list(reader.rows(["params.trials", "metrics.converged", "attributes.end_time"])),
        "newest": list(reader.rows(["attributes.run_name"], ("metrics.converged", "=", 1.0), newest=1)),
        "several": list(
            reader.rows(["tags.config_hash"], ("params.lr", "LIKE", "0.%"), ("attributes.status", "=", "FINISHED"))
        ),
        "search": reader.search("metrics.final_loss < 0.1"),
        "histories": [column.tolist() for column in histories],
        "artifact": reader.artifact(reader.by_ids(run_ids[:1])[run_ids[0]], "weights.npz"),
        "no artifact": reader.artifact(reader.by_ids(run_ids[:1])[run_ids[0]], "nothing.npz"),
    }


def compare(record: Record) -> None:
    store = open_store("xor")
    parent, run_ids = written(store, record)
    assert isinstance(store.reader, SqlReader)
    for experiment_id in (None, store.experiment_id):
        by_sql = answers(SqlReader(store.reader.database, experiment_id), parent, run_ids)
        by_client = answers(ClientReader(store.uri, experiment_id), parent, run_ids)
        for question, answer in by_sql.items():
            assert answer == by_client[question], question


def test_both_readers_agree_on_sqlite(sqlite_folder: Path, record: Record) -> None:
    compare(record)


@pytest.mark.services
def test_both_readers_agree_on_postgres(postgres_database: str, record: Record) -> None:
    compare(record)


@pytest.mark.parametrize("by_client", [False, True])
def test_what_is_read_is_what_was_written(sqlite_folder: Path, record: Record, by_client: bool) -> None:
    store = open_store("xor")
    parent, run_ids = written(store, record)
    reader = ClientReader(store.uri, store.experiment_id) if by_client else store.reader
    a, b, c, failed, single = run_ids
    assert list(reader.outcomes()) == [
        Outcome(a, "a", "FINISHED", parent, 1, 1.0, 0.0, 12.0, 0.01, 0.2),
        Outcome(b, "b", "FINISHED", parent, 1, 0.0, None, None, 0.5, 0.9),
        Outcome(c, "c", "FINISHED", parent, 4, 0.25, None, 70.0),
        Outcome(failed, "a", "FAILED", parent),
        Outcome(single, "single", "FINISHED", None, 1, 1.0, 0.0, 12.0, 0.01, 0.2),
    ]
    assert [outcome.run_id for outcome in reader.of_sweep(parent)] == [a, b, c, failed]
    assert reader.finished(["a", "single", "other", "d"]) == {"a": a, "single": single}
    assert reader.failed(["a", "b"]) == {"a": failed}
    expected = records(record, parent)
    for run_id, wanted in zip(run_ids, expected, strict=True):
        run = reader.run(run_id)
        assert run is not None
        assert (run.name, run.status, run.start_ms, run.end_ms) == (
            wanted.name, wanted.status, wanted.start_ms, wanted.end_ms,
        )  # fmt: skip
        assert run.params == wanted.params
        assert run.metrics == {**wanted.metrics, "loss": wanted.curves["loss"].values[-1]}
        assert wanted.tags.items() <= run.tags.items()
        assert reader.artifact(run, "config.yaml") == wanted.artifacts["config.yaml"]
    assert [run.run_id for run in reader.sweeps()] == [run.run_id for run in reader.running()] == [parent]
    assert reader.running()[0].end_ms is None
    assert [run.run_id for run in reader.matching("it's alone")] == [single]
    histories = reader.histories([b, a], ["max_error", "loss"])
    of_a = (histories.run == 1) & (histories.key == 1)
    assert histories.step[of_a].tolist() == expected[0].curves["loss"].steps.tolist()
    assert histories.value[of_a].tolist() == expected[0].curves["loss"].values.tolist()
    assert histories.value[histories.key == 0].tolist() == [0.9, 0.2]


def test_a_point_logged_twice_counts_once(sqlite_folder: Path) -> None:
    store = open_store("xor")
    run_id = store.start_parent("a sweep", {})
    for timestamp in (1, 2):
        store.reader.client.log_metric(run_id, "loss", 0.5, timestamp=timestamp, step=3)
    for reader in (store.reader, ClientReader(store.uri)):
        assert [column.tolist() for column in reader.histories([run_id], ["loss"])] == [[0], [0], [3], [0.5]]


@pytest.mark.parametrize("by_client", [False, True])
def test_what_mlflow_does_not_understand_is_said_in_its_words(sqlite_folder: Path, by_client: bool) -> None:
    store = open_store("xor")
    reader = ClientReader(store.uri) if by_client else open_reader()
    with pytest.raises(FilterError, match="lr"):
        reader.search("lr = 1")


def test_reading_writes_nothing(sqlite_folder: Path, record: Record) -> None:
    store = open_store("xor")
    store.write([record(0)])
    before = (sqlite_folder / "mlflow.db").read_bytes()
    answers(open_reader(), SWEEP_ID, list(store.reader.finished([record(0).tags["config_hash"]]).values()) * 5)
    assert (sqlite_folder / "mlflow.db").read_bytes() == before
    assert isinstance(store.reader, SqlReader)
    with pytest.raises(TrackingError, match="cannot be written"), store.reader.database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM runs")


@pytest.mark.parametrize("served", [False, True])
def test_files_in_folders_come_back(request: pytest.FixtureRequest, served: bool) -> None:
    request.getfixturevalue("wire" if served else "sqlite_folder")
    store = open_store("folders")
    run_id = store.start_parent("a sweep", {})
    store.update_parent(run_id, RunUpdate(artifacts={"jobs.csv": b"a,b"}))
    run = store.reader.run(run_id)
    assert run is not None
    artifacts.save(store.uri, run.artifact_uri, {"figures/rate.png": b"\x89PNG", "figures/rate.csv": b"1"})
    assert store.reader.artifact(run, "jobs.csv") == b"a,b"
    assert store.reader.artifact(run, "figures/rate.png") == b"\x89PNG"
    assert store.reader.artifact(run, "figures/heatmap.png") is None
    assert [entry.path for entry in store.reader.client.list_artifacts(run_id, "figures")] == [
        "figures/rate.csv", "figures/rate.png",
    ]  # fmt: skip


UPLOAD = """
import sys
from pathlib import Path
from tracking import spool
with spool.alone(Path("spool")):
    print("alone", flush=True)
    sys.stdin.readline()
"""


def test_a_second_upload_of_a_folder_waits(empty_folder: Path) -> None:
    folder = empty_folder / spool.FOLDER
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", UPLOAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"alone\n"
        (lock,) = set(empty_folder.iterdir()) - {folder}
        with pytest.raises(Timeout):
            FileLock(lock).acquire(blocking=False)
        process.communicate(b"\n")
    with spool.alone(folder):
        pass
    assert list(empty_folder.iterdir()) == [folder]
