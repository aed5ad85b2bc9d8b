"""What became of picked conditions on seeds that had no part in the picking."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.figures.view import View
from analysis.levels import NONE
from analysis.loading import counted, load
from analysis.report.findings import Finding, condition_name
from analysis.statistics import best_restarts, by_condition, convergence_rates, median_times
from nn_core.statistics import expected_running_time, running_time_interval
from tracking import names

TABLE = "confirmed"
"""What the report calls the table."""

_FEW = 3


def confirmed(view: View) -> pd.DataFrame:
    """Conditions of the sweep that another one has run again on fresh seeds, as picked and as confirmed.

    The cut-off at which a trial is best abandoned is the one picked in the first sweep; on fresh seeds it is fixed
    beforehand, so that ERT has an interval there.

    Columns: those of the layout; cutoff, picked (ERT at it in the first sweep), picked_n; ert, ert_low, ert_high (at
    the same cut-off on fresh seeds; infinite without a success), at_end, at_end_low, at_end_high, median, median_low,
    median_high, n. No rows if none has been run again.
    """
    ids = {sweep.parent.run_id for sweep in view.data.sweeps}
    confirming = [
        run.run_id for run in view.store.sweeps() if run.tags.get(names.CONFIRMS) in ids and run.status == "FINISHED"
    ]
    by = [axis for axis in view.layout.conditions if axis != "sweep"]
    if not confirming or not by:
        return pd.DataFrame()
    fresh = load(view.store, confirming).trials
    fresh = fresh.assign(**{axis: NONE for axis in by if axis not in fresh})  # an option that none picked has
    picked = best_restarts(view.trials, by)[[*by, "cutoff", "estimate", "n"]]
    picked = picked.rename(columns={"estimate": "picked", "n": "picked_n"})
    fresh = fresh.astype({axis: view.trials[axis].dtype for axis in by}).merge(picked, on=by)

    def what_came(trials: pd.DataFrame) -> dict[str, Any]:
        times, pick = trials["epochs_to_converge"].to_numpy(np.float64), trials.iloc[0]
        low, high = running_time_interval(times, pick["cutoff"])
        ert = float(expected_running_time(times, pick["cutoff"]))
        rate, median = (statistic(trials, []).iloc[0] for statistic in (convergence_rates, median_times))
        return {
            **pick[["cutoff", "picked", "picked_n"]], "ert": ert, "ert_low": float(low), "ert_high": float(high),
            **rate[["at_end", "at_end_low", "at_end_high"]],
            "median": median["estimate"], "median_low": median["low"], "median_high": median["high"],
            "n": len(trials),
        }  # fmt: skip

    return by_condition(fresh, by, what_came) if len(fresh) else fresh


def told(table: pd.DataFrame) -> list[Finding]:
    """Say what came of conditions on fresh seeds; nothing if none has been tried again."""
    if table.empty:
        return []
    sentences = [
        f"with {condition_name(row, _axes(table))}, {_percent(row)} meet the criterion at the end, and {_cost(row)}"
        for _, row in table.sort_values("picked", kind="stable").head(_FEW).iterrows()
    ]
    fewest, most = table["n"].min(), table["n"].max()
    seeds = f"{fewest:,} to {counted(most, 'fresh seed')}" if fewest < most else counted(most, "fresh seed")
    return [Finding(f"On {seeds}, which had no part in any picking: {'; '.join(sentences)}.", (TABLE,))]


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The same for the eye: estimates with their intervals in a cell."""
    rows = [
        {
            **row[_axes(table)],
            "cut-off, as picked": f"{row['cutoff']:,.0f}",
            "ERT as picked": f"{row['picked']:,.0f}",
            "ERT on fresh seeds": _epochs(row, "ert"),
            "median epochs to converge": _epochs(row, "median"),
            "criterion met at the end": _percent(row),
            "fresh seeds": f"{row['n']:,.0f}",
        }
        for _, row in table.iterrows()
    ]
    return pd.DataFrame(rows)


def _axes(table: pd.DataFrame) -> list[str]:
    return list(table.columns[: table.columns.get_loc("cutoff")])


def _percent(row: "pd.Series[Any]") -> str:
    return f"{row['at_end']:.0%} ({100 * row['at_end_low']:.0f} to {100 * row['at_end_high']:.0f}%)"


def _cost(row: "pd.Series[Any]") -> str:
    if np.isinf(row["ert"]):
        return f"none converged by the picked cut-off of {row['cutoff']:,.0f} epochs"
    cost, _, interval = _epochs(row, "ert").partition(" (")
    return f"a success costs {cost} epochs (95% interval {interval[:-1]}; {row['picked']:,.0f} as picked)"


def _epochs(row: "pd.Series[Any]", name: str) -> str:
    value, low, high = (f"{end:,.0f}" if np.isfinite(end) else "" for end in row[[name, f"{name}_low", f"{name}_high"]])
    return f"{value or 'none'} ({low or '0'} to {high or 'no limit'})"
