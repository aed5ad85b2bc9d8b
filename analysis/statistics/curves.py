"""Loss curves and final predictions: where the middle of the trials lies."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics.conditions import conditions, tidy
from analysis.statistics.resampling import percentile_interval, resampled_quantile, resamples

Array = NDArray[np.float64]


def loss_bands(trials: pd.DataFrame, curves: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Median loss and the band from the 10th to the 90th percentile against the epoch, by condition.

    The band is where the middle of the trials lies, not an interval for the median. A trial that stopped early
    keeps its last loss, one that diverged counts as infinite from there on, and each leaves at its own cut-off.
    Of a run that holds several networks the store has only the quantiles 0.1, 0.5 and 0.9; they are taken as they
    are when the run is a condition of its own, and otherwise left out, because quantiles cannot be pooled.

    Returns
    -------
    pandas.DataFrame
        `by`, epoch, estimate, low, high, n.
    """
    single = curves[curves["quantile"].isna()]
    pooled = curves[curves["quantile"].notna()]
    has_own_quantiles = set(pooled["run_id"].unique())
    runs, epochs, losses = _loss_matrix(single, trials)
    row_of = {run: r for r, run in enumerate(runs)}
    parts = []
    for condition, members in conditions(trials, by):
        held = set(members["run_id"]) & has_own_quantiles
        if not held:
            rows = members["run_id"].map(row_of).to_numpy()
            band = _bands(epochs, losses[rows], members["epochs"].to_numpy())
        elif len(held) == members["run_id"].nunique() == 1:
            own = pooled[pooled["run_id"] == next(iter(held))]
            band = own.pivot_table(index="epoch", columns="quantile", values="loss").reset_index()
            band = band.rename(columns={0.1: "low", 0.5: "estimate", 0.9: "high"}).assign(n=len(members))
        else:
            continue
        parts.append(band.assign(**condition))
    columns = [*by, "epoch", "estimate", "low", "high", "n"]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return tidy(found, trials, by)[columns]


def _loss_matrix(curves: pd.DataFrame, trials: pd.DataFrame) -> tuple[list[str], NDArray[np.int64], Array]:
    """Losses as (runs, epochs) on the union of all recorded epochs, gaps filled with the loss before."""
    runs = list(curves["run_id"].cat.remove_unused_categories().cat.categories)
    epochs = np.unique(curves["epoch"].to_numpy())
    losses = np.full((len(runs), len(epochs)), np.nan)
    row = curves["run_id"].cat.remove_unused_categories().cat.codes.to_numpy()
    losses[row, np.searchsorted(epochs, curves["epoch"])] = curves["loss"]
    last = np.maximum.accumulate(np.where(np.isnan(losses), 0, np.arange(len(epochs))), axis=1)
    losses = np.take_along_axis(losses, last, axis=1)
    diverged = trials.drop_duplicates("run_id").set_index("run_id")["diverged"].reindex(runs).to_numpy()
    losses[epochs[np.newaxis] > np.nan_to_num(diverged, nan=np.inf)[:, np.newaxis]] = np.inf
    return runs, epochs, losses


def _bands(epochs: NDArray[np.int64], losses: Array, cutoffs: NDArray[np.int64]) -> pd.DataFrame:
    parts, start = [], -1
    for cutoff in np.unique(cutoffs):
        span = (epochs > start) & (epochs <= cutoff)
        values = losses[cutoffs >= cutoff][:, span]
        # An observed value rather than one between two, so that infinite losses are no trouble.
        low, median, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0, method="inverted_cdf")
        parts.append(
            pd.DataFrame({"epoch": epochs[span], "estimate": median, "low": low, "high": high, "n": len(values)})
        )
        start = cutoff
    return pd.concat(parts, ignore_index=True)


def prediction_quantiles(trials: pd.DataFrame, by: Sequence[str], dots: int = 25) -> pd.DataFrame:
    """Final predictions by condition and input pattern, as up to `dots` evenly spaced quantiles.

    With no more trials than dots these are the predictions themselves, in order.

    Returns
    -------
    pandas.DataFrame
        `by`, pattern, quantile (in (0, 1)), estimate, n. Diverged trials, which have no prediction, are left out.
    """
    patterns = [c for c in trials.columns if c.startswith("prediction/")]
    rows = []
    for condition, members in conditions(trials, by):
        for pattern in patterns:
            values = np.sort(members[pattern].dropna().to_numpy(np.float64))
            if len(values) == 0:
                continue
            levels_ = (np.arange(min(dots, len(values))) + 0.5) / min(dots, len(values))
            estimates = np.quantile(values, levels_, method="inverted_cdf")
            rows += [
                condition
                | {"pattern": pattern.removeprefix("prediction/"), "quantile": q, "estimate": e, "n": len(values)}
                for q, e in zip(levels_, estimates, strict=True)
            ]
    return tidy(pd.DataFrame(rows, columns=[*by, "pattern", "quantile", "estimate", "n"]), trials, by)


def median_final_losses(
    trials: pd.DataFrame, by: Sequence[str], resampled: int = 1000, confidence: float = 0.95
) -> pd.DataFrame:
    """Median final loss by condition, with a bootstrap percentile interval; diverged trials count as infinite.

    Of an even number of trials the median is the lower of the two in the middle (pandas would take their mean): a
    loss that was observed, as in the curves and in every resample, and no trouble where the upper one is infinite.

    Parameters
    ----------
    trials, by
        Trials and the columns that make a condition.
    resampled, confidence
        Number of resamples, and two-sided level.

    Returns
    -------
    pandas.DataFrame
        `by`, estimate, low, high, n.
    """
    rows = []
    for condition, members in conditions(trials, by):
        losses = members["final_loss"].fillna(np.inf).to_numpy(np.float64)
        medians = resampled_quantile(losses[:, np.newaxis], resamples(len(losses), resampled), 0.5)[:, 0]
        low, high = percentile_interval(medians, confidence)
        median = np.quantile(losses, 0.5, method="inverted_cdf")
        rows.append({**condition, "estimate": median, "low": float(low), "high": float(high), "n": len(losses)})
    return tidy(rows, trials, by)
