"""The best and the worst conditions of a sweep, as a terminal shows them, and as scripts read them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.conditions import Condition, ranked
from experiments.trials import Estimate, Trials

WORDS = {
    "ert": "ERT, the epochs that a success costs",
    "median": "median epochs to converge",
    "rate": "convergence rate",
    "final_loss": "median final loss",
}
"""What conditions are ranked by, in words."""

RESULTS = (
    "trials", "rate", "interval", "at end", "interval", "ERT", "interval", "median", "interval", "final loss",
)  # fmt: skip

CAUTION = (
    "95% intervals, for all conditions at once, so that they hold for the best and the worst, too. The estimates of\n"
    "these, picked after the fact, are better and worse than the truth. On seeds that had no part in the picking:"
)


def leaderboard(conditions: Sequence[Condition], by: str, most: int, sweep_id: str) -> str:
    """Tabulate the best and the worst conditions, at most so many of each, and those whose networks unlearn."""
    order = ranked(conditions, by)
    many = len(conditions)
    place = {id(condition): number for number, condition in enumerate(order, start=1)}
    parts = {"best": order[:most], "worst": order[max(most, len(order) - most) :]}
    parts["converged, but did not last: never called best"] = [one for one in conditions if one.trials.unlearn][:most]
    keys = list(dict.fromkeys(key for condition in conditions for key in condition.swept))
    rows = {
        title: [
            [str(place.get(id(one), "-")), *_values(one, keys), *_results(one.trials.among(many))] for one in members
        ]
        for title, members in parts.items()
    }
    lines = [f"{len(conditions):,} conditions, by {WORDS[by]}", "", *_table(keys, rows)]
    confirm = f"  python -m experiments.confirm sweep={sweep_id} best=3"
    return "\n".join([*lines, "", CAUTION, "", confirm])


def beside(picked: Sequence[Condition], again: Sequence[Condition], by: str, many: int) -> str:
    """Tabulate conditions as they were when they were picked of so `many`, each with itself on fresh seeds.

    Intervals of the first are for all conditions at once, and of the second for each by itself.
    """
    keys = list(dict.fromkeys(key for condition in picked for key in condition.swept))
    parts = {
        "picked": [
            [str(place), *_values(one, keys), *_results(one.trials.among(many))]
            for place, one in enumerate(picked, start=1)
        ],
        "on fresh seeds": [
            [str(place), *_values(old, keys), *_results(new.trials)]
            for place, (old, new) in enumerate(zip(picked, again, strict=True), start=1)
        ],
    }
    told = f"the best by {WORDS[by]}, as picked and on seeds that had no part in picking them"
    return "\n".join([told, "", *_table(keys, parts)])


def as_records(conditions: Sequence[Condition], by: str) -> list[dict[str, Any]]:
    """All conditions for a script, best first, then those whose networks unlearn, which have no rank.

    Intervals are for all conditions at once.
    """
    order = ranked(conditions, by)
    last = [condition for condition in conditions if condition.trials.unlearn]
    records = []
    for rank, one in [*enumerate(order, start=1), *((None, one) for one in last)]:
        trials = one.trials.among(len(conditions))
        record = {
            "rank": rank, "name": one.name, "params": {**one.params}, "swept": {**one.swept}, "trials": len(trials),
            "convergence_rate": _ends(trials.rate), "converged_at_end": _ends(trials.rate_at_end),
            "ert": _ends(trials.ert), "median_epochs_to_converge": _ends(trials.median),
            "final_loss": _ends(trials.median_loss), "runs": [run.run_id for run in one.runs],
        }  # fmt: skip
        records.append(record)
    return records


def _table(keys: Sequence[str], parts: Mapping[str, Sequence[Sequence[str]]]) -> list[str]:
    """Lay out rows under what they share, each part under its title."""
    header = ["#", *keys, *RESULTS]
    columns = zip(header, *(row for part in parts.values() for row in part), strict=True)
    widths = [max(map(len, column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))

    lines = [line(header)]
    for title, rows in parts.items():
        if rows:
            lines += [title, *map(line, rows)]
    return lines


def _values(condition: Condition, keys: Sequence[str]) -> list[str]:
    return [condition.swept.get(key, "") for key in keys]


def _results(trials: Trials) -> list[str]:
    shares = [text for share in (trials.rate, trials.rate_at_end) for text in (_share(share.value), _interval(share))]
    times = [text for time in (trials.ert, trials.median) for text in (_epochs(time.value), _range(time))]
    return [f"{len(trials):,}", *shares, *times, f"{trials.median_loss.value:.3g}"]


def _interval(share: Estimate) -> str:
    return "?" if math.isnan(share.value) else f"{share.low:.2f} to {share.high:.2f}"


def _share(value: float) -> str:
    return "?" if math.isnan(value) else f"{value:.2f}"


def _epochs(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "inf"


def _range(time: Estimate) -> str:
    return "?" if time.low == math.inf else f"{_epochs(time.low)} to {_epochs(time.high)}"


def _ends(estimate: Estimate) -> dict[str, float | None]:
    return {"estimate": _known(estimate.value), "low": _known(estimate.low), "high": _known(estimate.high)}


def _known(value: float) -> float | None:
    """A number that JSON has: null where it is infinite or not known."""
    return value if math.isfinite(value) else None
