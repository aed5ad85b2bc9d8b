"""Networks that differ in nothing but their seeds: how often they converged, how fast, and whether it lasted."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_core.statistics import (
    exact_interval,
    expected_running_time,
    median_epochs,
    median_interval,
    running_time_interval,
    wilson_interval,
)
from tracking import names

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number, and the ends of its interval; infinite where nothing is known of an end."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Trials:
    """Trained networks that differ in their seeds; all arrays have the shape (trials,)."""

    cutoff: int  # epochs
    epochs_to_converge: Array  # inf for a network that did not
    at_end: Array  # 1 where the last pass meets the criterion, else 0; nan in runs that are too old to say so
    final_loss: Array  # inf where it is not finite
    confidence: float = 0.95  # of intervals

    def among(self, conditions: int) -> "Trials":
        """Have intervals that hold for so many conditions at once, 95 times in 100: so also for one that is picked."""
        return replace(self, confidence=1 - 0.05 / conditions)

    def __len__(self) -> int:
        return len(self.epochs_to_converge)

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each met the criterion, at its first pass that did."""
        return np.isfinite(self.epochs_to_converge)

    @cached_property
    def rate(self) -> Estimate:
        """Share of trials that converged."""
        return self._share(self.converged)

    @cached_property
    def rate_at_end(self) -> Estimate:
        """Share of trials whose last pass meets the criterion; nan where that is not known of all."""
        return self._share(self.at_end)

    @cached_property
    def lost(self) -> Estimate:
        """Share of trials that converged and do not meet the criterion at the end; nan like `rate_at_end`."""
        return self._share(np.where(np.isnan(self.at_end), np.nan, self.converged & (self.at_end == 0)))

    @cached_property
    def ert(self) -> Estimate:
        """Expected running time at the cut-off, in epochs; infinite if none converged."""
        low, high = running_time_interval(self.epochs_to_converge, self.cutoff, self.confidence)
        return Estimate(float(expected_running_time(self.epochs_to_converge, self.cutoff)), float(low), float(high))

    @cached_property
    def median(self) -> Estimate:
        """Median epochs to converge; infinite if more than half did not."""
        low, high = median_interval(self.epochs_to_converge, self.confidence)
        return Estimate(median_epochs(self.epochs_to_converge), max(low, 0.0), high)

    @cached_property
    def median_loss(self) -> Estimate:
        """Median of the final losses."""
        low, high = median_interval(self.final_loss, self.confidence)
        return Estimate(float(np.median(self.final_loss)), low, high)

    @property
    def unlearn(self) -> bool:
        """Whether fewer trials hold at the end than converged, by more than the intervals of both."""
        return self.rate_at_end.high < self.rate.low

    @property
    def metrics(self) -> dict[str, float]:
        """What a run says of several trials; not all of it need be finite."""
        intervals = {
            names.CONVERGENCE_RATE: self.rate,
            names.CONVERGED_AT_END: self.rate_at_end,
            names.LOST_AT_END: self.lost,
            names.ERT: self.ert,
        }
        found = {names.MEDIAN_EPOCHS_TO_CONVERGE: self.median.value}
        for name, one in intervals.items():
            found |= {name: one.value, f"{name}/low": one.low, f"{name}/high": one.high}
        return found

    def _share(self, which: NDArray[np.generic]) -> Estimate:
        """Share of trials; nan where it is not known of all."""
        successes = float(np.sum(which))
        if np.isnan(successes):
            return Estimate(np.nan, np.nan, np.nan)
        # Wilson's interval is right on average over all rates, which is of no use where one of many must not be wrong.
        interval = wilson_interval if self.confidence <= 0.95 else exact_interval
        low, high = interval(successes, len(which), self.confidence)
        return Estimate(successes / len(which), float(low), float(high))


def loss_quantiles(losses: Array, final_losses: Array) -> dict[str, Array]:
    """Quantiles of loss curves at each epoch, by their names in MLflow.

    Losses have shape (trials, epochs), final ones (trials,); quantiles have shape (epochs,). Trials that ended early
    have no loss (nan) after that. They keep their last, so that every quantile is over all trials.
    """
    known = finite_or_inf(np.where(np.isnan(losses), final_losses[:, None], losses))
    # Between two infinite ones there is nothing to interpolate, and a quantile is nan there.
    with np.errstate(invalid="ignore"):
        quantiles = np.quantile(known, list(names.LOSS_QUANTILES.values()), axis=0)
    return dict(zip(names.LOSS_QUANTILES, quantiles, strict=True))


def finite_or_inf(losses: ArrayLike) -> Array:
    """Losses that are not finite are as large as can be: they come from weights that overflowed."""
    found = np.asarray(losses, np.float64)
    return np.where(np.isfinite(found), found, np.inf)
