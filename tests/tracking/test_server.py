"""A real tracking server over HTTP: runs arrive; while it is away they are kept on disk; later they arrive once."""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest
from mlflow import MlflowClient

from experiments.ledger import revise
from experiments.sweeps import main
from tracking import spool
from tracking.client_reader import ClientReader
from tracking.errors import StoreUnreachableError, TrackingError
from tracking.record import RunRecord, RunUpdate
from tracking.store import Store, open_store
from tracking.sync import sync

Record = Callable[..., RunRecord]


Server = Any
Wire = Any


def assert_stored(store: Store, run_id: str, record: RunRecord, folder: Path) -> None:
    run = store.reader.client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == (record.name, record.status)
    assert (run.info.start_time, run.info.end_time) == (record.start_ms, record.end_ms)
    assert run.data.params == record.params
    assert {key: run.data.tags[key] for key in record.tags} == record.placed(run.info.experiment_id, run.info.run_id)
    assert run.data.metrics == {**record.metrics, **{key: c.values[-1] for key, c in record.curves.items()}}
    for key, curve in record.curves.items():
        history = sorted(store.reader.client.get_metric_history(run_id, key), key=lambda metric: metric.step)
        assert [metric.step for metric in history] == curve.steps.tolist()
        assert [metric.value for metric in history] == curve.values.tolist()
    if record.artifacts:
        top = Path(store.reader.client.download_artifacts(run_id, "", str(folder)))
        assert {path.name: path.read_bytes() for path in top.iterdir()} == record.artifacts


def stored_once(store: Store, records: list[RunRecord], folder: Path) -> None:
    found = {
        run.info.run_name: run.info.run_id
        for run in store.reader.client.search_runs([store.experiment_id], "tags.config_hash LIKE '%'")
    }
    assert (
        len(list(store.reader.client.search_runs([store.experiment_id], "tags.config_hash LIKE '%'")))
        == len(found)
        == len(records)
    )
    for record in records:
        downloads = folder / "downloads"
        downloads.mkdir()
        assert_stored(store, found[record.name], record, downloads)
        shutil.rmtree(downloads)
    hashes = [record.tags["config_hash"] for record in records]
    assert store.reader.finished(hashes) == {r.tags["config_hash"]: found[r.name] for r in records}


