"""Twins of `nn_core.optimizers`: the update of one weight.

``(own, weight, gradient, memory, fan_in) -> weight, memory``: `own` has the optimizer's numbers, one per lane, and its
flags; `memory` is what it remembers of this weight, then what it remembers of the network; `fan_in` counts the weights
that lead into the unit, its bias included.
"""

from typing import Any

import numpy as np

from nn_core.compiled.lanes import Lanes, fma, inline, negative, select

Updated = tuple[Lanes, tuple[Lanes, ...]]


@inline
def gradient_descent(own: Any, weight: Lanes, gradient: Lanes, _memory: tuple[()], _fan_in: float) -> Updated:
    """See `nn_core.GradientDescent`."""
    return fma(negative(own.learning_rate), gradient, weight), ()


@inline
def momentum(own: Any, weight: Lanes, gradient: Lanes, memory: tuple[Lanes], _fan_in: float) -> Updated:
    """See `nn_core.Momentum`."""
    (velocity,) = memory
    rate = own.learning_rate * (1.0 - own.momentum) if own.scaled else own.learning_rate
    step = fma(own.momentum, velocity, negative(rate) * gradient)
    return weight + step, (step,)


@inline
def quickprop(own: Any, weight: Lanes, gradient: Lanes, memory: tuple[Lanes, Lanes], fan_in: float) -> Updated:
    """See `nn_core.Quickprop`."""
    d, p = memory
    s = negative(gradient)
    epsilon = own.learning_rate / fan_in if own.split_by_fan_in else own.learning_rate
    up = d > 0.0  # else the mirrored case
    s_along, p_along = select(up, s, gradient), select(up, p, negative(p))
    parabola = d * s / select(p == s, np.inf, p - s)
    jump = select(own.mu / (1.0 + own.mu) * p_along < s_along, own.mu * d, parabola)
    downhill = epsilon * s
    step = select(d == 0.0, downhill, select(s_along > 0.0, downhill, 0.0) + jump)
    return weight + step, (step, s)
