"""How often, and how fast: the statistics of convergence, on arrays.

Epochs to converge are float64 here, with ``inf`` for a trial that did not converge. A failure is an outcome
and not a missing value: every function counts it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, betaincinv, ndtri, stdtrit


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval for a success probability, from the score test: its low and its high end.

    The ends are the p at which the observed count would just be rejected, so unlike the textbook
    p +- z sqrt(p(1-p)/n) the interval keeps a width when all trials or none succeed, and stays within [0, 1] (Wilson,
    J. Amer. Statist. Assoc. 22 (1927) 209-212; Brown, Cai & DasGupta, Statist. Sci. 16 (2001) 101-133, eq. 4).

    Counts are broadcast against each other; without any trial nothing is known: (0, 1). `ValueError` unless
    0 <= successes <= trials and 0 < confidence < 1.

    Examples
    --------
    >>> low, high = wilson_interval([0, 8, 10], 10)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.4902, 0.7225], [0.2775, 0.9433, 1.0])
    """
    k, n = _counts(successes, trials, confidence)
    z = ndtri((1 + confidence) / 2)
    with np.errstate(invalid="ignore"):  # 0/0 where there are no trials; k - k*k/n is then 0 all the same
        variance = np.where(n > 0, k - k * k / n, 0.0)
    centre = (k + z * z / 2) / (n + z * z)
    half_width = z * np.sqrt(variance + z * z / 4) / (n + z * z)
    # At the ends the two terms cancel exactly on paper, and only there must not leave a rounding error.
    return np.where(k == 0, 0.0, centre - half_width), np.where(k == n, 1.0, centre + half_width)


def exact_interval(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval for a success probability that holds the truth at least as often as it says, whatever that is.

    The ends are the p at which a count as high, or as low, would just be too rare (C. Clopper & E. Pearson, Biometrika
    26 (1934) 404-413). It is wider than Wilson's, which holds on average over p only: take it where the level is so
    high, to speak of many conditions at once, that an average is of no use. Shapes and errors are those of
    `wilson_interval`.

    Examples
    --------
    >>> low, high = exact_interval([0, 8, 10], 10)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.4439, 0.6915], [0.3085, 0.9748, 1.0])
    """
    k, n = _counts(successes, trials, confidence)
    tail = (1 - confidence) / 2
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail), 1.0)
    return low, high


def expected_running_time(epochs_to_converge: ArrayLike, cutoff: ArrayLike) -> NDArray[np.float64]:
    """Epochs that a success costs when every trial is abandoned at the cut-off and a new one is begun.

    ERT(c) = sum_i min(t_i, c) / #{i : t_i <= c}, the epochs spent by all trials over the number of successes.
    It is the expectation, under the empirical distribution of t, of the total time to the first success (Hamey, NIPS 4
    (1991), whose efficiency is 1000 / ERT; Hansen et al., Optim. Methods Softw. 36 (2021) 114-144).

    Epochs have shape (trials,). To be meaningful at a cut-off, every failure must have been trained at least that long.
    Cut-offs may have any shape, which is that of the result too: ``inf`` where no trial succeeded in time. `ValueError`
    if there are no trials, a time is negative or NaN, or a cut-off is negative or not finite.

    Examples
    --------
    >>> expected_running_time([10, 30, float("inf")], [5, 10, 30, 100]).tolist()
    [inf, 30.0, 35.0, 70.0]
    """
    times, c = _times(epochs_to_converge), _cutoff(cutoff)
    finite = np.sort(times[np.isfinite(times)])
    successes = np.searchsorted(finite, c, side="right")
    epochs_of_successes = np.concatenate([[0.0], np.cumsum(finite)])[successes]
    spent = epochs_of_successes + (times.size - successes) * c
    ert: NDArray[np.float64] = np.divide(spent, successes, out=np.full(c.shape, np.inf), where=successes > 0)
    return ert


def running_time_interval(
    epochs_to_converge: ArrayLike, cutoff: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval for `expected_running_time` at each cut-off by itself: its low and its high end.

    ERT(c) = m + c (1/p - 1): the mean epochs m of the trials that succeed in time, and a cut-off for each failure
    before one does, where p is the success probability. Student's interval for m and Wilson's for p are combined as
    for a sum of two parameters: each end lies as far from the estimate as the root of the summed squares of the two
    distances (G. Zou & A. Donner, Statist. Med. 27 (2008) 1693-1702, eq. 2). m lies within [0, c] whatever the
    sample says. Unlike the bootstrap's and Fieller's, it keeps its width when all trials or nearly all succeed.

    Levels above 95%, for many conditions at once, take Clopper and Pearson's interval for p, since Wilson's holds on
    average only, and there too seldom if few trials succeed.

    Shapes and errors are those of `expected_running_time`, and ``0 < confidence < 1``. Without a success the
    high end is ``inf``. The cut-off must not be picked for its ERT: the least of many is lower than the truth, and no
    interval around it helps.

    Examples
    --------
    >>> low, high = running_time_interval([10, 30, float("inf")], [5, 100])
    >>> low.round(1).tolist(), high.round(1).tolist()
    ([3.9, 22.2], [inf, 411.1])
    """
    times, c = _times(epochs_to_converge), _cutoff(cutoff)
    finite = np.sort(times[np.isfinite(times)])
    k = np.searchsorted(finite, c, side="right")
    centre = np.median(finite) if finite.size else 0.0  # or squares of large, nearly equal times would cancel
    sums, squares = (np.concatenate([[0.0], np.cumsum((finite - centre) ** power)])[k] for power in (1, 2))
    mean = sums / np.maximum(k, 1) + centre
    variance = np.maximum(squares - k * (mean - centre) ** 2, 0.0) / np.maximum(k - 1, 1)
    student = stdtrit(np.maximum(k - 1, 1), (1 + confidence) / 2) * np.sqrt(variance / np.maximum(k, 1))
    margin = np.where(k > 1, student, np.inf)
    below, above = np.minimum(margin, mean), np.minimum(margin, c - mean)
    least, most = (wilson_interval if confidence <= 0.95 else exact_interval)(k, times.size, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):  # a cut-off of 0 costs nothing, however often
        failures, few, many = (np.where(c > 0, c * (1 / p - 1), 0.0) for p in (k / times.size, most, least))
        low = mean + failures - np.hypot(below, failures - few)
        high = mean + failures + np.hypot(above, many - failures)
    # Without a success m may be anything from 0 on, and p as much as Wilson allows.
    return np.where(k > 0, np.maximum(low, 0.0), few), np.where(k > 0, high, np.inf)


