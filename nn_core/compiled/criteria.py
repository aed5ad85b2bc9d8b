"""Twins of `nn_core.criteria`."""

from typing import Any, NamedTuple

from nn_core.compiled.lanes import Lanes, inline, magnitude, select


class Criterion(NamedTuple):
    """What one output of one pattern counts, and whether the sum of that over all is success.

    Attributes
    ----------
    term : (own, target, y) -> c
    met : (own, total, count) -> mask, for the total of `count` terms
    """

    term: Any
    met: Any


@inline
def _too_far(own: Any, target: float, y: Lanes) -> Lanes:
    return select(magnitude(target - y) < own.tolerance, 0.0, 1.0)


@inline
def _none(_own: Any, total: Lanes, _count: float) -> Any:
    return total == 0.0


@inline
def _squared(_own: Any, target: float, y: Lanes) -> Lanes:
    d = target - y
    return d * d


@inline
def _mean_is_below(own: Any, total: Lanes, count: float) -> Any:
    return total / count < own.below


tolerance = Criterion(_too_far, _none)
mean_squared_error = Criterion(_squared, _mean_is_below)
