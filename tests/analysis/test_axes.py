import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.axes import Layout, lay_out, varied
from analysis.levels import level_name, levels, ordered, unordered
from analysis.loading import SelectionError


def factorial(**axes):
    rows = itertools.product(*axes.values())
    return pd.DataFrame(rows, columns=list(axes)).assign(sweep="")


def laid_out(trials, **chosen):
    return lay_out(trials, [c for c in trials if c not in ("sweep", "seed")], chosen)


def test_the_everyday_sweep():
    layout = laid_out(factorial(lr=[0.1, 1.0], hidden=[2, 4], epochs=[10, 20], seed=[0, 1]))
    assert layout == Layout("lr", "hidden", ("epochs",))
    assert layout.along_epochs() == Layout(None, "hidden", ("lr",))


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ({"lr": [0.1]}, Layout("lr", None, ())),
        ({"lr": [0.1, 1]}, Layout("lr", None, ())),
        ({"lr": [0.1], "hidden": [2, 4]}, Layout("hidden", None, ())),
        ({"lr": [0.1], "epochs": [10, 20]}, Layout("epochs", None, ())),
        ({"lr": [0.1, 1], "epochs": [10, 20]}, Layout("lr", None, ("epochs",))),
        ({"lr": [0.1, 1], "momentum": [0.0, 0.9], "init": ["a", "b"]}, Layout("lr", "momentum", ("init",))),
    ],
)
def test_what_was_varied_finds_its_axis(axes, expected):
    assert laid_out(factorial(**axes)) == expected


def test_no_varied_parameter_is_pooled_in_silence():
    axes = {name: [0, 1] for name in ("lr", "hidden", "epochs", "a", "b")}
    layout = laid_out(factorial(**axes))
    assert set(layout.conditions) == set(axes)
    assert set(layout.along_epochs().conditions) == set(axes) - {"epochs"}


def test_what_follows_from_another_parameter_is_no_axis():
    trials = factorial(lr=[0.1, 1.0], optimizer=["plain", "momentum"])
    trials["optimizer.momentum"] = ordered(pd.Series(np.where(trials["optimizer"] == "plain", np.nan, 0.9)))
    trials["task.bits"] = trials["lr"].map({0.1: 2, 1.0: 3})
    assert varied(trials, ["lr", "optimizer", "optimizer.momentum", "task.bits"]) == ["lr", "optimizer"]
    assert laid_out(trials, x="task.bits") == Layout("task.bits", "optimizer", (), (("task.bits", ("lr",)),))


def test_parameters_that_vary_only_together_are_named():
    trials = factorial(lr=[0.1, 1.0, 2.0], hidden=[2, 4], seed=[0, 1])
    trials["loss"] = trials["lr"].map({0.1: "sse", 1.0: "sse", 2.0: "mse"})
    trials["bias"] = trials["hidden"].map({2: np.nan, 4: 1.0})
    layout = laid_out(trials)
    assert layout == Layout("lr", "hidden", (), (("hidden", ("bias",)), ("lr", ("loss",))))
    assert layout.warning == (
        "hidden varies only together with bias: their effects cannot be told apart. "
        "lr varies only together with loss: their effects cannot be told apart."
    )
    assert layout.along_epochs().warning == layout.warning
    assert laid_out(trials, row="bias").together == (("bias", ("hidden",)), ("lr", ("loss",)))


def test_the_momentum_of_one_of_two_optimizers_confounds_nothing():
    trials = factorial(lr=[0.1, 1.0], optimizer=["plain", "momentum"])
    trials["optimizer.momentum"] = ordered(pd.Series(np.where(trials["optimizer"] == "plain", np.nan, 0.9)))
    assert laid_out(trials).warning == ""


