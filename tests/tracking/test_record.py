"""What MLflow would refuse, cut or distort never becomes a record."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.record import Curve, RunRecord, RunUpdate, check_key

Record = Callable[..., RunRecord]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_metric_must_be_finite(record: Record, value: float) -> None:
    with pytest.raises(ValueError, match="final_loss is"):
        record(0, metrics={"final_loss": value})
    with pytest.raises(ValueError, match="jobs is"):
        RunUpdate(metrics={"jobs": value})
    with pytest.raises(ValueError, match="finite"):
        Curve(np.array([0, 1]), np.array([0.0, value]))


@pytest.mark.parametrize(
    ("steps", "values"),
    [
        ([0, 0], [1.0, 2.0]),
        ([2, 1], [1.0, 2.0]),
        ([0, 1, 2], [1.0, 2.0]),
        ([[0, 1]], [[1.0, 2.0]]),
        ([0.0, 1.0], [1.0, 2.0]),
        ([0, 1], [1, 2]),
    ],
)
def test_a_curve_must_be_one(steps: Any, values: Any) -> None:
    with pytest.raises(ValueError, match="curve"):
        Curve(np.array(steps), np.array(values))


@pytest.mark.parametrize("name", ["../weights.npz", "a/b", "a\\b", "", ".", "..", "a\0b"])
def test_an_artifact_cannot_leave_the_folder_of_its_run(record: Record, name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        record(0, artifacts={name: b""})


def test_names_are_cut_and_values_never(record: Record) -> None:
    assert len(record(0, name="x" * 1000).name) == 250
    with pytest.raises(ValueError, match=r"init\.weights"):
        record(0, params={"init.weights": "0.123456789," * 600})
    with pytest.raises(ValueError, match="keeps 8000"):
        record(0, tags={"note": "x" * 8001})


def test_a_number_and_a_curve_do_not_share_a_name(record: Record) -> None:
    with pytest.raises(ValueError, match="'loss'"):
        record(0, metrics={"loss": 1.0})


@given(st.text(max_size=12))
def test_keys_are_judged_as_mlflow_judges_them(key: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.utils.validation import _validate_param_name

    try:
        _validate_param_name(key)
        accepted = "\n" not in key and key != ""  # it lets pass what its own tables and interface cannot show
    except MlflowException:
        accepted = False
    try:
        check_key(key)
    except ValueError:
        assert not accepted, key
    else:
        assert accepted, key