def test_a_server_that_goes_away(
    wire: Wire, record: Record, empty_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps = np.arange(2500)
    records = [record(seed) for seed in range(6)]
    assert len(steps) > 1000  # more points than one call may carry
    store = open_store("goes away")
    parent = store.start_parent("sweep", {"kind": "sweep"})
    first = store.write(records[:2])
    assert all(first)
    wire.cut()
    assert store.write(records[2:4]) == ["", ""]
    store.update_parent(parent, RunUpdate(metrics={"jobs": 6.0}, artifacts={"jobs.csv": b"a,b"}, status="FAILED"))
    assert store.spooled == 3
    assert caplog.text.count("python -m experiments.sweeps sync") == 1
    kept = list(spool.waiting(empty_folder / "spool"))
    assert [item.content.status for item in kept] == ["FINISHED", "FINISHED", "FAILED"]
    with pytest.raises(StoreUnreachableError, match="no tracking server answers"):
        list(sync(revise))
    with pytest.raises(StoreUnreachableError):
        store.reader.finished([])

    wire.mend()
    assert all(store.write(records[4:]))
    copy = empty_folder / "copy"
    shutil.copytree(empty_folder / "spool", copy)
    assert len(list(sync(revise))) == 3
    assert not (empty_folder / "spool").exists()
    stored_once(store, records, empty_folder)
    run = store.reader.client.get_run(parent)
    assert (run.info.status, run.data.metrics) == ("FAILED", {"jobs": 6.0})

    # Killed before it could forget what it had uploaded, it uploads that again.
    copy.rename(empty_folder / "spool")
    assert len(list(sync(revise))) == 3
    stored_once(store, records, empty_folder)
    assert list(sync(revise)) == []


def test_a_login_that_expires(wire: Wire, record: Record, empty_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = [record(seed) for seed in range(2)]
    store = open_store("expires")
    assert all(store.write(records[:1]))
    wire.expire()
    assert store.write(records[1:]) == [""]
    assert f"the tracking server {wire.uri} refuses the login (401): set MLFLOW_TRACKING_USERNAME" in caplog.text
    with pytest.raises(StoreUnreachableError, match=r"refuses the login \(401\).*TOKEN$"):
        open_store("expires")
    with pytest.raises(StoreUnreachableError, match="refuses the login"):
        list(sync(revise))
    wire.renew()
    assert len(list(sync(revise))) == 1
    stored_once(store, records, empty_folder)


SWEEP_THAT_WAITS = """
import sys
from experiments import train
from tracking.store import Store
write, seen = Store.write, []
def waiting(self, records):
    seen.append(records)
    if len(seen) == 2:
        print("in hand", flush=True)
        input()
    return write(self, records)
Store.write = waiting
sys.argv = ["train", *sys.argv[1:]]
train.main()
"""


def told(client: MlflowClient, parent: str) -> tuple[Any, ...]:
    """What the run of a sweep says."""
    run = client.get_run(parent)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(client.download_artifacts(parent, "jobs.csv", folder)).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    note = run.data.tags.get("mlflow.note.content", "").partition("\n\n")[2]  # after links with ids
    return run.info.status, run.data.metrics, note, rows


SWEEP = ("-m", "engine=numpy", "epochs=20", "seed=0,1", "hidden=2,3,4")


@pytest.fixture
def undisturbed(wire: Wire, empty_folder: Path, request: pytest.FixtureRequest) -> tuple[str, list[dict[str, str]]]:
    """What a sweep says of itself, and of its jobs, that nothing happens to."""
    name = request.node.name
    assert forked.run("-m", "experiments.train", *SWEEP, f"experiment={name}").returncode == 0
    (parent,) = (run.run_id for run in open_store(name).reader.sweeps())
    _, _, note, rows = told(open_store(name).reader.client, parent)
    return note, without_run_ids(rows)


def without_run_ids(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**row, "run_id": "", "overrides": row["overrides"].split(" experiment=")[0]} for row in rows]


def test_a_sweep_is_told_of_its_uploaded_runs(
    wire: Wire, empty_folder: Path, undisturbed: tuple[str, list[dict[str, str]]]
) -> None:
    with forked.conversation("-c", SWEEP_THAT_WAITS, *SWEEP) as (process, heard, said):
        assert "in hand\n" in iter(said.readline, "")
        wire.cut()
        heard.write("\n")
        output = said.read()
        process.join()
    assert process.exitcode == 1
    assert "Traceback" not in output
    assert "python -m experiments.sweeps sync" in output
    wire.mend()
    store = open_store("xor")
    (parent,) = (
        run.info.run_id for run in store.reader.client.search_runs([store.experiment_id], "tags.kind = 'sweep'")
    )
    assert store.reader.client.get_run(parent).info.status == "RUNNING"
    trials = f"tags.sweep_id = '{parent}' AND tags.kind = 'trial'"
    copy = empty_folder / "copy"
    shutil.copytree(empty_folder / "spool", copy)
    for _ in range(2):
        assert main(["sync"]) == 0
        children = {run.info.run_id for run in store.reader.client.search_runs([store.experiment_id], trials)}
        conditions = f"tags.sweep_id = '{parent}' AND tags.kind = 'condition'"
        assert len(store.reader.client.search_runs([store.experiment_id], conditions)) == 3
        status, metrics, note, rows = told(store.reader.client, parent)
        assert status == "FINISHED"
        assert metrics == {"jobs": 6, "finished": 6, "reused": 0, "failed": 0}
        assert (note, without_run_ids(rows)) == undisturbed
        assert {row["run_id"] for row in rows} == children
        assert len(children) == 6
        assert not (empty_folder / "spool").exists()
        # Killed before it could forget what it had uploaded, it uploads that again.
        if copy.exists():
            copy.rename(empty_folder / "spool")


SWEEP_THAT_GETS_NO_ANSWER = """
import sys
from experiments import train
from tracking.client_writer import ClientWriter
from tracking.errors import StoreUnreachableError
start, started = ClientWriter.start, []
def unanswered(self, *arguments):
    started.append(start(self, *arguments))
    if len(started) == 4:
        raise StoreUnreachableError("the third run was made, and nobody said so")
    return started[-1]
ClientWriter.start = unanswered
sys.argv = ["train", *sys.argv[1:]]
train.main()
"""


def test_a_run_whose_answer_was_lost_has_a_twin_that_does_not_count(
    wire: Wire, undisturbed: tuple[str, list[dict[str, str]]]
) -> None:
    """The sweep ends the run that it never heard of as KILLED; what it kept on disk is uploaded as another."""
    assert forked.run("-c", SWEEP_THAT_GETS_NO_ANSWER, *SWEEP, "experiment=twin").returncode == 1
    store = open_store("twin")
    (parent,) = (
        run.info.run_id for run in store.reader.client.search_runs([store.experiment_id], "tags.kind = 'sweep'")
    )
    status, metrics, _, rows = told(store.reader.client, parent)
    assert (status, metrics["finished"]) == ("FAILED", 5)
    assert [row["run_id"] for row in rows].count("") == 1
    assert main(["sync"]) == 0
    children = {
        run.info.run_id: run.info.status
        for run in store.reader.client.search_runs(
            [store.experiment_id], f"tags.sweep_id = '{parent}' AND tags.kind = 'trial'"
        )
    }
    assert sorted(children.values()) == ["FINISHED"] * 6 + ["KILLED"]
    status, metrics, note, rows = told(store.reader.client, parent)
    assert status == "FINISHED"
    assert metrics == {"jobs": 6, "finished": 6, "reused": 0, "failed": 0}
    assert (note, without_run_ids(rows)) == undisturbed
    assert {children[row["run_id"]] for row in rows} == {"FINISHED"}


@pytest.mark.parametrize("failed", [False, True])
def test_a_sweep_says_no_more_than_there_is(wire: Wire, record: Record, *, failed: bool) -> None:
    """One job reused, one run uploaded, and one that failed or that nobody ever ran."""
    store = open_store(f"no more, {failed}")
    (reused,) = store.write([record(0)])
    parent = store.start_parent("sweep", {"kind": "sweep"})
    hashes = [record(seed).tags["config_hash"] for seed in range(3)]
    planned = f"job,config_hash,overrides,run_id,origin\n0,{hashes[0]},,{reused},reused\n"
    planned += f"1,{hashes[1]},,,\n2,{hashes[2]},,,\n"
    store.update_parent(parent, RunUpdate(artifacts={"jobs.csv": planned.encode()}))
    wire.cut()
    for seed in range(1, 3 if failed else 2):
        tags = {"sweep_id": parent, "config_hash": hashes[seed]}
        store.write([record(seed, tags=tags, status="FAILED" if seed == 2 else "FINISHED")])
    wire.mend()
    # As when the server is back before the sweep ends, which then knows of the others that they are not there.
    store.update_parent(
        parent, RunUpdate({"jobs": 3.0, "finished": 0.0, "reused": 1.0, "failed": 0.0}, status="KILLED")
    )
    list(sync(revise))
    status, metrics, _, rows = told(store.reader.client, parent)
    assert status == ("FAILED" if failed else "KILLED")
    assert metrics == {"jobs": 3, "finished": 1, "reused": 1, "failed": int(failed)}
    assert [row["origin"] for row in rows] == ["reused", "new", "failed" if failed else ""]
    assert [bool(row["run_id"]) for row in rows] == [True, True, failed]


def test_a_run_that_was_begun_is_gone_on_with(wire: Wire, record: Record, empty_folder: Path) -> None:
    store = open_store("begun")
    begun = store.writer.start(record(0).name, record(0).tags, record(0).start_ms)
    wire.cut()
    store._keep(begun, record(0), StoreUnreachableError("gone"))
    wire.mend()
    assert len(list(sync(revise))) == 1
    stored_once(store, [record(0)], empty_folder)


def test_an_upload_that_is_killed(wire: Wire, record: Record, empty_folder: Path) -> None:
    store = open_store("upload killed")
    records = [record(seed) for seed in range(12)]
    for item in records:
        store._keep("", item, StoreUnreachableError("gone"))
    code = """
from tracking.sync import sync
for kept in sync(lambda *of_sweep: None):
    print(kept.id, flush=True)
"""
    with forked.conversation("-c", code) as (_, _, said):
        for _ in range(4):
            assert said.readline()
    list(sync(revise))
    stored_once(store, records, empty_folder)


def test_what_was_meant_for_another_store_stays(wire: Wire, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("elsewhere")
    store._keep("", record(0), StoreUnreachableError("gone"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(TrackingError, match=f"meant for {wire.uri}"):
        list(sync(revise))
    assert not Path("mlflow.db").exists()
    assert len(list(Path("spool").iterdir())) == 1


def test_a_password_is_not_written_to_disk(record: Record, empty_folder: Path) -> None:
    store = Store("xor", "1", "mlflow-artifacts:/1", ClientReader("https://user:secret@example.org/mlflow", "1"))
    store._keep("", record(0), StoreUnreachableError("gone"))
    (path,) = (empty_folder / "spool").iterdir()
    assert b"secret" not in path.read_bytes()
    assert next(spool.waiting(empty_folder / "spool")).destination == "https://example.org/mlflow"


def test_the_server_s_own_store_cannot_be_written_past_it(
    wire: Wire, tracking_server: Server, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store("behind a server")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracking_server.folder}/mlflow.db")
    store = open_store("behind a server")
    with pytest.raises(TrackingError, match="server's address"):
        store.write([record(0)])
    assert list(store.reader.client.search_runs([store.experiment_id], "")) == []


@pytest.mark.parametrize("damage", [b"", b"PK", b"not an archive at all"])
def test_a_damaged_file_is_named(record: Record, empty_folder: Path, damage: bytes) -> None:
    store = Store("xor", "1", "", ClientReader("http://127.0.0.1:9", "1"))
    store._keep("", record(0), StoreUnreachableError("gone"))
    (path,) = (empty_folder / "spool").iterdir()
    path.write_bytes(damage)
    with pytest.raises(TrackingError, match=path.name):
        list(spool.waiting(empty_folder / "spool"))


def test_a_pickle_is_refused(record: Record, empty_folder: Path) -> None:
    store = Store("xor", "1", "", ClientReader("http://127.0.0.1:9", "1"))
    store._keep("", record(0), StoreUnreachableError("gone"))
    (path,) = (empty_folder / "spool").iterdir()

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, ("trapped",)

    with path.open("wb") as file:
        np.savez(file, description=np.array([Trap()], dtype=object))
    with pytest.raises(TrackingError, match="holds no finished run"):
        list(spool.waiting(empty_folder / "spool"))
    assert not Path("trapped").exists()
