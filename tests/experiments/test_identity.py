"""A run's params, pasted back as overrides, are the same run."""

import json
import math
import re
from dataclasses import fields, replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.config import GROUPS, Config, Record
from experiments.identity import NOT_PART_OF_A_RUN, config_hash, literal, params, run_name
from experiments.validation import problems
from nn_core import (
    Encoder,
    Fixed,
    GradientDescent,
    MeanSquaredError,
    Momentum,
    Normal,
    Parity,
    Quickprop,
    Tolerance,
    Uniform,
    Xavier,
    Xor,
)
from nn_core.parts import options, part, parts

DEFAULT = Config(task=Xor(), init=Uniform(), optimizer=GradientDescent(), criterion=Tolerance())


def identity(config: Config) -> str:
    return config_hash(params(config))


def numbers(low: float, high: float, **options: Any) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, **options)


@st.composite
def configs(draw) -> Config:
    """Any configuration that can run."""
    activation = draw(st.sampled_from(["sigmoid", "symmetric_sigmoid", "tanh"]))
    low, high = part("activation", activation).low, part("activation", activation).high
    target_low, target_high = draw(st.sampled_from([(low, high), (high, low), (low * 0.8 + high * 0.2, high)]))
    coding = {
        "low": draw(numbers(-5, -0.1)),
        "high": draw(numbers(0, 1e6)),
        "target_low": target_low,
        "target_high": target_high,
    }
    task = draw(
        st.one_of(
            st.just(Xor(**coding)),
            st.integers(1, 12).map(lambda bits: Parity(**coding, bits=bits)),
            st.integers(2, 4096).map(lambda width: Encoder(**coding, width=width)),
        )
    )
    init = draw(
        st.one_of(
            st.tuples(numbers(-1e9, 0), numbers(1e-300, 1e300)).map(lambda ends: Uniform(*ends)),
            numbers(0, 1e300, exclude_min=True).map(Normal),
            st.just(Xavier()),
            st.lists(numbers(-1e300, 1e300), min_size=4, max_size=4).map(Fixed),
        )
    )
    fixed = isinstance(init, Fixed)
    if fixed:
        task = Xor(**coding)
    config = Config(
        lr=draw(numbers(0, 1e308, exclude_min=True)),
        seed=draw(st.integers(0, 2**62)),
        hidden=1 if fixed else draw(st.integers(1, 4096) | st.lists(st.integers(1, 4096), min_size=1, max_size=4)),
        epochs=draw(st.integers(1, 10**9)),
        trials=1 if fixed else draw(st.integers(1, 100_000)),
        task=task,
        activation=activation,
        derivative_offset=draw(numbers(0, 10)),
        bias=None if fixed else draw(st.none() | numbers(1e-12, 1e3) | numbers(-1e3, -1e-12)),
        init=init,
        loss=draw(st.sampled_from(["sse", "half_sse"])),
        weight_decay=draw(numbers(0, 1)),
        optimizer=draw(
            st.one_of(
                st.just(GradientDescent()),
                st.builds(Momentum, momentum=numbers(0, 0.999), scaled=st.booleans()),
                st.builds(Quickprop, mu=numbers(1e-9, 1e9), split_by_fan_in=st.booleans()),
            )
        ),
        update=draw(st.sampled_from(["batch", "online"])),
        criterion=draw(
            st.one_of(
                numbers(1e-9, 0.3 * abs(target_high - target_low)).map(Tolerance),
                numbers(0, 1e3, exclude_min=True).map(MeanSquaredError),
            )
        ),
        stop_when_converged=draw(st.booleans()),
        record=Record(draw(st.integers(1, 1000))),
    )
    with mock.patch("experiments.validation.available", return_value=math.inf):
        assert problems(config) == []
    return config


@settings(max_examples=20)
@given(config=configs())
def test_params_pasted_back_as_overrides_are_the_same_run(expand, config):
    flat = params(config)
    (job,) = expand(*(f"{key}={value}" for key, value in flat.items()))
    assert job.params == flat
    assert job.config_hash == config_hash(flat)
    hidden = config.hidden[0] if isinstance(config.hidden, list) and len(config.hidden) == 1 else config.hidden
    assert job.config == replace(config, hidden=hidden)


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_of_a_group_is_pasted_back(expand, group):
    for option, of in parts(group).items():
        arguments = [f"{group}={option}"] + ["init.weights=[0,1e-5,-2.5,1e20]"] * (option == "fixed")
        (job,) = expand("hidden=1", *arguments)
        assert type(getattr(job.config, group)) is of
        (again,) = expand(*(f"{key}={value}" for key, value in job.params.items()))
        assert again.config == job.config
        assert again.config_hash == job.config_hash
        shown = {key for key in job.params if key.startswith(f"{group}.")}
        written = [entry for entry in options(of) if not entry.metadata.get("shorthand")]
        assert shown == {f"{group}.{entry.name}" for entry in written}


