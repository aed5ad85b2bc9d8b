"""A team's PostgreSQL: made by several at once, gone for a while, and each run stored once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.loading import load
from experiments.ledger import revise
from tracking.client_reader import ClientReader
from tracking.errors import StoreUnreachableError, TrackingError
from tracking.record import RunRecord, RunUpdate
from tracking.sql_reader import SqlReader
from tracking.stale import repair
from tracking.store import open_reader, open_store
from tracking.sync import sync

pytestmark = pytest.mark.services

Record = Callable[..., RunRecord]
Postgres = Any


def test_four_start_at_once_on_no_tables(postgres_database: str) -> None:
    code = """
from tracking.record import RunUpdate
from tracking.sql_reader import SqlReader
from tracking.store import open_reader, open_store
store = open_store("xor")
store.update_parent(store.start_parent("sweep", {"kind": "sweep"}), RunUpdate(status="FINISHED"))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[1] for process in processes] == [b""] * 4
    assert [process.returncode for process in processes] == [0] * 4
    store = open_store("xor")
    assert [run.status for run in store.reader.sweeps()] == ["FINISHED"] * 4


def test_a_database_that_goes_away(
    postgres: Postgres, postgres_database: str, record: Record, empty_folder: Path
) -> None:
    records = [record(seed) for seed in range(6)]
    store = open_store("xor")
    parent = store.start_parent("sweep", {"kind": "sweep"})
    assert all(store.write(records[:2]))
    postgres.stop()
    try:
        assert store.write(records[2:]) == [""] * 4
        store.update_parent(parent, RunUpdate(metrics={"jobs": 6.0}, status="FAILED"))
        assert store.spooled == 5
        with pytest.raises(StoreUnreachableError):
            store.reader.finished([])
    finally:
        postgres.start()
    assert len(list(sync(revise))) == 5
    hashes = [item.tags["config_hash"] for item in records]
    assert sorted(store.reader.finished(hashes)) == sorted(hashes)
    assert len(list(store.reader.outcomes())) == 6
    assert store.reader.sweeps()[0].metrics == {"jobs": 6.0}
    assert repair(store) == []
    assert list(sync(revise)) == []


def test_what_it_refuses_is_not_stored_at_all(postgres_database: str, record: Record, empty_folder: Path) -> None:
    store = open_store("xor")
    with pytest.raises(TrackingError, match="refused"):
        store.write([record(0), record(1, params={"lr": "a\0b"})])
    assert list(store.reader.outcomes()) == []
    assert list(Path(store.artifact_location).iterdir()) == []


def test_a_sweep_in_a_database_is_analysed(postgres_database: str, empty_folder: Path) -> None:
    """What SQL reads for the figures is what MLflow's client reads."""
    sweep = ["-m", "lr=2,4", "hidden=2,4", "seed=range(6)", "epochs=500", "stop_when_converged=true"]
    subprocess.run([sys.executable, "-m", "experiments.train", *sweep], cwd=empty_folder, check=True)
    subprocess.run([sys.executable, "-m", "analysis.figures", "sweep=latest"], cwd=empty_folder, check=True)
    reader = open_reader(postgres_database)
    assert isinstance(reader, SqlReader)
    by_sql, by_client = load(reader), load(ClientReader(postgres_database))
    pd.testing.assert_frame_equal(by_sql.trials, by_client.trials)
    pd.testing.assert_frame_equal(by_sql.curves, by_client.curves)
    (table,) = empty_folder.glob("figures/*/rate.csv")
    rates = pd.read_csv(table)
    assert rates["n"].sum() == len(by_client.trials) == 24
    converged = by_client.trials.groupby(["lr", "hidden"])["converged"].mean()
    assert sorted(rates["estimate"]) == pytest.approx(sorted(converged))
