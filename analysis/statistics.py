"""Statistics of sweeps, as tidy frames: a row per condition with an estimate, its interval (low, high) and n.

Nothing is drawn here. A condition is a combination of values of the columns `by`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.axes import levels
from nn_core.statistics import wilson_interval

Array = NDArray[np.float64]


def conditions(trials: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each condition with its trials, in the natural order of the levels."""
    if not by:
        yield {}, trials
        return
    ranks = pd.DataFrame(
        {axis: trials[axis].map({level: i for i, level in enumerate(levels(trials[axis]))}) for axis in by}
    )
    for axis in by:  # NaN is a level (the parameter does not apply), which map cannot look up
        ranks[axis] = ranks[axis].fillna(0)
    for _, members in trials.groupby([ranks[axis] for axis in by], sort=True):
        yield {axis: members[axis].iloc[0] for axis in by}, members


def convergence_rates(trials: pd.DataFrame, by: Sequence[str], confidence: float = 0.95) -> pd.DataFrame:
    """Fraction of trials that converged, with its Wilson interval, by condition.

    Returns
    -------
    pandas.DataFrame
        `by`, estimate, low, high, converged, n.
    """
    counts = pd.DataFrame(
        [
            condition | {"converged": int(members["converged"].sum()), "n": len(members)}
            for condition, members in conditions(trials, by)
        ]
    )
    low, high = wilson_interval(counts["converged"], counts["n"], confidence)
    rates = counts.assign(estimate=counts["converged"] / counts["n"], low=low, high=high)
    return rates[[*by, "estimate", "low", "high", "converged", "n"]]


def loss_bands(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    by: Sequence[str],
    quantiles: tuple[float, float, float] = (0.1, 0.5, 0.9),
) -> pd.DataFrame:
    """Median loss and a quantile band against the epoch, by condition.

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
            band = _bands(epochs, losses[rows], members["epochs"].to_numpy(), quantiles)
        elif len(held) == members["run_id"].nunique() == 1:
            own = pooled[pooled["run_id"] == next(iter(held))]
            band = own.pivot_table(index="epoch", columns="quantile", values="loss").reset_index()
            band = band.rename(columns={0.1: "low", 0.5: "estimate", 0.9: "high"}).assign(n=len(members))
        else:
            continue
        parts.append(band.assign(**condition))
    columns = [*by, "epoch", "estimate", "low", "high", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


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


def _bands(
    epochs: NDArray[np.int64],
    losses: Array,
    cutoffs: NDArray[np.int64],
    quantiles: tuple[float, float, float],
) -> pd.DataFrame:
    parts, start = [], -1
    for cutoff in np.unique(cutoffs):
        span = (epochs > start) & (epochs <= cutoff)
        values = losses[cutoffs >= cutoff][:, span]
        # An observed value rather than one between two, so that infinite losses are no trouble.
        low, median, high = np.quantile(values, quantiles, axis=0, method="inverted_cdf")
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
    return pd.DataFrame(rows, columns=[*by, "pattern", "quantile", "estimate", "n"])