@pytest.mark.parametrize(
    ("written", "otherwise"),
    [
        ("hidden=4", "hidden=[4]"),
        ("lr=1", "lr=1.0"),
        ("lr=0.001", "lr=1e-3"),
        ("epochs=1000", "epochs=1_000"),
        ("bias=1", "bias='1.0'"),
        ("epochs=10000", "~epochs"),
        ("stop_when_converged=true", "stop_when_converged=yes"),
        ("activation=tanh", "activation='tanh'"),
        ("init.low=0", "init.low=-0.0"),
        ("task=xor", ""),
        ("record.per_decade=80", "record={}"),
        ("hidden=[8,4]", "hidden=[8,\t4]"),
        ("task.coding=auto", ""),
        (
            "task.coding=auto activation=symmetric_sigmoid",
            "activation=symmetric_sigmoid task.target_low=-0.5 task.target_high=0.5",
        ),
        ("task.coding=symmetric activation=tanh", "task.low=-1 task.target_low=-1 activation=tanh"),
        ("task.coding=symmetric task.low=-0.5", "task.low=-0.5 task.target_low=-1"),
        (
            "task=encoder task.coding=auto activation=scaled_tanh",
            "task=encoder task.target_low=-1 activation=scaled_tanh",
        ),
        ("task.coding=auto activation=relu", "activation=relu"),
        ("+study=hamey_1991_xor experiment=mine", "+study=hamey_1991_xor experiment=yours"),
    ],
)
def test_however_a_run_is_written_it_is_the_same(expand, written, otherwise):
    (one,), (other,) = ([*expand(*line.split(" "))] if line else expand() for line in (written, otherwise))
    assert one.params == other.params
    assert one.config_hash == other.config_hash


@pytest.mark.parametrize(
    "elsewhere",
    [{"experiment": "other"}, {"engine": "numpy"}, {"resume": False}, {"dry_run": True}, {"fail_fast": True}],
)
def test_where_and_how_a_run_is_made_is_not_part_of_it(elsewhere):
    assert elsewhere.keys() <= NOT_PART_OF_A_RUN
    assert getattr(DEFAULT, *elsewhere) != next(iter(elsewhere.values()))
    assert params(replace(DEFAULT, **elsewhere)) == params(DEFAULT)


def variations() -> dict[str, Config]:
    """A configuration for every field of every schema, in which that field alone is not as usual."""
    different: dict[type, Any] = {float: 0.123, int: 7, bool: True, str: "tanh"}
    found = {}
    for entry in fields(Config):
        value = getattr(DEFAULT, entry.name)
        if entry.name in NOT_PART_OF_A_RUN:
            continue
        if entry.name in {"hidden", "bias"}:
            found[entry.name] = replace(DEFAULT, **{entry.name: 0.5 if entry.name == "bias" else 5})
        elif type(value) in different:
            found[entry.name] = replace(DEFAULT, **{entry.name: different[type(value)]})
    found["record.per_decade"] = replace(DEFAULT, record=Record(7))
    for group in GROUPS:
        for name, of in parts(group).items():
            usual = of(weights=[0.0]) if of is Fixed else of()
            found[f"{group}={name}"] = replace(DEFAULT, **{group: usual})
            for entry in options(of):
                if entry.metadata.get("shorthand"):
                    continue
                as_usual = getattr(usual, entry.name)
                value = [1.0] if of is Fixed else not as_usual if as_usual is True else different[type(as_usual)]
                changed = replace(usual, **{entry.name: value})
                found[f"{group}={name} {group}.{entry.name}"] = replace(DEFAULT, **{group: changed})
    return found


def test_everything_else_is_part_of_a_run():
    usual = {"task=xor", "init=uniform", "optimizer=gradient_descent", "criterion=tolerance"}
    found = {name: identity(config) for name, config in variations().items() if name not in usual}
    assert len(found) > 40
    assert len({identity(DEFAULT), *found.values()}) == 1 + len(found)
    for name, config in variations().items():
        assert (identity(config) == identity(DEFAULT)) == (name in usual)


def test_the_hash_is_of_the_params_whatever_their_order():
    flat = params(DEFAULT)
    assert config_hash(dict(reversed(flat.items()))) == config_hash(flat)
    assert re.fullmatch(r"[0-9a-f]{16}", config_hash(flat))


def test_the_hash_stays_what_it_is():
    """Stores are full of it: a change would have every sweep run again."""
    flat = {"lr": "0.1", "hidden": "[8,4]", "bias": "null"}
    # printf '{"bias":"null","hidden":"[8,4]","lr":"0.1"}' | sha256sum
    assert json.dumps(flat, sort_keys=True, separators=(",", ":")) == '{"bias":"null","hidden":"[8,4]","lr":"0.1"}'
    assert config_hash(flat) == "bcd54da292a73f45"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (4, "4"),
        (0.1, "0.1"),
        (1.0, "1.0"),
        (-0.0, "0.0"),
        (1e-7, "1e-07"),
        ([8, 4], "[8,4]"),
        ((0.5, -1.0), "[0.5,-1.0]"),
        ("tanh", "tanh"),
    ],
)
def test_literals_are_those_of_hydra(value, text):
    assert literal(value) == text


