"""The YAML written by hand is read by a YAML library as what it was written from."""

import yaml
from hypothesis import given
from hypothesis import strategies as st
from plain import plain

from experiments.config import Config, Record
from experiments.description import config_yaml
from nn_core import Fixed, GradientDescent, Momentum, Parity, Tolerance

numbers = st.floats(allow_nan=False, allow_infinity=False)

configs = st.builds(
    Config,
    lr=numbers,
    seed=st.integers(0, 2**63),
    hidden=st.integers(1, 99) | st.lists(st.integers(1, 99), min_size=1, max_size=3),
    experiment=st.text(min_size=1).filter(str.isprintable),
    bias=st.none() | numbers,
    task=st.builds(Parity, low=numbers, bits=st.integers(1, 12)),
    init=st.builds(Fixed, weights=st.lists(numbers, max_size=4)),
    optimizer=st.just(GradientDescent()) | st.builds(Momentum, momentum=numbers, scaled=st.booleans()),
    criterion=st.builds(Tolerance, tolerance=numbers),
    stop_when_converged=st.booleans(),
    record=st.builds(Record, per_decade=st.integers(1, 999)),
)


@given(configs)
def test_a_yaml_reader_gets_the_configuration_back(config: Config) -> None:
    assert yaml.safe_load(config_yaml(config)) == plain(config)
