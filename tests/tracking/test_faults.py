"""Kills, concurrent starts, full and read-only disks: each run is stored whole or not at all, and the message helps."""

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forked
import pytest
from sqlalchemy import text

from tracking import artifacts
from tracking.addresses import sqlite_uri
from tracking.client_reader import ClientReader
from tracking.client_writer import ClientWriter
from tracking.database import SqliteDatabase
from tracking.errors import TrackingError, without_secrets
from tracking.record import RunRecord, RunUpdate
from tracking.sql_reader import SqlReader
from tracking.sql_writer import ABANDONED_AFTER_S
from tracking.store import Store, find_store, find_stores, open_store

Record = Callable[..., RunRecord]

WRITER = """
import gc
gc.set_threshold(50_000)
import sys
sys.path.insert(0, {tests!r})
from conftest import make_record
from tracking.errors import TrackingError
from tracking.record import RunUpdate
from tracking.store import open_store
"""


def python(code: str) -> tuple[str, str]:
    return "-c", WRITER.format(tests=str(Path(__file__).parent)) + code


def query(store: Store, statement: str) -> list[tuple[Any, ...]]:
    """Ask the database itself."""
    assert isinstance(store.reader, SqlReader)
    with store.reader.database.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def assert_whole(store: Store) -> int:
    """Check that every run has all that records have, and return how many there are."""
    counts = query(
        store,
        "SELECT run_uuid, status, (SELECT count(*) FROM params WHERE run_uuid = r.run_uuid), "
        "(SELECT count(*) FROM tags WHERE run_uuid = r.run_uuid), "
        "(SELECT count(*) FROM metrics WHERE run_uuid = r.run_uuid), "
        "(SELECT count(*) FROM latest_metrics WHERE run_uuid = r.run_uuid) FROM runs AS r",
    )
    assert len({row[1:] for row in counts}) <= 1
    for run_id, *_ in counts:
        folder = Path(store.artifact_location) / run_id / "artifacts"
        assert {path.name for path in folder.iterdir()} == {"predictions.json", "weights.npz", "config.yaml"}
        assert (folder / "weights.npz").stat().st_size == 700
    ((integrity,),) = query(store, "PRAGMA integrity_check")
    assert integrity == "ok"
    return len(counts)


def test_a_kill_leaves_whole_runs_only(sqlite_folder: Path) -> None:
    store = open_store("xor")
    code = """
store = open_store("xor")
records = [make_record(seed) for seed in range(40)]
print("ready", flush=True)
while True:
    store.write(records)
    print("written", flush=True)
"""
    rng = random.Random(0)
    seen = [0]
    for _ in range(8):
        with forked.conversation(*python(code)) as (process, _, printed):
            for _ in range(rng.randint(1, 3)):
                assert printed.readline()
            process.join(timeout=rng.uniform(0.0, 0.08))
            assert process.is_alive()
        seen.append(assert_whole(store))
        assert seen[-1] % 40 == 0
    assert seen == sorted(seen)
    assert seen[-1] > 0
    assert len(store.write([])) == 0


def test_files_of_a_killed_run_are_removed_once_they_are_old(sqlite_folder: Path, record: Record) -> None:
    store = open_store("xor")
    kept, abandoned, foreign = store.write([record(seed) for seed in range(3)])
    assert isinstance(store.reader, SqlReader)
    with store.reader.database.transaction() as session:
        for table in ("params", "tags", "metrics", "latest_metrics", "runs"):
            session.execute(
                text(f"DELETE FROM {table} WHERE run_uuid IN (:one, :two)"), {"one": abandoned, "two": foreign}
            )
    folder = Path(store.artifact_location)
    (folder / foreign).rename(folder / ("f" * 32))
    assert store.writer.remove_abandoned_files() == 0
    made_s = int(abandoned[:12], 16) / 1000
    long_ago = made_s - ABANDONED_AFTER_S - 100
    old = f"{int(long_ago * 1000):012x}{abandoned[12:]}"
    (folder / abandoned).rename(folder / old)
    for path in folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    assert store.writer.remove_abandoned_files() == 1
    assert {path.name for path in folder.iterdir()} == {kept, "f" * 32}


