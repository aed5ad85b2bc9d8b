"""Twins of `nn_core.losses`."""

from typing import Any, NamedTuple

from nn_core.compiled.functions import log, log1p
from nn_core.compiled.lanes import Lanes, fma, inline, negative, select
from nn_core.losses import ARCTANH_CAP, CROSS_ENTROPY_CAP


class Loss(NamedTuple):
    """What one output of one pattern adds to the loss, and the slope of that.

    Attributes
    ----------
    term : (own, target, y) -> e
    slope : (own, target, y) -> de/dy
    """

    term: Any
    slope: Any


@inline
def _squared(_own: Any, target: float, y: Lanes) -> Lanes:
    d = target - y
    return d * d


@inline
def _squared_slope(_own: Any, target: float, y: Lanes) -> Lanes:
    return -2.0 * (target - y)


@inline
def _half_squared(_own: Any, target: float, y: Lanes) -> Lanes:
    d = target - y
    return 0.5 * (d * d)


@inline
def _half_squared_slope(_own: Any, target: float, y: Lanes) -> Lanes:
    return y - target


@inline
def _capped(d: Lanes) -> Lanes:
    d = select(d > ARCTANH_CAP, ARCTANH_CAP, d)
    return select(d < -ARCTANH_CAP, -ARCTANH_CAP, d)


@inline
def _arctanh(_own: Any, target: float, y: Lanes) -> Lanes:
    d = _capped(target - y)
    return fma(1.0 + d, log1p(d), (1.0 - d) * log1p(negative(d)))


@inline
def _arctanh_slope(_own: Any, target: float, y: Lanes) -> Lanes:
    d = _capped(target - y)
    return log1p(negative(d)) - log1p(d)


@inline
def _kept_inside(y: Lanes) -> Lanes:
    y = select(y < CROSS_ENTROPY_CAP, CROSS_ENTROPY_CAP, y)
    return select(y > 1.0 - CROSS_ENTROPY_CAP, 1.0 - CROSS_ENTROPY_CAP, y)


@inline
def _cross_entropy(_own: Any, target: float, y: Lanes) -> Lanes:
    y = _kept_inside(y)
    return fma(-target, log(y), (target - 1.0) * log1p(negative(y)))


@inline
def _cross_entropy_slope(_own: Any, target: float, y: Lanes) -> Lanes:
    y = _kept_inside(y)
    return (y - target) / (y * (1.0 - y))


sse = Loss(_squared, _squared_slope)
half_sse = Loss(_half_squared, _half_squared_slope)
arctanh = Loss(_arctanh, _arctanh_slope)
cross_entropy = Loss(_cross_entropy, _cross_entropy_slope)
