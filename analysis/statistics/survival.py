"""Epochs to converge as what they are: times, right-censored at the cut-off.

All functions take each network once, at its longest cut-off.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf

from analysis.statistics.conditions import by_condition
from nn_core.statistics import wilson_interval


def _censored(trials: pd.DataFrame) -> CensoredData:
    converged = trials["converged"].to_numpy(bool)
    return CensoredData(
        uncensored=trials.loc[converged, "epochs_to_converge"].to_numpy(np.float64),
        right=trials.loc[~converged, "epochs"].to_numpy(np.float64),
    )


def _kaplan_meier(trials: pd.DataFrame) -> pd.DataFrame:
    """One condition: epoch, estimate, low, high, at_risk at each epoch where a trial converged or was cut off."""
    with warnings.catch_warnings():  # the interval is undefined at 0 and 1; see below
        warnings.filterwarnings("ignore", "The confidence interval is undefined", RuntimeWarning)
        converged = ecdf(_censored(trials)).cdf
        interval = converged.confidence_interval(method="log-log")
    epochs = converged.quantiles
    low, high = interval.low.probabilities, interval.high.probabilities
    # At 0 and at 1 the formula has no value, and no width would claim certainty: Wilson's interval serves there.
    n = len(trials)
    certain = np.isnan(low) | np.isnan(high)
    wilson_low, wilson_high = wilson_interval(np.round(converged.probabilities * n), n)
    low, high = np.where(certain, wilson_low, low), np.where(certain, wilson_high, high)
    curve = {"epoch": epochs.astype(np.int64), "estimate": converged.probabilities, "low": low, "high": high}
    return pd.DataFrame(curve | {"at_risk": at_risk(trials, epochs), "n": n})


def survival_curves(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Fraction of trials converged by each epoch, one minus the Kaplan-Meier estimate, by condition.

    Greenwood's variance on the log(-log) scale gives the interval at each epoch by itself (E. Kaplan & P. Meier,
    J. Amer. Statist. Assoc. 53 (1958) 457-481; J. Kalbfleisch & R. Prentice, "The Statistical Analysis of Failure Time
    Data" (2002), 1.4).

    Columns: `by`, epoch, estimate, low, high, at_risk (trials not yet converged nor cut off before this epoch), n.
    """
    return by_condition(trials, by, _kaplan_meier)


def at_risk(trials: pd.DataFrame, epochs: NDArray[Any]) -> NDArray[np.int64]:
    """Trials not yet converged nor cut off before each of these epochs."""
    ended = np.sort(np.minimum(trials["epochs_to_converge"].to_numpy(), trials["epochs"].to_numpy()))
    return len(ended) - np.searchsorted(ended, epochs, side="left")


def median_times(trials: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Median epochs to converge, where the Kaplan-Meier curve reaches one half, by condition.

    Infinite where fewer than half of the trials converged: failures count. The interval is where the curve's own
    interval contains one half (Brookmeyer & Crowley, Biometrics 38 (1982) 29-41).

    Columns: `by`, estimate, low, high, converged, n.
    """

    def median(members: pd.DataFrame) -> dict[str, float]:
        curve = _kaplan_meier(members)
        # The upper curve is the first to reach one half, so it gives the lower end.
        half = {
            name: next(iter(curve.loc[curve[column] >= 0.5 - 1e-12, "epoch"].astype(float)), np.inf)
            for name, column in (("estimate", "estimate"), ("low", "high"), ("high", "low"))
        }
        return {**half, "converged": int(members["converged"].sum()), "n": len(members)}

    return by_condition(trials, by, median)


def logrank(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, float]:
    """Compare the epochs to converge of two independent groups of trials by the log-rank test.

    Returns the statistic (positive where the second converges faster) and the two-sided p-value (N. Mantel, Cancer
    Chemother. Rep. 50 (1966) 163-170). If nothing happened while both were at risk, nothing speaks for a difference.
    """
    if not (first["converged"].any() or second["converged"].any()):
        return 0.0, 1.0
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 if they never were at risk together
        test = scipy.stats.logrank(_censored(second), _censored(first))
    return (float(test.statistic), float(test.pvalue)) if np.isfinite(test.statistic) else (0.0, 1.0)