def test_params_are_those_of_the_contract():
    config = replace(DEFAULT, hidden=[8, 4], task=Parity(bits=3), optimizer=Momentum(), init=Xavier(), bias=0.5)
    line = (
        "lr=0.1 seed=0 hidden=[8,4] epochs=10000 trials=1 task=parity task.low=0.0 task.high=1.0 task.target_low=0.0 "
        "task.target_high=1.0 task.bits=3 activation=sigmoid derivative_offset=0.0 bias=0.5 shortcuts=false "
        "init=xavier loss=sse weight_decay=0.0 optimizer=momentum optimizer.momentum=0.9 optimizer.scaled=false "
        "update=batch order_seed=0 criterion=tolerance criterion.hold=1 criterion.tolerance=0.4 "
        "stop_when_converged=false record.per_decade=80"
    )
    assert params(config) == dict(pair.split("=") for pair in line.split(" "))


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ((), "lr=0.1 hidden=4 seed=0"),
        (("seed", "lr"), "lr=0.1 hidden=4 seed=0"),
        (("task", "epochs", "bias"), "lr=0.1 hidden=4 epochs=10000 task=xor bias=null seed=0"),
        (("trials", "init.low"), "lr=0.1 hidden=4 init.low=0.0 trials=1 seed=0"),
        (("task.bits",), "lr=0.1 hidden=4 seed=0"),
    ],
)
def test_a_run_is_named_by_what_tells_it_from_its_siblings(keys, name):
    assert run_name(params(DEFAULT), keys) == name


PINNED = [
    ("", "fd6863d1133e66d8"),
    ("lr=0.5 hidden=8", "c2fa5a563174a7de"),
    ("hidden=[8,4]", "69cc1e8ef313d075"),
    ("hidden=[4]", "fd6863d1133e66d8"),
    ("seed=7 trials=20 epochs=1500", "664b013ac5da1bad"),
    ("bias=1.0", "686d52a9141efb7b"),
    ("bias=0.5 task=parity", "919d9cca22e1ab5a"),
    ("task=parity task.bits=3 task.low=-1 task.high=1", "15c15210b9af7419"),
    ("task=encoder task.width=8 hidden=3", "12c2f29fdd30a266"),
    ("task.target_low=0.1 task.target_high=0.9", "2c0347e9fcd2908e"),
    ("activation=tanh task.target_low=-1", "b254c2da45cf33a3"),
    ("activation=symmetric_sigmoid task.target_low=-0.5 task.target_high=0.5 loss=arctanh", "675d03849eb25e9b"),
    ("derivative_offset=0.1 weight_decay=0.0001", "da026c49d2c2351f"),
    ("init=normal init.std=0.5", "d5cdb60b6544ab6d"),
    ("init=xavier", "de54b7bc80aab841"),
    ("init.low=-1 init.high=1", "a126a96b416ad5fe"),
    ("hidden=1 init=fixed init.weights=[0.1,0.2,0.3,0.4]", "718f58a177df0991"),
    ("loss=half_sse update=online", "83bdc43bc814ddda"),
    ("optimizer=momentum", "2e8dff69f2ed765a"),
    ("optimizer=momentum optimizer.momentum=0.5 optimizer.scaled=true", "696623fb60633f66"),
    ("optimizer=quickprop", "31f46322cd388356"),
    ("optimizer=quickprop optimizer.mu=2.25 optimizer.split_by_fan_in=true", "c58464cb24f04415"),
    ("criterion=mse", "7647a19c722a78c4"),
    ("criterion=mse criterion.below=0.001", "80b01996d0e5bbd3"),
    ("criterion.tolerance=0.1", "19d1e27cdbff7b87"),
    ("stop_when_converged=true record.per_decade=20", "41d17cd992221b8d"),
    ("engine=numpy experiment=other resume=false", "fd6863d1133e66d8"),
    ("lr=1e-3", "ecc95954980a5448"),
    ("lr=-0.0 lr=1", "cb7417e6e01764a1"),
    ("+study=hamey_1991_xor", "d2c1822090a18199"),
    ("+study=fahlman_1989_xor", "4386fe52c27ccb51"),
]
"""Hashes that runs already have in stores: a configuration that means the same must keep finding them."""


@pytest.mark.parametrize(("line", "expected"), PINNED)
def test_runs_made_before_are_found_again(expand, line, expected):
    (job,) = expand(*line.split())
    assert job.config_hash == expected


def test_a_key_that_joined_later_counts_only_where_it_is_not_as_it_was():
    usual = params(DEFAULT)
    before = {key: value for key, value in usual.items() if key not in ("shortcuts", "order_seed")}
    assert len(before) == len(usual) - 2
    assert config_hash(before) == config_hash(usual)
    assert config_hash({**usual, "shortcuts": "true"}) != config_hash(usual)
