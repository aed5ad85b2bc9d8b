"""What MLflow is told of a run, against the contract and against statistics computed independently."""

import io
import json
import math
import shlex

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

import nn_core
from experiments import description
from experiments.config import Record
from experiments.ensemble import Trained, Unit, train_chunk
from nn_core import Encoder, MeanSquaredError, Momentum, Parity, Quickprop, Uniform
from nn_core.statistics import running_time_interval

ERT = {"ert", "ert/low", "ert/high"}


def trained(job):
    ((outcome,),) = train_chunk([Unit((job,))], nn_core.advance, lambda epoch: None)
    assert outcome.error is None, outcome.error
    return outcome


def recorded(job):
    outcome = trained(job)
    return outcome, description.describe(outcome, "a name", {"sweep_id": "x"}, {"provenance.json": b"{}"})


def strict(content):
    """Read JSON as the standard has it, which knows no NaN."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(content, parse_constant=refuse)


def arrays(content):
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return [found[f"weights{depth}"] for depth in range(1, len(found.files) + 1)]


def outputs(job, weights):
    activation = nn_core.part("activation", job.config.activation)()
    return nn_core.forward(weights, job.config.task.inputs, activation, job.config.bias)[-1]


def test_a_run_of_one_trial(make_job):
    job = make_job(lr=2.0, epochs=1500)
    outcome, record = recorded(job)
    (result,) = outcome.results
    assert result.converged
    assert record.status == "FINISHED"
    assert record.name == "a name"
    assert record.step == 1500
    assert record.params == job.params
    assert record.metrics == {
        "final_loss": result.final_loss,
        "converged": 1.0,
        "converged_at_end": 1.0,
        "lost_at_end": 0.0,
        "epochs_to_converge": result.epochs_to_converge,
        "max_error": result.max_error,
        "prediction/0-0-1": result.predictions[0, 0],
        "prediction/0-1-1": result.predictions[1, 0],
        "prediction/1-0-1": result.predictions[2, 0],
        "prediction/1-1-1": result.predictions[3, 0],
    }
    other_seed = make_job(lr=2.0, epochs=1500, seed=8)
    assert record.tags == {
        "sweep_id": "x",
        "kind": "trial",
        "config_hash": job.config_hash,
        "condition_hash": recorded(other_seed)[1].tags["condition_hash"],
        "mlflow.loggedArtifacts": '[{"path": "predictions.json", "type": "table"}]',
        "mlflow.note.content": record.tags["mlflow.note.content"],
    }
    assert record.artifacts.keys() == {"predictions.json", "weights.npz", "config.yaml", "provenance.json"}
    assert (record.start_ms, record.end_ms) == (outcome.start_ms, outcome.end_ms)


def test_the_loss_curve_is_on_the_grid_and_ends_at_the_cutoff(make_job):
    _, record = recorded(make_job(epochs=1234, record=Record(10)))
    steps = {0, 1234} | {round(10 ** (k / 10)) for k in range(40) if round(10 ** (k / 10)) <= 1234}
    assert record.curves.keys() == {"loss"}
    curve = dict(zip(record.curves["loss"].steps.tolist(), record.curves["loss"].values, strict=True))
    assert list(curve) == sorted(steps)
    assert curve[1234] == record.metrics["final_loss"]


def test_a_trial_that_stops_ends_at_its_success(make_job):
    outcome, record = recorded(make_job(lr=2.0, epochs=1500, stop_when_converged=True))
    success = outcome.results[0].epochs_to_converge
    assert 0 < success < 1500
    assert record.step == success
    assert record.curves["loss"].steps[-1] == success
    assert record.metrics["max_error"] < 0.4


def test_a_run_that_does_not_converge_has_no_epochs_to_converge(make_job):
    _, record = recorded(make_job(epochs=5))
    assert record.metrics["converged"] == 0.0
    assert "epochs_to_converge" not in record.metrics


@pytest.mark.parametrize(
    ("task", "patterns"),
    [
        (Parity(), ["0-0", "0-1", "1-0", "1-1"]),
        (Parity(bits=1, low=-1.0, high=7.0), ["0", "1"]),
        (Parity(bits=4), [f"{n:04b}".replace("", "-")[1:-1] for n in range(16)]),
        (Parity(bits=5), []),  # 32 patterns are too many
        (Encoder(width=4), []),  # more than one output
    ],
)
def test_predictions_of_small_tasks_of_one_output_are_metrics(make_job, task, patterns):
    _, record = recorded(make_job(task=task, epochs=3))
    assert [key for key in record.metrics if key.startswith("prediction/")] == [f"prediction/{p}" for p in patterns]
    _, record = recorded(make_job(task=task, epochs=3, trials=2))
    columns = list(pd.read_parquet(io.BytesIO(record.artifacts["trials.parquet"])).columns)
    assert columns[6:] == [f"prediction/{p}" for p in patterns]


def test_the_table_of_predictions(make_job):
    outcome, record = recorded(make_job(epochs=3))
    table = strict(record.artifacts["predictions.json"])
    assert table["columns"] == ["pattern", "inputs", "target", "prediction"]
    predictions = outcome.results[0].predictions[:, 0]
    assert table["data"] == [
        ["0-0-1", [0.0, 0.0, 1.0], 0.0, predictions[0]],
        ["0-1-1", [0.0, 1.0, 1.0], 1.0, predictions[1]],
        ["1-0-1", [1.0, 0.0, 1.0], 1.0, predictions[2]],
        ["1-1-1", [1.0, 1.0, 1.0], 0.0, predictions[3]],
    ]


def test_the_table_of_predictions_of_several_outputs(make_job):
    outcome, record = recorded(make_job(task=Encoder(width=3), hidden=2, epochs=3))
    table = strict(record.artifacts["predictions.json"])
    assert [row[0] for row in table["data"]] == ["1-0-0", "0-1-0", "0-0-1"]
    assert [row[1] for row in table["data"]] == [row[2] for row in table["data"]] == np.eye(3).tolist()
    assert [row[3] for row in table["data"]] == outcome.results[0].predictions.tolist()


def test_the_table_of_predictions_of_many_trials(make_job):
    outcome, record = recorded(make_job(task=Encoder(width=3), hidden=2, epochs=20, trials=7))
    table = strict(record.artifacts["predictions.json"])
    assert table["columns"] == ["pattern", "inputs", "target", "prediction", "q10", "q90"]
    predictions = np.array([result.predictions for result in outcome.results])
    for column, quantile in [(3, 0.5), (4, 0.1), (5, 0.9)]:
        given_ = np.array([row[column] for row in table["data"]])
        np.testing.assert_allclose(given_, np.quantile(predictions, quantile, axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hidden": [5, 3], "bias": 0.5, "activation": "tanh"},
        {"task": Encoder(width=4), "hidden": 2, "bias": 1.0},
        {"trials": 3},
        {"task": Encoder(width=4), "hidden": [2, 3], "trials": 3, "bias": -1.0},
    ],
)
def test_the_weights_reproduce_the_predictions(make_job, changes):
    job = make_job(epochs=50, **changes)
    outcome, record = recorded(job)
    weights = arrays(record.artifacts["weights.npz"])
    biases = 0 if job.config.bias is None else 1
    sizes = [job.config.task.inputs.shape[1], *np.atleast_1d(job.config.hidden)]
    leading = () if job.config.trials == 1 else (job.config.trials,)
    assert [W.shape[:-1] for W in weights] == [(*leading, below + biases) for below in sizes]
    predictions = np.array([result.predictions for result in outcome.results])
    np.testing.assert_array_equal(
        outputs(job, weights), predictions if job.config.trials > 1 else predictions[0], strict=True
    )


def test_a_run_of_many_trials_counts_its_successes(make_job):
    job = make_job(lr=3.0, epochs=300, trials=40, hidden=3, init=Uniform(-1.0, 1.0))
    outcome, record = recorded(job)
    epochs = [result.epochs_to_converge for result in outcome.results if result.converged]
    assert 10 < len(epochs) < 40
    at_end = sum(result.max_error < 0.4 for result in outcome.results)
    lost = sum(result.converged and result.max_error >= 0.4 for result in outcome.results)
    expected = {"ert": (sum(epochs) + (40 - len(epochs)) * 300) / len(epochs)}
    low, high = running_time_interval([*epochs, *[math.inf] * (40 - len(epochs))], 300)
    expected |= {"ert/low": float(low), "ert/high": float(high)}
    for name, count in (("convergence_rate", len(epochs)), ("converged_at_end", at_end), ("lost_at_end", lost)):
        interval = binomtest(count, 40).proportion_ci(method="wilson")
        expected |= {name: count / 40, f"{name}/low": interval.low, f"{name}/high": interval.high}
    # within which half of the trials have converged: the 20th of 40, counting from the fastest
    if len(epochs) >= 20:
        expected["median_epochs_to_converge"] = sorted(epochs)[19]
    assert record.metrics == pytest.approx(expected)
    assert record.step == 300
    assert record.artifacts.keys() == {
        *("predictions.json", "weights.npz", "trials.parquet", "config.yaml", "provenance.json")
    }


@pytest.mark.parametrize(
    ("successes", "present"), [(0, {"ert/low"}), (2, ERT), (3, {*ERT, "median_epochs_to_converge"})]
)
def test_what_is_infinite_is_absent(make_job, successes, present):
    """Of five trials, whose epochs to converge are given: a median exists when more than half have converged."""
    job = make_job(trials=5, epochs=30)
    outcome = trained(job)
    results = tuple(
        type(result)(**{**vars(result), "epochs_to_converge": 10 * (r + 1) if r < successes else None})
        for r, result in enumerate(outcome.results)
    )
    record = description.describe(Trained(job, results, None, 0, 1), "name", {})
    rates = ("convergence_rate", "converged_at_end", "lost_at_end")
    assert record.metrics.keys() == {f"{rate}{end}" for rate in rates for end in ("", "/low", "/high")} | present
    if successes == 3:
        assert record.metrics["ert"] == pytest.approx((10 + 20 + 30 + 30 + 30) / 3)
        assert record.metrics["median_epochs_to_converge"] == 30


def test_the_table_of_trials_is_read_by_pandas(make_job):
    job = make_job(lr=3.0, epochs=300, trials=12, seed=100, hidden=3, init=Uniform(-1.0, 1.0))
    outcome, record = recorded(job)
    table = pd.read_parquet(io.BytesIO(record.artifacts["trials.parquet"]), dtype_backend="numpy_nullable")
    assert {column: str(kind) for column, kind in table.dtypes.items()} == {
        "seed": "Int64",
        "converged": "boolean",
        "converged_at_end": "boolean",
        "epochs_to_converge": "Int64",
        "final_loss": "Float64",
        "max_error": "Float64",
        **{f"prediction/{pattern}": "Float64" for pattern in ("0-0-1", "0-1-1", "1-0-1", "1-1-1")},
    }
    assert table["seed"].tolist() == list(range(100, 112))
    assert 0 < table["converged"].sum() < 12
    for row, result in zip(table.to_dict("records"), outcome.results, strict=True):
        assert row["converged"] is result.converged
        assert row["converged_at_end"] is (result.max_error < 0.4)
        assert (None if row["epochs_to_converge"] is pd.NA else row["epochs_to_converge"]) == result.epochs_to_converge
        assert row["final_loss"] == result.final_loss
        assert row["max_error"] == result.max_error
        assert row["prediction/1-0-1"] == result.predictions[2, 0]


def test_trials_that_stopped_carry_their_loss_forward(make_job):
    """The quantiles at an epoch are over all trials: those that have stopped count with the loss they stopped at."""
    changes = {"lr": 3.0, "epochs": 400, "init": Uniform(-1.0, 1.0), "stop_when_converged": True}
    _, record = recorded(make_job(trials=9, **changes))
    losses = []
    for seed in range(9):
        _, single = recorded(make_job(seed=seed, **changes))
        curve = dict(zip(single.curves["loss"].steps.tolist(), single.curves["loss"].values, strict=True))
        # at a step between two recorded epochs only a stopped trial is known: it has its last loss
        losses.append([curve.get(step, curve[max(curve)]) for step in record.curves["loss/q50"].steps.tolist()])
        stopped = max(curve)
        assert all(step in curve or step > stopped for step in record.curves["loss/q50"].steps.tolist())
    assert record.curves.keys() == {"loss/q10", "loss/q50", "loss/q90"}
    for name, quantile in [("loss/q10", 0.1), ("loss/q50", 0.5), ("loss/q90", 0.9)]:
        np.testing.assert_allclose(record.curves[name].values, np.quantile(losses, quantile, axis=0), rtol=1e-12)
        assert record.curves[name].steps[[0, -1]].tolist() == [0, 400]
    assert record.step == max(result.epochs for result in trained(make_job(trials=9, **changes)).results)


def all_finite(record):
    assert all(math.isfinite(value) for value in record.metrics.values())
    assert all(np.isfinite(curve.values).all() for curve in record.curves.values())
    strict(record.artifacts["predictions.json"])
    if "trials.parquet" in record.artifacts:
        table = pd.read_parquet(io.BytesIO(record.artifacts["trials.parquet"]))
        assert not np.isinf(table.select_dtypes("float").to_numpy()).any()


@pytest.mark.parametrize("trials", [1, 5])
def test_a_diverged_run_is_tagged_and_has_only_finite_numbers(make_job, trials):
    job = make_job(
        lr=1e307, optimizer=Momentum(momentum=50.0), epochs=200, trials=trials, criterion=MeanSquaredError(1e-9)
    )
    outcome, record = recorded(job)
    diverged = [result.diverged_at for result in outcome.results]
    assert None not in diverged
    assert record.status == "FINISHED"
    assert record.tags["diverged"] == str(min(diverged))
    assert record.step == max(diverged) < 200
    assert record.metrics["converged" if trials == 1 else "convergence_rate"] == 0.0
    all_finite(record)


def test_one_trial_that_diverged_tags_the_run(make_job):
    job = make_job(trials=3)
    outcome = trained(job)
    second = type(outcome.results[1])(**{**vars(outcome.results[1]), "diverged_at": 17})
    results = (outcome.results[0], second, outcome.results[2])
    assert description.describe(Trained(job, results, None, 0, 1), "name", {}).tags["diverged"] == "17"


def test_numbers_that_json_does_not_know_are_null(make_job):
    job = make_job(trials=3)
    outcome = trained(job)
    broken = {"final_loss": math.nan, "max_error": math.inf, "predictions": np.full((4, 1), math.nan)}
    broken["losses"] = np.append(outcome.results[1].losses[:-1], math.nan)
    second = type(outcome.results[1])(**{**vars(outcome.results[1]), **broken})
    record = description.describe(
        Trained(job, (outcome.results[0], second, outcome.results[2]), None, 0, 1), "name", {}
    )
    all_finite(record)
    table = pd.read_parquet(io.BytesIO(record.artifacts["trials.parquet"]), dtype_backend="numpy_nullable")
    assert table["final_loss"].isna().tolist() == table["max_error"].isna().tolist() == [False, True, False]
    single = description.describe(Trained(make_job(), (second,), None, 0, 1), "name", {})
    all_finite(single)
    assert single.metrics.keys() == {"converged", "converged_at_end", "lost_at_end"}
    assert [row[3] for row in strict(single.artifacts["predictions.json"])["data"]] == [None] * 4


@settings(max_examples=60)
@given(
    lr=st.floats(1e-3, 1.7e308),
    optimizer=st.sampled_from([Momentum(momentum=0.9), Momentum(momentum=1e3), Quickprop(mu=1e9)]),
    scale=st.sampled_from([1.0, 1e150, 1e307]),
    trials=st.sampled_from([1, 2, 5]),
    activation=st.sampled_from(["sigmoid", "tanh"]),
    task=st.sampled_from([Parity(), Encoder(width=3)]),
    loss=st.sampled_from(["sse", "arctanh"]),
    stop=st.booleans(),
)
def test_whatever_happens_mlflow_can_store_it(make_job, lr, optimizer, scale, trials, activation, task, loss, stop):
    """`RunRecord` refuses what MLflow would; so a record that exists is one that can be stored."""
    _, record = recorded(
        make_job(
            lr=lr,
            optimizer=optimizer,
            init=Uniform(-scale, scale / 2),
            trials=trials,
            activation=activation,
            task=task,
            loss=loss if activation == "sigmoid" else "sse",
            stop_when_converged=stop,
            epochs=12,
        )
    )
    all_finite(record)


def test_a_run_that_raised_has_its_traceback(make_job):
    job = make_job()
    error = "Traceback (most recent call last):\n  File ...\nValueError: too long: " + "x" * 9000
    record = description.describe(
        Trained(job, (), error, 1, 2), "a name", {"sweep_id": "x"}, {"provenance.json": b"{}"}
    )
    assert record.status == "FAILED"
    assert record.artifacts["traceback.txt"].decode() == error
    assert record.artifacts.keys() == {"traceback.txt", "config.yaml", "provenance.json"}
    assert record.metrics == record.curves == {}
    assert record.params == job.params
    assert record.tags["config_hash"] == job.config_hash
    assert record.tags["error"].startswith("ValueError: too long: xxx")
    assert len(record.tags["error"]) == 500


def test_the_report_of_one_trial_puts_predictions_beside_expectations(make_job):
    outcome = trained(make_job(lr=2.0, epochs=1500))
    lines = description.report(outcome.job.config, outcome.results).splitlines()
    assert lines[0].split() == ["input", "expected", "predicted"]
    for line, pattern, target, (prediction,) in zip(
        lines[1:], ["0-0-1", "0-1-1", "1-0-1", "1-1-1"], [0, 1, 1, 0], outcome.results[0].predictions, strict=False
    ):
        assert line.split() == [pattern, str(target), f"{prediction:.4f}"]
    assert len({len(line) for line in lines[1:5]}) == 1
    largest = np.abs(outcome.results[0].predictions[:, 0] - [0, 1, 1, 0]).max()
    assert lines[5].endswith(f"largest error {largest:.4g}")
    assert lines[6] == outcome.results[0].message


def test_the_report_of_many_trials_says_how_many_converged(make_job):
    outcome = trained(make_job(lr=3.0, epochs=300, trials=8))
    successes = sum(result.converged for result in outcome.results)
    low, high = binomtest(successes, 8).proportion_ci(method="wilson")
    text = description.report(outcome.job.config, outcome.results)
    assert text.startswith(
        f"{successes} of 8 trials converged: rate {successes / 8:.3f}, 95% interval {low:.3f} to {high:.3f}; ERT "
    )
    at_end = sum(result.max_error < 0.4 for result in outcome.results)
    assert text.endswith(f"; at the end {at_end} meet the criterion")


def test_a_run_says_in_words_what_came_of_it(make_job):
    job = make_job(lr=2.0, epochs=1500, hidden=[3, 2])
    outcome, record = recorded(job)
    (result,) = outcome.results
    note = record.placed("7", "0a" * 16)["mlflow.note.content"]
    assert note.startswith(f"**Converged after {result.epochs_to_converge} epochs.**")
    assert "(#/experiments/7/runs/" + "0a" * 16 + "/artifacts/predictions.json?" in note
    assert record.tags["condition_hash"] in note
    for name, output in zip(job.config.task.pattern_names, result.predictions[:, 0], strict=True):
        assert f"| {name} |" in note
        assert f"| {output:.4g} |" in note
    for weight in np.concatenate([layer.ravel() for layer in result.weights]):
        assert f"{weight:.4g}" in note
    command = shlex.split(note.rpartition("To repeat it:\n\n```\n")[2].removesuffix("\n```").replace("\\\n", ""))
    assert dict(word.split("=", 1) for word in command[3:]).items() >= record.params.items()
    assert command[:3] == ["python", "-m", "experiments.train"]


def test_many_weights_are_a_file_that_can_be_read(make_job):
    outcome, record = recorded(make_job(epochs=2, hidden=60))
    text = record.artifacts["weights.txt"].decode()
    numbers = [float(number) for line in text.splitlines() if "layer" not in line for number in line.split()]
    weights = np.concatenate([layer.ravel() for layer in outcome.results[0].weights])
    assert numbers == pytest.approx(weights, rel=1e-3)
    assert "Weights" not in record.tags["mlflow.note.content"]
