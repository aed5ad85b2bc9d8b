"""The bootstrap: seeded, vectorised.

A resample is a vector of counts, how often each trial was drawn, so a statistic over all resamples is one matrix
product, or one cumulative sum over sorted trials.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def resamples(trials: int, times: int = 1000, seed: int = 0) -> Array:
    """Draw as many trials as there are, with replacement.

    Parameters
    ----------
    trials
        How many there are.
    times
        How many resamples.
    seed
        Of the random numbers: the same data give the same interval.

    Returns
    -------
    numpy.ndarray
        How often each trial was drawn, shape (times, trials).
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(trials, np.full(trials, 1 / trials), size=times).astype(np.float64)


def resampled_quantile(values: Array, counts: Array, quantile: float) -> Array:
    """A quantile of every resample.

    Parameters
    ----------
    values
        Shape (trials, points); may be infinite.
    counts
        From `resamples`, shape (times, trials).
    quantile
        In (0, 1).

    Returns
    -------
    numpy.ndarray
        The smallest value that at least this fraction of the resample does not exceed, shape (times, points).
    """
    needed = quantile * counts[0].sum() - 1e-9
    found = np.empty((len(counts), values.shape[1]))
    for point in range(values.shape[1]):  # one point at a time: all at once would not fit in memory
        order = np.argsort(values[:, point])
        reached = np.cumsum(counts[:, order], axis=1) >= needed
        found[:, point] = values[order[reached.argmax(axis=1)], point]
    return found


def percentile_interval(replicates: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """The middle of the replicates, shape (times, ...); infinite ones count as the largest."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return low, high