def test_four_start_at_once_on_no_store(empty_folder: Path) -> None:
    code = """
store = open_store("xor")
parent = store.start_parent("sweep", {"kind": "sweep"})
for first in range(0, 600, 200):
    store.write([make_record(seed, tags={"sweep_id": parent}) for seed in range(first, first + 200)])
store.update_parent(parent, RunUpdate(metrics={"finished": 600.0}, status="FINISHED"))
store.writer.analyze()
"""
    said = empty_folder.with_name("said")
    processes = [forked.start(*python(code), stdout=said) for _ in range(4)]
    reads = 0
    while any(process.is_alive() for process in processes):
        for store in find_stores():
            ((count,),) = query(store, "SELECT count(*) FROM runs")
            reads += count > 0
        processes[-1].join(timeout=0.1)
    assert said.read_text() == ""
    assert [process.exitcode for process in processes] == [0] * 4
    assert reads > 0
    store = open_store("xor")
    by_status = query(store, "SELECT status, count(*) FROM runs GROUP BY status")
    assert by_status == [("FINISHED", 4 * 601)]
    assert {path.name for path in empty_folder.iterdir()} == {"mlflow.db", "mlartifacts"}


def test_a_kill_while_the_store_is_made_leaves_no_half_of_one(empty_folder: Path) -> None:
    process = forked.start(*python('open_store("xor")'))
    while not list(empty_folder.glob(".mlflow.db.*")):
        assert process.is_alive()
    process.kill()
    process.join()
    assert not (empty_folder / "mlflow.db").exists()
    store = open_store("xor")
    assert store.reader.client.get_experiment_by_name("xor").experiment_id == store.experiment_id


def test_reading_makes_nothing(empty_folder: Path) -> None:
    assert find_store("xor") is None
    assert list(empty_folder.iterdir()) == []


def test_a_store_under_odd_folders(empty_folder: Path, empty_store: Path, record: Record) -> None:
    for name in ("with space", "per%20cent", "ques?tion", "ha#sh", "ünï"):
        folder = empty_folder / name
        folder.mkdir()
        os.chdir(folder)
        shutil.copy(empty_store, folder / "mlflow.db")
        store = open_store("xor")
        (run_id,) = store.write([record(0)])
        assert store.reader.client.get_run(run_id).info.run_name == record(0).name
        assert [entry.path for entry in store.reader.client.list_artifacts(run_id)] == sorted(record(0).artifacts)
        os.chdir(empty_folder)


def test_no_room_is_said_and_nothing_half_written(sqlite_folder: Path) -> None:
    # A limit on the size of files, since the disk itself cannot be filled here: the same writes fail, for real.
    store = open_store("xor")
    code = """
import resource
from pathlib import Path
store = open_store("xor")
store.write([make_record(seed) for seed in range(5)])
limit = Path("mlflow.db").stat().st_size + 100_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    store.write([make_record(seed) for seed in range(5, 200)])
except TrackingError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
try:
    store.write([make_record(0)])
except TrackingError as error:
    print(error)
"""
    done = forked.run(*python(code))
    assert done.returncode == 0, done.stderr
    database, files = done.stdout.splitlines()
    assert "mlflow.db" in database
    assert "disk full" in database
    assert "launch the same command again" in database
    assert "no space left" in files
    assert assert_whole(store) == 5
    assert len(list(Path(store.artifact_location).iterdir())) == 5


