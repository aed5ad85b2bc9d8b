"""Parts are declared once, and what is derived from a declaration is true of every part there is."""

import importlib
import math
from dataclasses import MISSING, FrozenInstanceError, dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_core import Fixed, Momentum, Optimizer, Parity, Part, PartError, Relu, Task, Tolerance, part, parts
from nn_core.parts import number, numbers, one_of, options, require_valid, whole

KINDS = ("task", "activation", "init", "loss", "optimizer", "update", "criterion")
ALL = [of for kind in KINDS for of in parts(kind).values()]


def made(of: type[Part]) -> Part:
    return Fixed((0.0,)) if of is Fixed else of()


@pytest.mark.parametrize("of", ALL)
def test_every_part_is_complete(of):
    assert part(of.kind, of.name) is of
    assert of.__doc__.strip()
    with pytest.raises(FrozenInstanceError):
        made(of).name = "another"
    for option in options(of):
        assert option.metadata["about"]
        names, valid = option.metadata.get("names"), option.metadata["valid"]
        assert list(names()) if names else valid.words
        if option.default is not MISSING:
            assert option.default in names() if names else valid.holds(option.default)
    require_valid(made(of))


@pytest.mark.parametrize("of", [of for of in ALL if of.twin])
def test_every_twin_is_where_it_is_said_to_be(of):
    module, _, name = of.twin.partition(":")
    found = importlib.import_module(module)
    assert not name or hasattr(found, name)


@pytest.mark.parametrize("of", ALL)
@pytest.mark.parametrize("written", [str, lambda value: value])
def test_a_part_is_made_again_from_the_params_of_its_run(of, written):
    usual = made(of)
    changed = {o.name: not v if isinstance(v := getattr(usual, o.name), bool) else v for o in options(of)}
    original = replace(usual, **changed)
    params = {of.kind: of.name, "lr": "0.5"}
    for option in options(of):
        value = getattr(original, option.name)
        text = (
            str(value).lower() if isinstance(value, bool) else str(list(value) if isinstance(value, tuple) else value)
        )
        params[f"{of.kind}.{option.name}"] = text if written is str else value
    assert type(original).from_params(params) == original


def test_what_a_table_of_several_kinds_of_runs_has_no_value_for_is_as_usual():
    params = {"optimizer": "momentum", "optimizer.momentum": math.nan, "optimizer.scaled": "none", "task": "parity"}
    assert Optimizer.from_params(params) == Momentum()
    assert Task.from_params({**params, "task.bits": 3.0, "task.low": "null"}) == Parity(3)


def test_a_part_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(PartError, match="task=nand: valid is one of xor, parity, encoder"):
        part("task", "nand")


def test_a_name_can_be_taken_once():
    with pytest.raises(PartError, match=r"activation=relu is declared twice: in nn_core.activations and in "):

        class Another(Relu, name="relu"):
            pass

    assert part("activation", "relu") is Relu


def test_a_variant_has_neither_the_name_nor_the_twin_of_what_it_varies():
    @dataclass(frozen=True)
    class Variant(Tolerance):
        pass

    assert Tolerance.twin is not None
    assert (Variant.kind, Variant.name, Variant.twin) == ("criterion", "", None)


@given(st.floats() | st.integers() | st.booleans() | st.none() | st.text())
def test_numbers_are_finite_and_within_their_bounds(value):
    real = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    def holds(**bounds):
        return number(0.5, "", **bounds).metadata["valid"].holds(value)

    assert holds() == real
    assert holds(above=0) == (real and value > 0)
    assert holds(at_least=0, below=1) == (real and 0 <= value < 1)
    assert whole(1, "", 1, 9).metadata["valid"].holds(value) == (
        isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 9
    )


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (number(1.0, ""), "a finite number"),
        (number(1.0, "", above=0), "a finite number above 0"),
        (number(1.0, "", at_least=0), "a finite number, 0 or above"),
        (number(0.5, "", at_least=0, below=1), "a finite number, 0 or above and below 1"),
        (whole(1, "", 1, 4096), "a whole number from 1 to 4,096"),
        (whole(1, "", 0, 2**62), "a whole number from 0 to 2^62"),
        (numbers(""), "a list of finite numbers"),
    ],
)
def test_what_is_valid_in_words(declared, words):
    assert declared.metadata["valid"].words == words


def test_names_are_asked_for_when_they_are_needed():
    names: list[str] = []
    declared = one_of("a", "", lambda: names)
    names.append("a")
    assert list(declared.metadata["names"]()) == ["a"]


def test_an_invalid_part_can_be_made_but_not_used():
    """So that all that is wrong with a configuration can be told together."""
    task = Parity(bits=40)
    with pytest.raises(ValueError, match=r"task\.bits=40: valid is a whole number from 1 to 12"):
        np.asarray(task.inputs)
