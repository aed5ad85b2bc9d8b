"""Twins of `nn_core.criteria`."""

from typing import Any, NamedTuple

from nn_core.compiled.lanes import inline, magnitude, select


class Criterion(NamedTuple):
    """What one output of one pattern counts, and whether the sum of that over all is success."""

    term: Any  # (own, target, y) -> c
    met: Any  # (own, total, count) -> mask, for the total of `count` terms


tolerance = Criterion(
    inline(lambda own, target, y: select(magnitude(target - y) < own.tolerance, 0.0, 1.0)),
    inline(lambda _own, total, _count: total == 0.0),
)
mean_squared_error = Criterion(
    inline(lambda _own, target, y: (target - y) * (target - y)),
    inline(lambda own, total, count: total / count < own.below),
)
