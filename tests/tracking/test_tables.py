"""Runs are written by SQL only where MLflow's models are those that this was written for."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Column, MetaData, Text

from tracking import database
from tracking.client_writer import ClientWriter
from tracking.record import RunRecord
from tracking.store import open_store


def test_the_models_of_the_mlflow_that_is_installed_are_known() -> None:
    assert database.unknown_models() == []


def test_with_other_models_runs_are_written_by_mlflow_only(
    sqlite_folder: Path,
    record: Callable[[int], RunRecord],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    changed = MetaData()
    for table in database.models().Base.metadata.tables.values():
        table.to_metadata(changed)
    changed.tables["tags"].append_column(Column("colour", Text))
    monkeypatch.setattr(database, "models", lambda: SimpleNamespace(Base=SimpleNamespace(metadata=changed)))
    for _ in range(2):
        store = open_store("xor")
        assert isinstance(store.writer, ClientWriter)
    assert caplog.text.count("tags: key, value, run_uuid, colour") == 1
    (run_id,) = store.write([record(0)])
    hash_ = record(0).tags["config_hash"]
    assert store.reader.finished([hash_]) == {hash_: run_id}
    assert store.reader.client.get_run(run_id).data.tags["config_hash"] == hash_
