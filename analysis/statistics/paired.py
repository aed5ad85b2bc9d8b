"""Two conditions that began from the same weights: which converges more often, and which sooner."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import binomtest

from analysis.statistics.conditions import by_condition, holm
from analysis.statistics.resampling import percentile_interval, resampled_quantile, resamples
from analysis.trials import fans_of
from nn_core import PartError

Array = NDArray[np.float64]


def paired_difference(only_first: ArrayLike, only_second: ArrayLike, n: ArrayLike) -> tuple[Array, Array, Array]:
    """Difference of two success rates observed on the same n subjects: second minus first, and its 95% interval.

    Of the subjects, `only_first` and `only_second` succeeded under one condition only. The interval is Wald's after
    one more of each of these (D. Bonett & R. Price, J. Educ. Behav. Stat. 37 (2012) 479-488).
    """
    first, second, total = (np.asarray(count, np.float64) for count in (only_first, only_second, n))
    p_first, p_second = (first + 1) / (total + 2), (second + 1) / (total + 2)
    centre = p_second - p_first
    half_width = ndtri(0.975) * np.sqrt((p_first + p_second - centre**2) / (total + 2))
    difference = np.asarray((second - first) / total, np.float64)
    return difference, np.maximum(centre - half_width, -1.0), np.minimum(centre + half_width, 1.0)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value that the two kinds of discordant pairs are equally likely (McNemar 1947)."""
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def pairs(trials: pd.DataFrame, axis: str, first: Any, second: Any, by: Sequence[str]) -> pd.DataFrame:
    """Trials under two levels of `axis` that began from the same initial weights, side by side.

    Weights are those of `initial_weights`, so trials of different hidden widths are never paired. Where the cut-offs
    of the two differ, both are judged at the shorter. `trials` hold each network once, at its longest cut-off; in the
    columns `by` the two must agree, too.

    Columns: `by`, seed, cutoff; converged_first, converged_second; epochs_first, epochs_second (inf for failures).
    Empty if nothing can be paired.
    """
    keyed = trials[trials[axis].isin([first, second])]
    keyed = keyed.assign(weights=initial_weights(keyed))
    key = list(dict.fromkeys([*by, "seed", "weights"]))
    sides = [keyed.loc[keyed[axis] == level, [*key, "epochs", "epochs_to_converge"]] for level in (first, second)]
    joined: pd.DataFrame = sides[0].merge(sides[1], on=key, suffixes=("_first", "_second"))
    cutoff = np.minimum(joined["epochs_first"].to_numpy(), joined["epochs_second"].to_numpy())
    found: pd.DataFrame = joined[key[:-1]].assign(cutoff=cutoff)
    for side in ("first", "second"):
        epochs = joined[f"epochs_to_converge_{side}"]
        found[f"converged_{side}"] = epochs <= cutoff
        found[f"epochs_{side}"] = epochs.where(epochs <= cutoff, np.inf)
    return found


def initial_weights(trials: pd.DataFrame) -> "pd.Series[int]":
    """Number the initial weights: trials with equal numbers began from the same ones.

    The same weights means the same seed, drawn into the same shapes from the same range.
    """
    initializer = [c for c in trials if c in ("task", "init") or str(c).startswith("init.")]
    keyed = trials.assign(shapes=_shapes(trials))
    numbers: pd.Series[int] = keyed.groupby(["seed", "shapes", *initializer], observed=True, dropna=False).ngroup()
    return numbers


def _shapes(trials: pd.DataFrame) -> list[str]:
    """What the weight matrices of each trial join, so that trials with equal ones draw equal weights from a seed."""
    columns = map(str, trials.columns)
    deciding = [c for c in columns if c in ("task", "hidden", "bias", "shortcuts") or c.startswith("task.")]
    kinds = trials.groupby(deciding, observed=True, dropna=False).ngroup()
    shapes: dict[int, str] = {}
    for kind, row in zip(kinds, range(len(trials)), strict=True):
        if kind not in shapes:
            trial = trials.iloc[row]
            try:
                shapes[kind] = str(fans_of(trial))
            except PartError:  # a task that is not here; then only trials that are alike in all of this are paired
                shapes[kind] = " ".join(str(trial[c]) for c in deciding)
    return [shapes[kind] for kind in kinds]


