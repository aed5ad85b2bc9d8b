"""Loss curves and final predictions: where the middle of the trials lies."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.conditions import by_condition
from analysis.statistics.resampling import percentile_interval, resampled_quantile, resamples


def loss_bands(trials: pd.DataFrame, curves: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Median loss and the band from the 10th to the 90th percentile against the epoch, by condition.

    The band is where the middle of the trials lies, not an interval for the median. A trial that stopped early
    keeps its last loss, one that diverged counts as infinite from there on, and each leaves at its own cut-off.
    Of a run that holds several networks the store has only the quantiles 0.1, 0.5 and 0.9; they are taken as they
    are when the run is a condition of its own, and otherwise left out, because quantiles cannot be pooled.

    Columns: `by`, epoch, estimate, low, high, n.
    """
    pooled = curves[curves["quantile"].notna()]
    has_own_quantiles = set(pooled["run_id"].unique())
    losses = _losses(trials, curves[curves["quantile"].isna()])

    def band(members: pd.DataFrame) -> pd.DataFrame:
        held = set(members["run_id"]) & has_own_quantiles
        if not held:
            known = members[members["run_id"].isin(losses.index)]  # a run may have no curve
            return _bands(losses.loc[known["run_id"]], known["epochs"].to_numpy())
        own = pooled[pooled["run_id"] == next(iter(held))] if len(set(members["run_id"])) == 1 else pooled[:0]
        own = own.pivot_table(index="epoch", columns="quantile", values="loss").reindex(columns=[0.5, 0.1, 0.9])
        return own.set_axis(["estimate", "low", "high"], axis=1).reset_index().assign(n=len(members))

    return by_condition(trials, by, band)


def _losses(trials: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Losses, a row a run and a column for each epoch that any of them recorded, gaps filled with the loss before."""
    losses = curves.pivot_table(index="run_id", columns="epoch", values="loss", observed=True).ffill(axis=1)
    diverged = trials.drop_duplicates("run_id").set_index("run_id")["diverged"].reindex(losses.index).fillna(np.inf)
    return losses.mask(np.less.outer(diverged.to_numpy(), losses.columns.to_numpy()), np.inf)


def _bands(losses: pd.DataFrame, cutoffs: NDArray[np.int64]) -> pd.DataFrame:
    epochs = losses.columns.to_numpy()
    parts, start = [pd.DataFrame(columns=["epoch", "estimate", "low", "high", "n"], dtype=np.float64)], -1
    for cutoff in np.unique(cutoffs):
        span = (epochs > start) & (epochs <= cutoff)
        values = losses.to_numpy()[cutoffs >= cutoff][:, span]
        # An observed value rather than one between two, so that infinite losses are no trouble.
        low, median, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0, method="inverted_cdf")
        band = {"epoch": epochs[span], "estimate": median, "low": low, "high": high, "n": len(values)}
        parts.append(pd.DataFrame(band))
        start = cutoff
    return pd.concat(parts[1:] or parts, ignore_index=True)


def prediction_quantiles(trials: pd.DataFrame, by: Sequence[str], dots: int = 25) -> pd.DataFrame:
    """Final predictions by condition and input pattern, as up to `dots` evenly spaced quantiles.

    With no more trials than dots these are the predictions themselves, in order.

    Columns: `by`, pattern, quantile (in (0, 1)), estimate, n. Diverged trials, which have no prediction, are left out.
    """
    patterns = [c for c in trials.columns if c.startswith("prediction/")]

    def quantiles(members: pd.DataFrame) -> pd.DataFrame:
        rows = []
        for pattern in patterns:
            values = members[pattern].dropna().to_numpy(np.float64)
            shown = min(dots, len(values))
            for at in (np.arange(shown) + 0.5) / max(shown, 1):
                estimate = np.quantile(values, at, method="inverted_cdf")
                rows.append([pattern.removeprefix("prediction/"), at, estimate, len(values)])
        return pd.DataFrame(rows, columns=["pattern", "quantile", "estimate", "n"])

    return by_condition(trials, by, quantiles)


def median_final_losses(trials: pd.DataFrame, by: Sequence[str], resampled: int = 1000) -> pd.DataFrame:
    """Median final loss by condition, with a bootstrap percentile interval; diverged trials count as infinite.

    Of an even number of trials the median is the lower of the two in the middle (pandas would take their mean): a
    loss that was observed, as in the curves and in every resample, and no trouble where the upper one is infinite.

    Columns: `by`, estimate, low, high, n.
    """

    def median(members: pd.DataFrame) -> dict[str, float]:
        losses = members["final_loss"].fillna(np.inf).to_numpy(np.float64)
        medians = resampled_quantile(losses[:, np.newaxis], resamples(len(losses), resampled), 0.5)[:, 0]
        low, high = percentile_interval(medians)
        estimate = np.quantile(losses, 0.5, method="inverted_cdf")
        return {"estimate": estimate, "low": float(low), "high": float(high), "n": len(losses)}

    return by_condition(trials, by, median)
