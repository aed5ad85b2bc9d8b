"""Files that were damaged, and what others wrote into the store: named, and gone on without."""

import io
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.figures.__main__ import main as draw_figures
from analysis.loading import SelectionError, load
from analysis.report.__main__ import main as write_report
from experiments.sweeps import main as status
from tracking.store import open_reader


@pytest.fixture
def told(caplog):
    """What was logged."""
    caplog.set_level(logging.WARNING)
    return lambda: " ".join(record.getMessage() for record in caplog.records)


def artifact(sweeps, run_id, name):
    return sweeps.root / sweeps.client.get_run(run_id).info.artifact_uri.removeprefix("file://") / name


@pytest.fixture
def overlapping(sweeps, trained):
    """A sweep of two runs, and one that reuses them and adds four; returns the second."""
    first = sweeps.start("first")
    rows = [sweeps.run(first, *t) for t in trained[:2]]
    sweeps.finish(first, rows)
    second = sweeps.start("second")
    rows = [sweeps.run(second, *t) for t in trained[2:6]] + [row | {"origin": "reused"} for row in rows]
    sweeps.client.log_metric(second.info.run_id, "jobs", len(rows))
    return sweeps.finish(second, rows)


def test_a_table_of_jobs_that_was_cut_off_is_completed_and_told(sweeps, overlapping, told):
    table = artifact(sweeps, overlapping, "jobs.csv")
    assert len(load(open_reader()).trials) == 6
    assert told() == ""
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:3]) + lines[3][:20])
    data = load(open_reader())
    assert f"jobs.csv of sweep {overlapping} is damaged (2 rows instead of 6)" in told()
    assert len(data.trials) == 4  # its own: that it reused others was in the rows that are gone
    assert (data.sweeps[0].loaded, data.sweeps[0].jobs) == (4, 6)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"not,a,table\n1,2,3\n", None], ids=str)
def test_what_is_no_table_of_jobs_is_told(sweeps, overlapping, told, content):
    table = artifact(sweeps, overlapping, "jobs.csv")
    table.unlink()
    if content is not None:
        table.write_bytes(content)
    assert len(load(open_reader()).trials) == 4
    assert f"jobs.csv of sweep {overlapping} is damaged (" in told()


def parquet(**changed):
    columns = {"seed": [10, 11], "converged": [True, False], "epochs_to_converge": pd.array([5, None], "Int64")}
    table = pd.DataFrame({**columns, "final_loss": [0.1, 0.2], "max_error": [0.1, 0.5], **changed})
    content = io.BytesIO()
    table.drop(columns=[name for name, values in changed.items() if values is None]).to_parquet(content)
    return content.getvalue()


@pytest.fixture
def with_several(sweeps, trained):
    """A sweep of one run with one trial and one with two; a function that gives the second a trials.parquet."""

    def make(content):
        parent = sweeps.start("mixed")
        rows = [sweeps.run(parent, *trained[0]), sweeps.run(parent, *trained[1], trials=2)]
        if content is not None:
            (sweeps.root / "trials.parquet").write_bytes(content)
            sweeps.client.log_artifact(rows[1]["run_id"], str(sweeps.root / "trials.parquet"))
        sweeps.finish(parent, rows)
        return rows[1]["run_id"]

    return make


def test_a_whole_table_of_trials_is_read(with_several, told):
    run_id = with_several(parquet())
    trials = load(open_reader()).trials
    assert trials.loc[trials["run_id"] == run_id, "epochs_to_converge"].tolist() == [5, np.inf]
    assert told() == ""


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"hello", parquet()[:300], parquet(converged=None), parquet(seed=["x", "y"]),
        parquet(converged=[True, None]), parquet()[:-8] + b"12345678",
    ],
    ids=["missing", "empty", "text", "truncated", "no column", "no numbers", "no answer", "tail"],
)  # fmt: skip
def test_a_run_whose_trials_cannot_be_read_is_left_out_by_name(with_several, told, content):
    run_id = with_several(content)
    data = load(open_reader())
    assert f"left out: trials.parquet of run {run_id} cannot be read (" in told()
    assert len(data.trials) == 1
    assert (data.sweeps[0].loaded, data.sweeps[0].unreadable, data.sweeps[0].jobs) == (1, 1, 2)
    assert draw_figures(["only=rate"]) == 0
    (caption,) = Path.cwd().glob("figures/*/rate.md")
    assert "1 of 2 jobs finished, 1 more unreadable." in caption.read_text()


@pytest.mark.parametrize("odd", [{"epochs": "many"}, {"seed": "null"}])
def test_a_run_without_what_every_run_has_is_left_out_by_name(sweeps, trained, told, odd):
    parent = sweeps.start("odd")
    rows = [sweeps.run(parent, *trained[0]), sweeps.run(parent, *trained[1])]
    sweeps.finish(parent, [rows[0]])
    assert len(load(open_reader()).trials) == 1
    lr, hidden, epochs, seed, result = trained[1]
    odd = {"epochs": epochs, "seed": seed} | odd
    other = sweeps.start("all odd")
    run = sweeps.run(other, lr, hidden, odd["epochs"], odd["seed"], result)
    sweeps.finish(other, [run])
    with pytest.raises(SelectionError, match="no finished run was found in all odd"):
        load(open_reader())
    assert f"run {run['run_id']} has {next(f'{k}={v}' for k, v in odd.items() if not str(v).isdecimal())}" in told()


@pytest.mark.parametrize(
    "occupy",
    [lambda figures: figures.write_text(""), lambda figures: figures.symlink_to("/proc/self")],
    ids=["a file", "read-only"],
)
def test_figures_that_cannot_be_written_are_told_in_one_line(sweeps, trained, capsys, occupy):
    parent = sweeps.start("a sweep")
    run_id = sweeps.finish(parent, [sweeps.run(parent, *trained[0])])
    occupy(Path("figures"))
    assert draw_figures(["only=rate"]) == 1
    assert write_report([]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == second
    assert f"figures/{run_id[:12]}" in first


def change(sweeps, *statements):
    with closing(sqlite3.connect(sweeps.root / "mlflow.db")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.mark.parametrize("table", ["params", "latest_metrics", "experiments"])
def test_a_store_that_lacks_a_table_is_told_in_one_line(sweeps, capsys, table):
    change(sweeps, "PRAGMA foreign_keys = OFF", f"DROP TABLE {table}")
    assert draw_figures([]) == 1
    assert status(["status"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == second
    assert f"tables are missing ({table})" in first


def test_rows_of_which_others_left_half_are_read(sweeps, trained, told):
    parent = sweeps.start("a sweep")
    rows = [sweeps.run(parent, *t) for t in trained[:3]]
    run_id = sweeps.finish(parent, rows)
    change(
        sweeps,
        "UPDATE runs SET name = NULL, start_time = NULL, end_time = 99999999999999999",
        f"UPDATE runs SET artifact_uri = NULL WHERE run_uuid = '{rows[0]['run_id']}'",
        f"DELETE FROM metrics WHERE run_uuid = '{rows[1]['run_id']}'",
        f"INSERT INTO tags VALUES ('diverged', 'never', '{rows[2]['run_id']}')",
    )
    assert draw_figures(["only=[rate,loss,surface]"]) == 0
    assert f"left out: run {rows[2]['run_id']} has diverged=never" in told()
    assert status(["status"]) == status(["status", "--json"]) == status(["show", run_id]) == 0
