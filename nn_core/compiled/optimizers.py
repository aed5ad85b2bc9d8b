"""Twins of `nn_core.optimizers`, whose docstrings explain them: the update of one weight.

``(own, weight, gradient, memory, fan_in) -> weight, memory``: `own` has the optimizer's numbers, one per lane, and its
flags; `memory` is what it remembers of this weight, then what it remembers of the network; `fan_in` counts the weights
that lead into the unit, its bias included.
"""

from typing import Any

import numpy as np

from nn_core.compiled.functions import expm1, log1p
from nn_core.compiled.lanes import Lanes, fma, inline, negative, select, square_root

Updated = tuple[Lanes, tuple[Lanes, ...]]


@inline
def gradient_descent(own: Any, weight: Lanes, gradient: Lanes, _memory: tuple[()], _fan_in: float) -> Updated:
    return fma(negative(own.learning_rate), gradient, weight), ()


@inline
def momentum(own: Any, weight: Lanes, gradient: Lanes, memory: tuple[Lanes], _fan_in: float) -> Updated:
    (velocity,) = memory
    rate = own.learning_rate * (1.0 - own.momentum) if own.scaled else own.learning_rate
    step = fma(own.momentum, velocity, negative(rate) * gradient)
    return weight + step, (step,)


@inline
def quickprop(own: Any, weight: Lanes, gradient: Lanes, memory: tuple[Lanes, Lanes], fan_in: float) -> Updated:
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


@inline
def rprop(own: Any, weight: Lanes, gradient: Lanes, memory: tuple[Lanes, Lanes, Lanes], _fan_in: float) -> Updated:
    p, size, last = memory
    along = select(p > 0.0, gradient, select(p < 0.0, negative(gradient), 0.0))
    grown, shrunk = own.grow * size, own.shrink * size
    grown, shrunk = select(grown > own.largest, own.largest, grown), select(shrunk < own.smallest, own.smallest, shrunk)
    size = select(along > 0.0, grown, select(along < 0.0, shrunk, size))
    step = select(gradient > 0.0, negative(size), select(gradient < 0.0, size, 0.0 * gradient))
    if own.backtracking:
        step, gradient = select(along < 0.0, negative(last), step), select(along < 0.0, 0.0, gradient)
    return weight + step, (gradient, size, step)


@inline
def adam(own: Any, weight: Lanes, gradient: Lanes, memory: tuple[Lanes, Lanes, Lanes], _fan_in: float) -> Updated:
    m, v, count = memory
    count = count + 1.0
    m = fma(own.beta1, m, (1.0 - own.beta1) * gradient)
    v = fma(own.beta2, v, (1.0 - own.beta2) * gradient * gradient)
    size = square_root(v / _youth(own.beta2, count)) + own.epsilon
    return weight - own.learning_rate * (m / _youth(own.beta1, count)) / size, (m, v, count)


@inline
def _youth(beta: Lanes, count: Lanes) -> Lanes:
    """1 - beta^count."""
    return select(beta > 0.0, negative(expm1(count * log1p(beta - 1.0))), 1.0)
