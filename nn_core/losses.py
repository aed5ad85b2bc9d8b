"""Losses: one number E for how wrong a network is, and the slope dE/d(output) that backpropagation starts from.

All sum over patterns and outputs, never average, as the papers on this subject do: a learning rate from a paper means
the same here. Let y be the target and o the output.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ARCTANH_CAP = 0.9999999
"""The arctanh loss caps |y - o| here: at 1 its slope is infinite (Fahlman 1988, CMU-CS-88-162).

It suits the sigmoids, whose outputs are never further than 1 from a target that they can reach.
"""


@dataclass(frozen=True)
class Loss:
    """An error measure E and its slope.

    Attributes
    ----------
    name : str
        The name used in configurations.
    value : callable
        (targets, outputs), shapes (patterns, outputs) and (..., patterns, outputs), to E of shape (...).
    slope : callable
        (targets, outputs) to dE/d(output), of the outputs' shape.
    """

    name: str
    value: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]


def _total(terms: Array) -> Array:
    return np.asarray(terms.sum(axis=(-2, -1)), dtype=np.float64)


def _sse(targets: Array, outputs: Array) -> Array:
    return _total((targets - outputs) ** 2)


def _sse_slope(targets: Array, outputs: Array) -> Array:
    return -2.0 * (targets - outputs)


def _half_sse(targets: Array, outputs: Array) -> Array:
    return 0.5 * _sse(targets, outputs)


def _half_sse_slope(targets: Array, outputs: Array) -> Array:
    return outputs - targets


def _capped_difference(targets: Array, outputs: Array) -> Array:
    return np.clip(targets - outputs, -ARCTANH_CAP, ARCTANH_CAP)


def _arctanh(targets: Array, outputs: Array) -> Array:
    d = _capped_difference(targets, outputs)
    return _total((1.0 + d) * np.log1p(d) + (1.0 - d) * np.log1p(-d))


def _arctanh_slope(targets: Array, outputs: Array) -> Array:
    d = _capped_difference(targets, outputs)
    return np.log1p(-d) - np.log1p(d)


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        # E = sum (y - o)^2, the lesson's.
        Loss("sse", _sse, _sse_slope),
        # E = 1/2 sum (y - o)^2; the half cancels the 2 of the slope (Rumelhart, Hinton & Williams 1986, eq. 2).
        Loss("half_sse", _half_sse, _half_sse_slope),
        # E = sum (1 + d) ln(1 + d) + (1 - d) ln(1 - d), d = y - o; dE/do = -ln((1 + d) / (1 - d)) (Fahlman 1988).
        Loss("arctanh", _arctanh, _arctanh_slope),
    )
}
