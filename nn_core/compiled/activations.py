"""Twins of `nn_core.activations`."""

from typing import Any, NamedTuple

from nn_core.compiled import functions
from nn_core.compiled.lanes import fma, inline, magnitude, negative, select


class Activation(NamedTuple):
    """Output of a unit from its net input, and the slope from that output."""

    value: Any  # (own, z) -> y
    derivative: Any  # (own, y) -> dy/dz


sigmoid = Activation(
    inline(lambda _own, z: functions.sigmoid(z)),
    inline(lambda _own, y: fma(negative(y), y, y)),
)
symmetric_sigmoid = Activation(
    inline(lambda _own, z: functions.sigmoid(z) - 0.5),
    inline(lambda _own, y: fma(negative(y), y, 0.25)),
)
tanh = Activation(
    inline(lambda _own, z: functions.tanh(z)),
    inline(lambda _own, y: fma(negative(y), y, 1.0)),
)
scaled_tanh = Activation(
    inline(lambda _own, z: functions.tanh(0.5 * z)),
    inline(lambda _own, y: fma(-0.5 * y, y, 0.5)),
)
relu = Activation(
    inline(lambda _own, z: select(z < 0.0, 0.0, z)),
    inline(lambda _own, y: select(y > 0.0, 1.0, 0.0)),
)
softplus = Activation(
    inline(lambda _own, z: select(z < 0.0, 0.0, z) + functions.log1p(functions.exp(negative(magnitude(z))))),
    inline(lambda _own, y: negative(functions.expm1(negative(y)))),
)