def paired_rates(
    trials: pd.DataFrame, axis: str, level_pairs: Sequence[tuple[Any, Any]], by: Sequence[str]
) -> pd.DataFrame:
    """Compare the convergence rates of pairs of levels of `axis` on the same initial weights, paired as in `pairs`.

    Columns: `by`, first, second, estimate (rate of the second minus the first), low, high, both, only_first,
    only_second, neither, n, p (McNemar, exact), p_holm (over all rows). Pairs that cannot be formed are missing.
    """
    counted = ["both", "only_first", "only_second", "neither", "n", "p"]

    def agreement(matched: pd.DataFrame) -> dict[str, float]:
        first, second = matched["converged_first"], matched["converged_second"]
        kinds = (first & second, first & ~second, second & ~first, ~first & ~second)
        counts = [int(kind.sum()) for kind in kinds]
        return dict(zip(counted, [*counts, len(matched), mcnemar(*counts[1:3])], strict=True))

    parts = [pd.DataFrame(columns=[*by, "first", "second", *counted])]
    for first, second in level_pairs:
        matched = pairs(trials, axis, first, second, by).assign(first=first, second=second)
        parts += [by_condition(matched, [*by, "first", "second"], agreement)] if len(matched) else []
    table = pd.concat(parts[1:] or parts, ignore_index=True)
    estimate, low, high = paired_difference(table["only_first"], table["only_second"], table["n"])
    table = table.assign(estimate=estimate, low=low, high=high, p_holm=holm(table["p"]))
    return table[[*by, "first", "second", "estimate", "low", "high", *counted, "p_holm"]]


def paired_speeds(matched: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Which side of the pairs, as `pairs` matches them, is sooner how often, and by how much.

    A side that failed took longer than any that converged. Pairs without a winner, in which both failed or both
    needed the same number of epochs, are left out of the test. The effect is the ratio of the median epochs, the
    second's over the first's; its interval resamples pairs, so it allows for what the two sides have in common.

    Columns: `by`, first_sooner, second_sooner, neither_sooner, p_sooner (two-sided exact sign test; 1 without any
    winner: W. Conover, "Practical Nonparametric Statistics" (1999), 3.4), median_first, median_second (``inf`` if
    more than half failed), ratio (0 or ``inf`` if one of these is infinite, NaN if both), ratio_low, ratio_high (0 and
    ``inf`` where the pairs set no limit), p_sooner_holm (over all rows).
    """

    def count(members: pd.DataFrame) -> dict[str, float]:
        first = int((members["epochs_first"] < members["epochs_second"]).sum())
        second = int((members["epochs_second"] < members["epochs_first"]).sum())
        counts = {"first_sooner": first, "second_sooner": second, "neither_sooner": len(members) - first - second}
        # The pairs with a winner are the discordant ones.
        return counts | {"p_sooner": mcnemar(first, second)} | _ratio_of_medians(members)

    table = by_condition(matched, by, count)
    return table.assign(p_sooner_holm=holm(np.asarray(table["p_sooner"])))


def _ratio_of_medians(matched: pd.DataFrame) -> dict[str, float]:
    """Median epochs of both sides, their ratio and its bootstrap interval."""
    epochs = matched[["epochs_first", "epochs_second"]].to_numpy(np.float64)
    medians = resampled_quantile(epochs, np.ones((1, len(epochs))), 0.5)[0]
    drawn = resampled_quantile(epochs, resamples(len(epochs)), 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0, inf / inf: this draw sets no limit
        ratio, ratios = medians[1] / medians[0], drawn[:, 1] / drawn[:, 0]
    low, _ = percentile_interval(np.where(np.isnan(ratios), 0.0, ratios))
    _, high = percentile_interval(np.where(np.isnan(ratios), np.inf, ratios))
    found = {"median_first": medians[0], "median_second": medians[1], "ratio": ratio}
    return {key: float(value) for key, value in (found | {"ratio_low": low, "ratio_high": high}).items()}
