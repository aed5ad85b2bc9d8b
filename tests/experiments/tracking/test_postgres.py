"""A team's PostgreSQL: made by several at once, gone for a while, and each run stored once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.tracking import overview
from experiments.tracking.errors import StoreUnreachableError, TrackingError
from experiments.tracking.record import RunRecord, RunUpdate
from experiments.tracking.stale import repair
from experiments.tracking.store import open_store
from experiments.tracking.sync import sync

pytestmark = pytest.mark.services

Record = Callable[..., RunRecord]
Postgres = Any


def test_four_start_at_once_on_no_tables(postgres_database: str) -> None:
    code = """
from experiments.tracking.record import RunUpdate
from experiments.tracking.store import open_store
store = open_store("xor")
store.update_parent(store.start_parent("sweep", {"kind": "sweep"}), RunUpdate(status="FINISHED"))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[1] for process in processes] == [b""] * 4
    assert [process.returncode for process in processes] == [0] * 4
    store = open_store("xor")
    assert [run.status for run in overview.sweeps(store)] == ["FINISHED"] * 4


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
            store.finished([])
    finally:
        postgres.start()
    assert len(list(sync())) == 5
    hashes = [item.tags["config_hash"] for item in records]
    assert sorted(store.finished(hashes)) == sorted(hashes)
    assert len(overview.children(store)) == 6
    assert overview.sweeps(store)[0].metrics == {"jobs": 6.0}
    assert repair(store) == []
    assert list(sync()) == []


def test_what_it_refuses_is_not_stored_at_all(postgres_database: str, record: Record, empty_folder: Path) -> None:
    store = open_store("xor")
    with pytest.raises(TrackingError, match="refused"):
        store.write([record(0), record(1, params={"lr": "a\0b"})])
    assert overview.children(store) == {}
    assert list(Path(store.artifact_location).iterdir()) == []
