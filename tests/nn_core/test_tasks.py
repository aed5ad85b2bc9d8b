import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_core import Encoder, Parity, Tanh, Xor
from nn_core.parts import parts


def test_xor_is_the_lessons_table():
    task = Xor()
    assert task.inputs.tolist() == [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
    assert task.targets.tolist() == [[0], [1], [1], [0]]
    assert task.pattern_names == ("0-0-1", "0-1-1", "1-0-1", "1-1-1")


def test_xor_with_other_values_keeps_its_names():
    task = Xor(low=-1.0, high=1.0, target_low=-0.5, target_high=0.5)
    assert task.inputs.tolist() == [[-1, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, 1]]
    assert task.targets.tolist() == [[-0.5], [0.5], [0.5], [-0.5]]
    assert (task.target_low, task.target_high) == (-0.5, 0.5)
    assert task.pattern_names == Xor().pattern_names


numbers = st.floats(-10, 10)


@given(bits=st.integers(1, 7), low=numbers, high=numbers, target_low=numbers, target_high=numbers)
def test_parity_counts_odd_bits(bits, low, high, target_low, target_high):
    task = Parity(bits, low=low, high=high, target_low=target_low, target_high=target_high)
    rows = list(itertools.product((0, 1), repeat=bits))
    assert task.inputs.tolist() == [[high if bit else low for bit in row] for row in rows]
    assert task.targets.tolist() == [[target_high if sum(row) % 2 else target_low] for row in rows]
    assert task.pattern_names == tuple("-".join(map(str, row)) for row in rows)


def test_parity_of_two_bits_is_xor_without_the_constant():
    assert Parity(2).inputs.tolist() == Xor().inputs[:, :2].tolist()
    assert Parity(2).targets.tolist() == Xor().targets.tolist()


@given(width=st.integers(2, 12), low=numbers, high=numbers, target_low=numbers, target_high=numbers)
def test_encoder_asks_each_pattern_back(width, low, high, target_low, target_high):
    task = Encoder(width, low=low, high=high, target_low=target_low, target_high=target_high)
    for p, q in itertools.product(range(width), repeat=2):
        assert task.inputs[p, q] == (high if p == q else low)
        assert task.targets[p, q] == (target_high if p == q else target_low)
    assert len(set(task.pattern_names)) == width


def test_a_task_cannot_be_spoilt_for_the_next_user():
    task = Xor()
    for table in (task.inputs, task.targets):
        with pytest.raises(ValueError, match="read-only"):
            table[0, 0] = 7.0


@pytest.mark.parametrize(
    ("make", "argument", "message"),
    [(Parity, 0, "bits=0: valid is a whole number from 1 to"), (Encoder, 1, "width=1: valid is a whole number from 2")],
)
def test_too_small(make, argument, message):
    with pytest.raises(ValueError, match=message):
        make(argument).inputs  # noqa: B018


@pytest.mark.parametrize("activation", parts("activation").values())
@pytest.mark.parametrize("of", [Xor, Parity, Encoder])
def test_targets_follow_the_range_of_the_activation(of, activation):
    coded = of(coding="auto").coded_for(activation)
    assert np.ptp(coded.targets) == min(activation.high - activation.low, 1.0 if activation.high == np.inf else np.inf)
    assert coded.targets.min() == activation.low
    np.testing.assert_array_equal(coded.inputs, of().inputs)
    assert coded.coded_for(activation) is coded
    assert of(coding="auto", target_low=-3.0).coded_for(activation).targets.min() == -3.0


def test_a_symmetric_coding_is_of_inputs_and_targets():
    coded = Xor(coding="symmetric", target_high=0.5).coded_for(Tanh)
    assert coded == Xor(low=-1.0, target_low=-1.0, target_high=0.5)
    assert Xor(coding="unit").coded_for(Tanh).targets.tolist() == Xor().targets.tolist()


@pytest.mark.parametrize("coding", ["auto", "symmetric", "bipolar"])
def test_a_table_needs_values(coding):
    with pytest.raises(ValueError, match=f"task.coding={coding}"):
        _ = Xor(coding=coding).inputs


def test_tables_are_float64():
    for task in (Xor(low=0, high=1), Parity(3, target_low=0), Encoder(4, low=0, target_high=1)):
        assert task.inputs.dtype == task.targets.dtype == np.float64
