"""A run's params, pasted back as overrides, are the same run."""

import json
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.config import (
    GROUPS,
    Config,
    Encoder,
    FixedInit,
    GradientDescentOptimizer,
    MomentumOptimizer,
    MseCriterion,
    NormalInit,
    Parity,
    QuickpropOptimizer,
    Record,
    ToleranceCriterion,
    UniformInit,
    XavierInit,
    Xor,
)
from experiments.identity import NOT_PART_OF_A_RUN, config_hash, literal, params, run_name
from experiments.validation import problems
from nn_core import ACTIVATIONS

DEFAULT = Config(task=Xor(), init=UniformInit(), optimizer=GradientDescentOptimizer(), criterion=ToleranceCriterion())


def identity(config: Config) -> str:
    return config_hash(params(config))


def numbers(low: float, high: float, **options: Any) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, **options)


@st.composite
def configs(draw) -> Config:
    """Any configuration that can run."""
    activation = draw(st.sampled_from(["sigmoid", "symmetric_sigmoid", "tanh"]))
    low, high = ACTIVATIONS[activation].low, ACTIVATIONS[activation].high
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
            st.tuples(numbers(-1e9, 0), numbers(1e-300, 1e300)).map(lambda ends: UniformInit(*ends)),
            numbers(0, 1e300, exclude_min=True).map(NormalInit),
            st.just(XavierInit()),
            st.lists(numbers(-1e300, 1e300), min_size=4, max_size=4).map(FixedInit),
        )
    )
    fixed = isinstance(init, FixedInit)
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
                st.just(GradientDescentOptimizer()),
                st.builds(MomentumOptimizer, momentum=numbers(0, 0.999), scaled=st.booleans()),
                st.builds(QuickpropOptimizer, mu=numbers(1e-9, 1e9), split_by_fan_in=st.booleans()),
            )
        ),
        update=draw(st.sampled_from(["batch", "online"])),
        criterion=draw(
            st.one_of(
                numbers(1e-9, 0.3 * abs(target_high - target_low)).map(ToleranceCriterion),
                numbers(0, 1e3, exclude_min=True).map(MseCriterion),
            )
        ),
        stop_when_converged=draw(st.booleans()),
        record=Record(draw(st.integers(1, 1000))),
    )
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
    for option, schema in GROUPS[group].items():
        arguments = [f"{group}={option}"] + ["init.weights=[0,1e-5,-2.5,1e20]"] * (option == "fixed")
        (job,) = expand("hidden=1", *arguments)
        assert type(getattr(job.config, group)) is schema
        (again,) = expand(*(f"{key}={value}" for key, value in job.params.items()))
        assert again.config == job.config
        assert again.config_hash == job.config_hash
        shown = {key for key in job.params if key.startswith(f"{group}.")}
        assert shown == {f"{group}.{entry.name}" for entry in fields(schema)}


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
    for group, options in {**GROUPS, "record": {"": Record}}.items():
        for name, schema in options.items():
            usual = schema(weights=[0.0]) if schema is FixedInit else schema()
            found[f"{group}={name}"] = replace(DEFAULT, **{group: usual})
            for entry in fields(schema):
                value = [1.0] if schema is FixedInit else different[type(getattr(usual, entry.name))]
                changed = replace(usual, **{entry.name: value})
                found[f"{group}={name} {group}.{entry.name}"] = replace(DEFAULT, **{group: changed})
    return found


def test_everything_else_is_part_of_a_run():
    usual = {"task=xor", "init=uniform", "optimizer=gradient_descent", "criterion=tolerance", "record="}
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
    config = replace(
        DEFAULT, hidden=[8, 4], task=Parity(bits=3), optimizer=MomentumOptimizer(), init=XavierInit(), bias=0.5
    )
    line = (
        "lr=0.1 seed=0 hidden=[8,4] epochs=10000 trials=1 task=parity task.low=0.0 task.high=1.0 task.target_low=0.0 "
        "task.target_high=1.0 task.bits=3 activation=sigmoid derivative_offset=0.0 bias=0.5 init=xavier loss=sse "
        "weight_decay=0.0 optimizer=momentum optimizer.momentum=0.9 optimizer.scaled=false update=batch "
        "criterion=tolerance criterion.tolerance=0.4 stop_when_converged=false record.per_decade=80"
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
