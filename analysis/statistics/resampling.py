"""The bootstrap: seeded, vectorised.

A resample is a vector of counts, how often each trial was drawn, so a statistic over all resamples is one matrix
product, or one cumulative sum over sorted trials.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def resamples(trials: int, times: int = 1000, seed: int = 0) -> Array:
    """Draw as many trials as there are, with replacement: how often each was drawn, shape (times, trials).

    The same data give the same interval, because the seed does not change.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(trials, np.full(trials, 1 / trials), size=times).astype(np.float64)


def resampled_quantile(values: Array, counts: Array, quantile: float) -> Array:
    """The smallest value that at least this fraction of each resample does not exceed, shape (times, points).

    `values`, shape (trials, points), may be infinite; `counts`, shape (times, trials), are those of `resamples`.
    """
    needed = quantile * counts[0].sum() - 1e-9
    found = np.empty((len(counts), values.shape[1]))
    for point in range(values.shape[1]):  # one point at a time: all at once would not fit in memory
        order = np.argsort(values[:, point])
        reached = np.cumsum(counts[:, order], axis=1) >= needed
        found[:, point] = values[order[reached.argmax(axis=1)], point]
    return found


def percentile_interval(replicates: Array) -> tuple[Array, Array]:
    """The middle 95% of the replicates, shape (times, ...); infinite ones count as the largest."""
    tail = (1 - 0.95) / 2  # a hair above 0.025, so that as many of 1000 lie below the interval as above it
    low, high = np.quantile(replicates, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return low, high
