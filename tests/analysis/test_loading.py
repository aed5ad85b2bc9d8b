import hashlib
import itertools
import json
import os
import socket
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import forked
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.figures.__main__ import main as draw_figures
from analysis.loading import SelectionError, load, typed
from tracking.client_reader import ClientReader
from tracking.errors import TrackingError
from tracking.sql_reader import SqlReader
from tracking.store import open_reader


@pytest.fixture
def in_demo(demo, monkeypatch):
    monkeypatch.chdir(demo[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return demo


def test_trials_are_what_was_trained(in_demo, retrain):
    data = load(open_reader())
    trials = data.trials
    assert len(trials) == 3 * 2 * 2 * 6
    expected = {(lr, hidden, epochs, seed): r for lr, hidden, epochs, seed, r in retrain()}
    for row in trials.to_dict("records"):
        result = expected[row["lr"], row["hidden"], row["epochs"], row["seed"]]
        assert row["converged"] == result.converged
        assert row["epochs_to_converge"] == (result.epochs_to_converge if result.converged else np.inf)
        assert row["final_loss"] == result.final_loss
        assert row["max_error"] == result.max_error
        assert row["prediction/0-1-1"] == result.predictions[1, 0]
        curve = data.curves[data.curves["run_id"] == row["run_id"]]
        assert curve["epoch"].tolist() == result.loss_epochs.tolist()
        assert curve["loss"].tolist() == result.losses.tolist()


def test_columns_have_types(in_demo):
    trials = load(open_reader()).trials
    assert trials["seed"].dtype == np.int64
    assert trials[["epochs_to_converge", "final_loss", "diverged"]].dtypes.eq(np.float64).all()
    assert trials["converged"].dtype == bool
    for parameter, dtype in (("hidden", np.int64), ("epochs", np.int64), ("lr", np.float64), ("bias", object)):
        assert trials[parameter].cat.ordered
        assert trials[parameter].cat.categories.dtype == dtype or dtype is object
    assert trials["stop_when_converged"].cat.categories.dtype == bool
    assert trials["lr"].cat.categories.tolist() == [0.5, 2.0, 8.0]
    assert trials["bias"].cat.categories.tolist() == ["none"]


def test_reading_changes_nothing(in_demo):
    folder, _ = in_demo
    before = hashlib.sha256((folder / "mlflow.db").read_bytes()).hexdigest()
    load(open_reader())
    assert hashlib.sha256((folder / "mlflow.db").read_bytes()).hexdigest() == before


def test_a_server_gives_the_same_frames(in_demo, wait_for_server, monkeypatch):
    folder, _ = in_demo
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--workers", "1"]
    by_sql = load(open_reader())
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    server = forked.start(*command, folder=folder)
    try:
        wait_for_server(server, port)
        store = open_reader(f"http://127.0.0.1:{port}")
        by_client = load(store)
    finally:
        forked.end(server)
    assert isinstance(store, ClientReader)
    pd.testing.assert_frame_equal(by_sql.trials, by_client.trials)
    pd.testing.assert_frame_equal(by_sql.curves, by_client.curves)
    assert by_sql.sweeps == by_client.sweeps


def test_the_database_is_read_by_sql(in_demo):
    assert isinstance(open_reader(), SqlReader)


def test_both_readers_agree_on_a_database(in_demo):
    sql = open_reader()
    client = ClientReader(sql.uri)
    pd.testing.assert_frame_equal(load(sql).trials, load(client).trials)
    pd.testing.assert_frame_equal(load(sql).curves, load(client).curves)


def test_without_a_store_none_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TrackingError, match="there is no tracking store"):
        open_reader()
    assert not list(tmp_path.iterdir())


def test_an_empty_store_has_no_sweep(sweeps):
    with pytest.raises(SelectionError, match="no sweep in this store"):
        load(open_reader())


def test_a_sweep_is_found_by_the_beginning_of_its_id(in_demo):
    _, run_id = in_demo
    assert load(open_reader(), [run_id[:6]]).sweeps[0].parent.run_id == run_id


def test_unknown_sweeps_are_named_with_those_that_exist(in_demo):
    _, run_id = in_demo
    with pytest.raises(SelectionError, match=f"sweep=xyz is no sweep here; sweep=abq is no.*{run_id[:12]}"):
        load(open_reader(), ["xyz", "abq"])


def test_reused_runs_belong_to_the_sweep_that_lists_them(sweeps, trained):
    first = sweeps.start("first")
    rows = [sweeps.run(first, *t) for t in trained[:4]]
    sweeps.finish(first, rows)
    second = sweeps.start("second")
    rows = [row | {"origin": "reused"} for row in rows] + [sweeps.run(second, *t) for t in trained[4:6]]
    sweeps.finish(second, rows)
    data = load(open_reader())
    assert data.sweeps[0].name == "second"
    assert len(data.trials) == 6
    assert len(load(open_reader(), [data.sweeps[0].parent.run_id, first.info.run_id]).trials) == 6
    compared = load(open_reader(), [first.info.run_id, second.info.run_id], ["b", "a"]).trials
    assert compared["sweep"].value_counts().to_dict() == {"b": 4, "a": 6}
    assert compared["sweep"].cat.categories.tolist() == ["b", "a"]


@pytest.mark.parametrize(
    ("first", "second", "kept_apart"),
    [
        ({"loss": "sse"}, {"loss": "sse"}, False),
        ({"loss": "sse"}, {"loss": "mse"}, False),
        ({"loss": "sse", "bias": "null"}, {"loss": "mse", "bias": "1.0"}, True),
        ({"optimizer": "plain"}, {"optimizer": "momentum", "optimizer__momentum": 0.9}, False),
    ],
)
def test_sweeps_are_pooled_unless_they_differ_in_parameters_that_vary_only_together(
    sweeps, trained, first, second, kept_apart
):
    ids = []
    for changed in (first, second):
        parent = sweeps.start("a sweep")
        ids.append(sweeps.finish(parent, [sweeps.run(parent, *t, **changed) for t in trained[:3]]))
    data = load(open_reader(), ids)
    assert set(data.trials["sweep"]) == ({"1", "2"} if kept_apart else {""})
    assert [sweep.label for sweep in data.sweeps] == (["1", "2"] if kept_apart else ["", ""])


def test_sweeps_that_make_a_grid_are_pooled(sweeps, trained):
    ids = []
    for loss, bias in itertools.product(("sse", "mse"), ("null", "1.0")):
        parent = sweeps.start(f"{loss} {bias}")
        ids.append(sweeps.finish(parent, [sweeps.run(parent, *trained[0], loss=loss, bias=bias)]))
    assert set(load(open_reader(), ids).trials["sweep"]) == {""}


def test_single_runs_are_offered_where_there_is_no_sweep(sweeps, trained):
    parent = sweeps.start("no sweep", {"kind": "nothing"}.items())
    sweeps.run(parent, *trained[0])
    with pytest.raises(
        SelectionError, match=r"no sweep .*; it holds 1 finished single run, .*\"filter=(.*?)\""
    ) as error:
        load(open_reader())
    works = str(error.value).split('"')[1].removeprefix("filter=")
    assert len(load(open_reader(), [], run_filter=works).trials) == 1


@pytest.mark.parametrize("bad", ["params.lr = ", "params.lr == 0.5", "lr=0.5", "'"])
def test_a_bad_filter_is_explained_with_one_that_works(in_demo, bad):
    with pytest.raises(SelectionError) as error:
        load(open_reader(), [], run_filter=bad)
    message = str(error.value)
    assert message.startswith(f"filter={bad}: MLflow says: ")
    works = message.split('"')[-2].removeprefix("filter=")
    assert set(load(open_reader(), [], run_filter=works).trials["lr"]) == {0.5}


SERVED = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("uri", "shown", "reason"),
    [
        (SERVED, SERVED, "no tracking server answers there"),
        ("http://me:se@cret@127.0.0.1:9", "http://127.0.0.1:9", "no tracking server answers there"),
        ("http://[", "http://[", "that is no address of a server"),
        ("foo://x", "foo://x", "that is no kind of store that is supported; valid is sqlite:///FILE"),
        ("./mlruns", "./mlruns", "that is no kind of store that is supported; valid is sqlite:///FILE"),
        ("mysql+nodriver://me:secret@x/y", "mysql+nodriver://x/y", "the driver of that database is not installed"),
        ("oracle://me:secret@x/y", "oracle://x/y", "that is no kind of store that is supported; valid is"),
        (
            "postgresql+psycopg://me:secret@127.0.0.1:1/db",
            "postgresql+psycopg://127.0.0.1:1/db",
            "the database does not answer",
        ),
        ("sqlite:///missing.db", "sqlite:///missing.db", "there is no tracking store"),
        ("sqlite:///empty.db", "sqlite:///empty.db", "there is no tracking store"),
    ],
)
def test_a_store_that_cannot_be_read_is_told_in_one_line(tmp_path, monkeypatch, capsys, uri, shown, reason):
    (tmp_path / "empty.db").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert draw_figures([]) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"MLFLOW_TRACKING_URI={shown}: {reason}")
    assert told.err.count("\n") == 1
    assert "cret" not in told.err
    assert told.out == ""
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_what_is_no_database_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "garbage.db").write_bytes(b"no database, but longer than the head of one" * 9)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///garbage.db")
    assert draw_figures([]) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"{tmp_path}/garbage.db is no SQLite database")
    assert told.err.count("\n") == 1


