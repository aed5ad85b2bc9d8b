"""Twins of `nn_core.losses`."""

from typing import Any, NamedTuple

from nn_core.compiled.functions import log, log1p
from nn_core.compiled.lanes import Lanes, fma, inline, negative, select
from nn_core.losses import ARCTANH_CAP, CROSS_ENTROPY_CAP


class Loss(NamedTuple):
    """What one output of one pattern adds to the loss, and the slope of that."""

    term: Any  # (own, target, y) -> e
    slope: Any  # (own, target, y) -> de/dy


@inline
def _clipped(x: Lanes, low: float, high: float) -> Lanes:
    x = select(x < low, low, x)
    return select(x > high, high, x)


@inline
def _arctanh(_own: Any, target: float, y: Lanes) -> Lanes:
    d = _clipped(target - y, -ARCTANH_CAP, ARCTANH_CAP)
    return fma(1.0 + d, log1p(d), (1.0 - d) * log1p(negative(d)))


@inline
def _arctanh_slope(_own: Any, target: float, y: Lanes) -> Lanes:
    d = _clipped(target - y, -ARCTANH_CAP, ARCTANH_CAP)
    return log1p(negative(d)) - log1p(d)


@inline
def _cross_entropy(_own: Any, target: float, y: Lanes) -> Lanes:
    y = _clipped(y, CROSS_ENTROPY_CAP, 1.0 - CROSS_ENTROPY_CAP)
    return fma(-target, log(y), (target - 1.0) * log1p(negative(y)))


@inline
def _cross_entropy_slope(_own: Any, target: float, y: Lanes) -> Lanes:
    y = _clipped(y, CROSS_ENTROPY_CAP, 1.0 - CROSS_ENTROPY_CAP)
    return (y - target) / (y * (1.0 - y))


sse = Loss(
    inline(lambda _own, target, y: (target - y) * (target - y)),
    inline(lambda _own, target, y: -2.0 * (target - y)),
)
half_sse = Loss(
    inline(lambda _own, target, y: 0.5 * ((target - y) * (target - y))),
    inline(lambda _own, target, y: y - target),
)
arctanh = Loss(_arctanh, _arctanh_slope)
cross_entropy = Loss(_cross_entropy, _cross_entropy_slope)