@pytest.mark.parametrize("same", [{}, {"hidden": [2, 4]}])
def test_sweeps_that_differ_in_several_parameters_are_compared_as_sweeps(same):
    trials = factorial(lr=[4.0, 7.0], **same)
    trials["sweep"] = pd.Categorical(trials["lr"].map({4.0: "plain", 7.0: "quick"}))
    trials["loss"] = trials["lr"].map({4.0: "sse", 7.0: "arctanh"})
    layout = laid_out(trials)
    assert set(layout.conditions) == {"sweep", *same}
    assert layout.together == (("sweep", ("lr", "loss")),)


def test_choices_are_kept_and_the_rest_filled_in():
    trials = factorial(lr=[0.1, 1.0], hidden=[2, 4], epochs=[10, 20])
    assert laid_out(trials, x="hidden", col="lr") == Layout("hidden", "epochs", ("lr",))
    assert laid_out(trials, row="hidden") == Layout("lr", None, ("hidden", "epochs"))


def test_bad_choices_are_all_named():
    trials = factorial(lr=[0.1, 1.0])
    with pytest.raises(SelectionError, match=r"x=lrr: (.|\n)*hue=width: (.|\n)*valid are lr, sweep"):
        laid_out(trials, x="lrr", hue="width")
    for meant in ("learning_rate", "l_r"):
        with pytest.raises(SelectionError, match=f"x={meant}: .*, did you mean lr[?]"):
            laid_out(trials, x=meant)
    with pytest.raises(SelectionError, match="must differ"):
        laid_out(trials, x="lr", hue="lr")


def test_more_than_can_be_shown_is_refused_with_the_way_out():
    with pytest.raises(SelectionError, match=r"more than 12 levels.*where\.hidden="):
        laid_out(factorial(lr=[0.1, 1.0], hidden=range(13)))
    with pytest.raises(SelectionError, match=r"49 panels.*where\.a="):
        laid_out(factorial(lr=[0.1, 1.0], hidden=[1, 2], a=range(7), b=range(7)))


def test_natural_order():
    assert levels(ordered(pd.Series([10, 2, 1]))) == [1, 2, 10]
    assert levels(ordered(pd.Series(["[10,2]", "4", "[3,2]", "16"]))) == ["4", "16", "[3,2]", "[10,2]"]
    assert levels(ordered(pd.Series(["xor", "parity"]))) == ["parity", "xor"]
    assert levels(pd.Series(pd.Categorical(["a", "b"], ["b", "a", "c"]))) == ["b", "a"]
    assert levels(ordered(pd.Series([0.9, np.nan, 0.5]))) == ["none", 0.5, 0.9]
    assert levels(ordered(pd.Series([True, False]))) == [False, True]


def test_a_part_of_the_trials_keeps_the_order_of_its_levels():
    column = ordered(pd.Series([0.9, np.nan, 0.5, 10.0]))
    assert levels(column[column != 0.5]) == ["none", 0.9, 10.0]
    assert [level for level, _ in column.to_frame("a").iloc[::-1].groupby("a", observed=True)] == [
        "none", 0.5, 0.9, 10.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "column", [[2, 10, 4], [0.9, np.nan], [True, False], ["b", "none", "a"], ["[8,4]", "16"]], ids=str
)
def test_tables_have_the_types_that_were_loaded(column):
    plain = pd.Series(column)
    pd.testing.assert_series_equal(
        unordered(pd.DataFrame({"a": ordered(plain)}))["a"], plain, check_dtype=False, check_names=False
    )


@pytest.mark.parametrize(
    ("value", "name"),
    [(10000, "10,000"), (0.05, "0.05"), (1.0, "1"), ("[8,4]", "[8,4]"), (np.nan, "none"), (np.bool_(True), "true")],
)
def test_levels_are_written_as_people_write_them(value, name):
    assert level_name(value) == name


@given(st.floats(1e-6, 1e6))
def test_a_written_number_is_the_number(value):
    assert float(level_name(value).replace(",", "")) == pytest.approx(value, rel=1e-5)