def test_a_read_only_store_is_said_to_be_one(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    # Nobody, since the tests may be run by root, whom no permission stops.
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        os.chdir(folder)
        shutil.copy(empty_store, folder / "mlflow.db")
        store = open_store("xor")
        folder.chmod(0o555)
        (folder / "mlflow.db").chmod(0o444)
        code = """
import os
store = open_store("xor")
records = [make_record(0)]
no_files = [make_record(0, artifacts={})]
store.writer  # imports MLflow, which nobody may be unable to read
if os.getuid() == 0:
    os.setuid(65534)
for attempt in (lambda: store.write(records), lambda: store.write(no_files), lambda: open_store("xor")):
    try:
        attempt()
    except TrackingError as error:
        print(error)
"""
        done = forked.run(*python(code))
        assert done.returncode == 0, done.stderr
        files, database, opened = done.stdout.splitlines()
        assert "mlartifacts" in files
        assert "mlflow.db" in database
        assert "mlflow.db" in opened
        for message in (files, database, opened):
            assert "cannot be written to" in message
            assert "launch the same command again" in message
        assert assert_whole(store) == 0
    finally:
        os.chdir("/")
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:secret@host:5000/x", "http://host:5000/x"),
        ("mysql+pymysql://user:sec/r@t@host/db?ssl=1", "mysql+pymysql://host/db?ssl=1"),
        ("postgresql:user:secret@host", "postgresql:host"),
        ("postgresql://host/db?password=secret&sslmode=require", "postgresql://host/db?password=***&sslmode=require"),
        ("mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dsecret%3BX%3D1", "mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3D***%3BX%3D1"),
        ("no server at http://user:secret@host: sorry, me@host", "no server at http://host: sorry, me@host"),
        ("sqlite:////home/me@host/mlflow.db", "sqlite:////home/me@host/mlflow.db"),
        ("postgresql://me:a sec ret@x@host/db", "postgresql://host/db"),
        ("http://host:5000/?access_token=secret&x=1", "http://host:5000/?access_token=***&x=1"),
        ("'+x=postgresql://me:secret@host/db' +x.API_KEY=secret lr=1", "'+x=postgresql://host/db' +x.API_KEY=*** lr=1"),
        ("'+x.password=\"a secret\"' activation=tanh", "'+x.password=***' activation=tanh"),
        ("AWS_SECRET: a secret\n  X: http://me:a secret@host", "AWS_SECRET: ***\n  X: http://host"),
        ("order_seed=3 update=shuffled: 5 passes", "order_seed=3 update=shuffled: 5 passes"),
    ],
)  # fmt: skip
def test_passwords_are_left_out_and_nothing_else(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_the_secrets_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:a secret@x@host/db")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "12345")
    assert without_secrets("no role for me:a secret@x@host, said 12345") == "no role for host, said ***"
    assert without_secrets("no such host: 'x@host'") == "no such host: 'host'"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    artifacts.save("sqlite://", str(folder), {"jobs.csv": b"whole", "others.csv": b"too"})
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, most[1]))
    try:
        with pytest.raises(TrackingError, match="no space left"):
            artifacts.save("sqlite://", str(folder), {"jobs.csv": b"a larger table"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert (folder / "jobs.csv").read_bytes() == b"whole"
    assert sorted(path.name for path in folder.iterdir()) == ["jobs.csv", "others.csv"]
    artifacts.save("sqlite://", str(folder), {"jobs.csv": b"a larger table"})
    assert (folder / "jobs.csv").read_bytes() == b"a larger table"


@pytest.mark.parametrize("ask", [SqliteDatabase.ping, SqliteDatabase.analyze, SqliteDatabase.columns])
def test_a_lock_is_waited_for(sqlite_folder: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., object]) -> None:
    path = sqlite_folder / "mlflow.db"
    looked = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        def look_at_the_clock() -> float:
            looked.append(0)
            if len(looked) == 3:
                other.execute("COMMIT")
            return 0.0

        monkeypatch.setattr("tracking.database.time", SimpleNamespace(monotonic=look_at_the_clock))
        ask(SqliteDatabase(sqlite_uri(path)))
    assert len(looked) >= 3


def test_what_is_no_database_is_said_to_be_none(empty_folder: Path) -> None:
    (empty_folder / "mlflow.db").write_bytes(b"not a database" * 100)
    with pytest.raises(TrackingError, match="no SQLite database"):
        open_store("xor")


def test_a_deleted_experiment_is_said_to_be_deleted(sqlite_folder: Path, record: Record) -> None:
    store = open_store("xor")
    store.reader.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match=r"restore --experiment-id 1"):
        store.write([record(0)])
    with pytest.raises(TrackingError, match="restore --experiment-id 1"):
        open_store("xor")
    assert not Path(store.artifact_location).exists() or list(Path(store.artifact_location).iterdir()) == []


def test_unknown_tables_are_written_to_by_mlflow_only(
    sqlite_folder: Path, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    known = open_store("xor")
    assert isinstance(known.reader, SqlReader)
    with known.reader.database.transaction() as session:
        session.execute(text("ALTER TABLE runs ADD COLUMN colour TEXT"))
    for _ in range(2):
        store = open_store("xor")
    assert isinstance(store.reader, ClientReader)
    assert isinstance(store.writer, ClientWriter)
    assert caplog.text.count("colour") == 1
    (run_id,) = store.write([record(0)])
    store.update_parent(run_id, RunUpdate(tags={"a": "b"}))
    assert store.reader.client.get_run(run_id).data.tags["a"] == "b"
    assert store.reader.finished([record(0).tags["config_hash"]]) == {record(0).tags["config_hash"]: run_id}


def test_a_store_of_an_older_mlflow_is_said_to_be_one(sqlite_folder: Path) -> None:
    database = SqliteDatabase(sqlite_uri(sqlite_folder / "mlflow.db"))
    with database.transaction() as session:
        session.execute(text("ALTER TABLE runs ADD COLUMN colour TEXT"))
        session.execute(text("UPDATE alembic_version SET version_num = '451aebb31d03'"))
    os.utime(database.path, (0, 0))
    with pytest.raises(TrackingError, match="mlflow db upgrade"):
        open_store("xor")


def test_a_user_whom_the_machine_does_not_know_needs_no_home(empty_folder: Path) -> None:
    """As in containers, which are run as any number; MLflow cannot be imported without a home."""
    unknown = "import pwd\ndef getpwuid(uid): raise KeyError(uid)\npwd.getpwuid = getpwuid\n"
    subprocess.run(
        [sys.executable, "-c", f"{unknown}import tracking, mlflow"], env={"PATH": os.environ["PATH"]}, check=True
    )