def median_epochs(epochs_to_converge: ArrayLike) -> float:
    """Epochs within which half of the trials have converged, failures counting as infinite.

    The smallest t with #{t_i <= t} >= trials / 2 (with an even number of trials the lower of the two middle
    ones), which is where the Kaplan-Meier curve first reaches one half; ``inf`` if more than half failed.
    Raises `ValueError` if there are no trials, or a time is negative or NaN.

    Examples
    --------
    >>> median_epochs([3, 5, float("inf")]), median_epochs([3, float("inf"), float("inf")])
    (5.0, inf)
    """
    times = np.sort(_times(epochs_to_converge))
    return float(times[(times.size - 1) // 2])


def median_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the median of what values were drawn from, whatever its distribution: two of the values.

    The number of values below the median is binomial(n, 1/2), so that the k-th smallest and the k-th largest value
    enclose it with probability 1 - 2 P(B < k); k is the largest that leaves at least the confidence (G. Noether,
    Introduction to Statistics (1991), ch. 14). Without such a k, with fewer than six values at 95%, nothing is known:
    (-inf, inf). Values may be infinite: failures count. `ValueError` if one is NaN.

    Examples
    --------
    >>> median_interval(range(10)), median_interval(range(5))
    ((1.0, 8.0), (-inf, inf))
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), not {confidence}")
    found = np.sort(np.asarray(values, np.float64))
    if np.isnan(found).any():
        raise ValueError("a value that is not known has no rank")
    fewer = bdtr(np.arange(found.size), found.size, 0.5)  # P(B < 1), P(B < 2), ...
    k = int((fewer <= (1 - confidence) / 2).sum())
    return (float(found[k - 1]), float(found[-k])) if k else (-np.inf, np.inf)


def _counts(
    successes: ArrayLike, trials: ArrayLike, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), not {confidence}")
    k, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    if not np.all((k >= 0) & (k <= n)):
        raise ValueError("successes must lie between 0 and the number of trials")
    return k, n


def _times(epochs_to_converge: ArrayLike) -> NDArray[np.float64]:
    times = np.asarray(epochs_to_converge, np.float64)
    if times.ndim != 1 or times.size == 0:
        raise ValueError(f"epochs to converge must have the shape (trials,) with trials >= 1, not {times.shape}")
    if not np.all(times >= 0):
        raise ValueError("epochs to converge must be >= 0, and inf (not NaN or -1) for a trial that failed")
    return times


def _cutoff(cutoff: ArrayLike) -> NDArray[np.float64]:
    c = np.asarray(cutoff, np.float64)
    if not np.all(np.isfinite(c) & (c >= 0)):
        raise ValueError("a cut-off must be finite and >= 0 epochs")
    return c