def test_a_server_that_is_no_mlflow_is_told(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        done = forked.run("-m", "analysis.report", folder=tmp_path, environment=environment)
        server.shutdown()
    assert done.returncode == 1
    assert f"the tracking server {uri} does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_sweep_has_the_runs_it_made(sweeps, trained):
    parent = sweeps.start("killed")
    rows = [sweeps.run(parent, *t) for t in trained[:6]]
    unknown = [row | {"run_id": None} for row in rows[:3]]
    never = {"config_hash": "never-run", "overrides": "", "run_id": None, "origin": "new"}
    sweeps.finish(parent, [*unknown, never], "KILLED")
    data = load(open_reader())
    assert len(data.trials) == 3
    assert (data.sweeps[0].loaded, data.sweeps[0].jobs) == (3, 4)


def test_failed_runs_are_left_out(sweeps, trained):
    parent = sweeps.start("one fails")
    rows = [sweeps.run(parent, *t) for t in trained[:3]]
    sweeps.client.set_terminated(rows[0]["run_id"], "FAILED")
    rows[0]["origin"] = "failed"
    sweeps.finish(parent, rows)
    data = load(open_reader())
    assert len(data.trials) == 2
    assert (data.sweeps[0].loaded, data.sweeps[0].jobs) == (2, 3)


def test_runs_made_before_an_option_joined_have_its_default_value(sweeps, trained):
    parent = sweeps.start("widened")
    rows = [sweeps.run(parent, *t) for t in trained[:2]]
    rows += [sweeps.run(parent, *t, shortcuts="false", order_seed="0") for t in trained[2:4]]
    rows += [sweeps.run(parent, *t, optimizer="momentum", optimizer__momentum=0.5) for t in trained[4:5]]
    rows += [
        sweeps.run(parent, *t, optimizer="momentum", optimizer__momentum=0.5, optimizer__scaled="true")
        for t in trained[5:6]
    ]
    sweeps.finish(parent, rows)
    trials = load(open_reader()).trials
    assert trials["shortcuts"].cat.categories.tolist() == [False]
    assert trials["order_seed"].cat.categories.tolist() == [0]
    scaled = trials.groupby("optimizer", observed=True)["optimizer.scaled"].unique()
    assert scaled["gradient_descent"].tolist() == ["none"]
    assert sorted(scaled["momentum"].tolist()) == ["false", "true"]


def test_the_same_trial_from_two_runs_counts_once(sweeps, trained):
    parent = sweeps.start("twice")
    sweeps.finish(parent, [sweeps.run(parent, *t) for t in [*trained[:2], trained[0]]])
    assert len(load(open_reader()).trials) == 2


def test_a_sweep_without_finished_runs_is_refused(sweeps):
    sweeps.finish(sweeps.start("nothing"), [])
    with pytest.raises(SelectionError, match="no finished run was found in nothing"):
        load(open_reader())


def test_a_filter_selects_within_a_sweep_or_alone(in_demo):
    within = load(open_reader(), ["latest"], run_filter="params.hidden = '2'")
    assert set(within.trials["hidden"]) == {2}
    alone = load(open_reader(), [], run_filter="params.hidden = '2' and params.lr = '0.5'")
    assert len(alone.trials) == 12
    assert alone.sweeps == ()


def test_diverged_runs_keep_their_epoch(sweeps, trained):
    import dataclasses

    parent = sweeps.start("diverged")
    lr, hidden, epochs, seed, result = trained[0]
    diverged = dataclasses.replace(result, diverged_at=7)
    sweeps.finish(parent, [sweeps.run(parent, lr, hidden, epochs, seed, diverged)])
    assert load(open_reader()).trials["diverged"].tolist() == [7]


def test_a_run_of_several_networks_is_expanded(sweeps, tmp_path):
    parent = sweeps.start("trials")
    run = sweeps.client.create_run(parent.info.experiment_id, tags={"sweep_id": parent.info.run_id, "config_hash": "h"})
    run_id = run.info.run_id
    for key, value in {"lr": "0.5", "hidden": "4", "epochs": "100", "seed": "10", "trials": "3", "task": "xor"}.items():
        sweeps.client.log_param(run_id, key, value)
    for key, losses in {"loss/q10": [1.0, 0.1], "loss/q50": [1.1, 0.2], "loss/q90": [1.2, 0.9]}.items():
        for epoch, loss in zip((0, 100), losses, strict=True):
            sweeps.client.log_metric(run_id, key, loss, step=epoch)
    sweeps.client.log_metric(run_id, "convergence_rate", 2 / 3)
    pd.DataFrame(
        {
            "seed": np.arange(10, 13),
            "converged": [True, False, True],
            "epochs_to_converge": pd.array([50, None, 70], dtype="Int64"),
            "final_loss": [0.1, np.nan, 0.2],
            "max_error": [0.1, np.nan, 0.2],
            "prediction/0-0-1": [0.1, 0.5, 0.2],
        }
    ).to_parquet(tmp_path / "trials.parquet")
    sweeps.client.log_artifact(run_id, str(tmp_path / "trials.parquet"))
    sweeps.client.set_terminated(run_id)
    sweeps.finish(parent, [{"config_hash": "h", "overrides": "", "run_id": run_id, "origin": "new"}])
    data = load(open_reader())
    assert data.trials["seed"].tolist() == [10, 11, 12]
    assert data.trials["trial"].tolist() == [0, 1, 2]
    assert data.trials["epochs_to_converge"].tolist() == [50, np.inf, 70]
    assert data.trials["lr"].tolist() == [0.5] * 3
    assert data.trials["prediction/0-0-1"].tolist() == [0.1, 0.5, 0.2]
    assert data.curves.drop(columns="run_id").to_numpy().tolist() == [
        [0.1, 0, 1.0],
        [0.1, 100, 0.1],
        [0.5, 0, 1.1],
        [0.5, 100, 0.2],
        [0.9, 0, 1.2],
        [0.9, 100, 0.9],
    ]


@pytest.mark.parametrize(
    ("literals", "expected", "dtype"),
    [
        (["1", "-20"], [1, -20], "int64"),
        (["1", "2.5", "1e-3"], [1, 2.5, 0.001], "float64"),
        (["true", "False"], [True, False], "bool"),
        (["4", "[8, 4]"], ["4", "[8, 4]"], "str"),
        (["null", "1.0", None], [np.nan, 1.0, np.nan], "float64"),
        (["null", "null"], ["none", "none"], "str"),
        (["xor", None], ["xor", "none"], "str"),
        (["true", None], ["true", "none"], "str"),
    ],
)
def test_literals_get_their_type(literals, expected, dtype):
    column = typed(pd.Series(literals, dtype="str"))
    assert column.dtype == dtype
    pd.testing.assert_series_equal(column, pd.Series(expected, dtype=dtype))


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_numbers_survive_the_way_through_text(numbers):
    assert typed(pd.Series([repr(x) for x in numbers], dtype="str")).tolist() == numbers


@given(st.lists(st.one_of(st.integers(), st.text(), st.lists(st.integers())), min_size=1))
def test_anything_else_stays_as_it_is(values):
    column = typed(pd.Series([json.dumps(v) for v in values], dtype="str"))
    assert len(column) == len(values)
