"""Runs as a notebook has them: frames, statistics, axes. ``from analysis import load``."""

import gc
import html
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import loading, tables
from analysis.axes import lay_out, varied
from analysis.choice import chosen_levels, having
from analysis.command import Selection, suggestion
from analysis.figures.sizes import STYLES
from analysis.figures.view import View
from analysis.levels import level_names, levels, listed, parameter_name, plain, unordered
from analysis.loading import Data, SelectionError, counted, keep_longest
from analysis.statistics import (
    by_condition,
    convergence_rates,
    median_times,
    paired_rates,
    paired_speeds,
    pairs,
    running_times,
    survival_curves,
)
from analysis.tables import Table
from nn_core.statistics import expected_running_time, running_time_interval
from tracking.reader import Reader
from tracking.store import open_reader

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def load(*sweeps: str | Sequence[str], labels: Sequence[str] = (), filter: str = "", uri: str | None = None) -> "Runs":  # noqa: A002 (MLflow's word)
    """Load the runs of sweeps, or what a filter finds.

    Parameters
    ----------
    sweeps
        ``"latest"``, run ids of sweeps' parents, or beginnings of ids, one by one or in a list; without any, and
        without a filter, the latest
    labels
        what to call the sweeps, one each, to compare them: they are told apart by the column ``sweep``. Without labels
        they are pooled, unless they differ in parameters that vary only together
    filter
        in MLflow's syntax, ``"params.lr = '0.5'"``: only these runs; without sweeps, of the whole store
    uri
        tracking store; by default ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the current folder

    Raises
    ------
    SelectionError
        if a sweep is not found, or no finished run is
    TrackingError
        if the store cannot be read
    """
    store = open_reader(uri)
    with _garbage_left():
        wanted = [name for one in sweeps for name in ([one] if isinstance(one, str) else one)]
    return Runs(loading.load(store, wanted or (() if filter else ("latest",)), labels, filter), store)


@dataclass(frozen=True, eq=False, repr=False)
class Runs:
    """Trained networks with what came of them, and what they say together.

    Frames are plain pandas: numbers as int64 or float64, text as text, and NaN where a parameter does not apply (the
    momentum of plain gradient descent). Their columns:

    `trials`
        a row for each network and cut-off: ``sweep`` (label, empty if sweeps are not compared), ``run_id``, ``trial``
        (its place in the run), ``seed``; a column for each parameter (``lr``, ``hidden``, ``epochs``,
        ``optimizer.momentum``, ...); ``converged`` (bool, at any pass), ``converged_at_end`` (boolean, at the last
        pass; NA if unknown), ``epochs_to_converge`` (float, inf for a failure), ``final_loss``, ``max_error``,
        ``diverged`` (the epoch; NaN if it did not), ``prediction/<bits>``
    `curves`
        a row for each recorded loss: ``run_id`` (categorical), ``quantile`` (NaN for the curve of one network; 0.1,
        0.5, 0.9 over the networks of a run with several), ``epoch``, ``loss`` (inf once it overflowed)
    `conditions`
        a row for each combination of the parameters that vary, a column each; ``n``, ``converged`` (networks);
        ``rate`` and ``at_end`` (fractions converged at any pass, and at the last), ``median`` (epochs to converge, inf
        if more than half failed), ``ert`` (epochs per success at the cut-off), each with ``_low`` and ``_high``, its
        95% interval by itself; ``final_loss`` (median)

    The statistics below are tidy frames: a row per condition (and epoch, or cut-off) with ``estimate``, ``low``,
    ``high`` (95%, by itself) and ``n``. Conditions are made by the columns `by`, by default all that vary. What is
    varied and not in `by` is pooled, which is warned of. `Table.to_latex` writes any of them for a paper.
    """

    data: Data
    store: Reader

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row for each network and cut-off."""
        return unordered(self.data.trials)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A row for each recorded loss."""
        return self.data.curves

    @cached_property
    def conditions(self) -> Table:
        """A row for each combination of the parameters that vary, with what came of its networks."""
        trials, by = self.data.trials, self.varied
        ends = {"estimate": "median", "low": "median_low", "high": "median_high"}
        rates = convergence_rates(trials, by).rename(
            columns={"estimate": "rate", "low": "rate_low", "high": "rate_high"}
        )
        costs, medians = by_condition(trials, by, _cost_and_loss), median_times(trials, by).rename(columns=ends)
        parts = [rates, medians[[*ends.values()]], costs.drop(columns=by)]  # the same conditions in the same order
        counts = [*by, "n", "converged"]
        whole = pd.concat(parts, axis=1)
        return _tidy(whole[[*counts, *whole.columns.drop(counts)]])

    @cached_property
    def varied(self) -> list[str]:
        """The parameters that tell conditions apart, and ``sweep`` if sweeps are compared."""
        return varied(self.data.trials, self.data.parameters)

    def where(self, levels: Mapping[str, Any] | None = None, **more: Any) -> "Runs":
        """Only the runs with these levels: ``where(hidden=4, lr=[0.1, 0.5])``, ``where({"optimizer.momentum": 0.9})``.

        Raises `SelectionError` that names what there is.
        """
        chosen, problems = chosen_levels(self.data, {**(levels or {}), **more})
        trials = having(self.data.trials, chosen).reset_index(drop=True)
        if problems or trials.empty:
            raise SelectionError("\n".join(problems) or "no trial has all these levels")
        kept = set(trials["run_id"])
        curves = self.data.curves[self.data.curves["run_id"].isin(kept)].reset_index(drop=True)
        return Runs(replace(self.data, trials=trials, curves=curves), self.store)

    def rates(self, by: Sequence[str] | None = None) -> Table:
        """Fraction of networks that converged, with Wilson's interval.

        Columns: `by`, estimate, low, high, converged, n; at_end, at_end_low, at_end_high (of those that meet the
        criterion at the end).
        """
        by = self._columns(by, self.varied)
        return _tidy(convergence_rates(self.data.trials if "epochs" in by else self._longest, by))

    def survival(self, by: Sequence[str] | None = None) -> Table:
        """Fraction of networks converged by each epoch (1 - Kaplan-Meier), each at its longest cut-off.

        Columns: `by`, epoch, estimate, low, high, at_risk, n.
        """
        return _tidy(survival_curves(self._longest, self._columns(by, self._along_epochs)))

    def ert(self, by: Sequence[str] | None = None) -> Table:
        """Expected running time, epochs per success, against the cut-off at which a trial is abandoned.

        Columns: `by`, cutoff, estimate, low, high (inf without a success), converged, n. The interval is of each
        cut-off by itself: the least of a curve is picked, and costs more on fresh seeds.
        """
        return _tidy(running_times(self._longest, self._columns(by, self._along_epochs)))

    def paired(self, axis: str, first: Any, second: Any, by: Sequence[str] | None = None) -> Table:
        """Two levels of a parameter on the same initial weights, seed by seed: ``paired("lr", 0.1, 0.5)``.

        Columns: `by`, first, second, estimate (convergence rate of the second minus the first), low, high, both,
        only_first, only_second, neither, n, p (McNemar, exact), p_holm; first_sooner, second_sooner, neither_sooner,
        p_sooner (sign test, exact), median_first, median_second, ratio (of the medians, the second's over the first's),
        ratio_low, ratio_high, p_sooner_holm. Holm's corrections are over the rows.

        Raises `SelectionError` if there is no such level, or no two networks began from the same weights.
        """
        chosen, problems = chosen_levels(self.data, {axis: [first, second]})
        if problems:
            raise SelectionError("\n".join(problems))
        one, other = chosen[axis]
        by = self._columns(by, [column for column in self._along_epochs if column != axis], axis)
        matched = pairs(self._longest, axis, one, other, by)
        if matched.empty:
            raise SelectionError(f"no two networks with {axis} {first} and {second} began from the same weights")
        rates = paired_rates(self._longest, axis, [(one, other)], by)
        return _tidy(pd.concat([rates, paired_speeds(matched, by).drop(columns=by)], axis=1))

    def plot(self, figure: str, x: str = "", hue: str = "", ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Draw one of the figures onto axes, in the style that they have: ``plot("rate", x="lr", ax=ax)``.

        Parameters
        ----------
        figure
            rate, heatmap, loss, survival, ert, predictions or paired: one with a single panel. Whole figures with their
            captions are made by ``python -m analysis.figures``
        x, hue
            the parameters along the horizontal axis and by colour; by default they are found from what varies
        ax
            matplotlib's axes; by default the current ones
        options
            of the figure, such as ``pair=(0.1, 0.5)``

        Raises
        ------
        SelectionError
            if there is no such figure, parameter or option
        NotApplicableError
            if it would need several panels, or makes no sense for these runs; the message says why
        """
        from matplotlib import pyplot as plt
        from matplotlib import rcParams

        from analysis.figures.catalog import FIGURES

        if figure not in FIGURES:
            raise SelectionError(
                f"{figure}: no such figure{suggestion(figure, FIGURES)}; valid are {', '.join(FIGURES)}"
            )
        valid = [name for name, _, _ in FIGURES[figure].options]
        if unknown := [name for name in options if name not in valid]:
            raise SelectionError(f"{listed(unknown)}: no option of {figure}; valid are {', '.join(valid) or 'none'}")
        chosen = {key: axis for key, axis in (("x", x), ("hue", hue)) if axis}
        layout = lay_out(self.data.trials, self.data.parameters, chosen)
        ax = ax or plt.gca()
        style = replace(STYLES["paper"], font=float(rcParams["font.size"]), ax=ax)
        view = View(self.store, self.data, layout, Selection(x=x, hue=hue), {}, style)
        FIGURES[figure].function(view, **options)
        return ax

    def to_parquet(self, folder: str | Path) -> list[Path]:
        """Write `trials`, `curves` and `conditions` into a folder, a file each; returns their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name in ("trials", "curves", "conditions"):
            paths.append(folder / f"{name}.parquet")
            tables.save_parquet(getattr(self, name), paths[-1])
        return paths

    def __repr__(self) -> str:
        """What these are, in a line or two."""
        named = [f"{plain(sweep.title)} ({sweep.short_id})" for sweep in self.data.sweeps]
        of = f"sweep {listed(named)}" if named else f"runs where {plain(self.data.run_filter)}"
        axes = [
            f"{axis}: {', '.join(level_names(levels(self.data.trials[axis]), 24).values())}" for axis in self.varied
        ]
        varying = f", varying {'; '.join(axes)}" if axes else ""
        return f"{counted(len(self._longest), 'network')} of {of}{varying}"

    def _repr_html_(self) -> str:
        table: str = self.conditions.to_html(max_rows=20, index=False, float_format="{:.4g}".format)
        return f"<p>{html.escape(repr(self))}</p>{table}"

    @cached_property
    def _longest(self) -> pd.DataFrame:
        return keep_longest(self.data.trials, self.data.parameters)

    @property
    def _along_epochs(self) -> list[str]:
        """Conditions of what is told along training time, where a longer cut-off goes on from a shorter one."""
        return [axis for axis in self.varied if axis != "epochs"]

    def _columns(self, by: Sequence[str] | None, default: Sequence[str], axis: str = "") -> list[str]:
        """The columns that make conditions; warns of what is pooled."""
        if by is None:
            return list(default)
        valid = [*self.data.parameters, "sweep"]
        if unknown := [column for column in by if column not in valid]:
            raise SelectionError(f"by={listed(unknown)}: valid are {', '.join(valid)}")
        pooled = [column for column in default if column not in by]
        pooled = [column for column in pooled if column not in ("epochs", axis)]
        if pooled:
            warnings.warn(
                f"networks are pooled over {listed([parameter_name(column) for column in pooled])}, as if they were of "
                f"one condition: add {'it' if len(pooled) == 1 else 'them'} to by, or choose with where(...)",
                stacklevel=3,
            )
        return list(by)


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Look for garbage seldom: a fifth of the time to load ten thousand runs would go into it."""
    before = gc.get_threshold()
    gc.set_threshold(50_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _cost_and_loss(members: pd.DataFrame) -> dict[str, float]:
    """ERT at the cut-off of a condition, and its median final loss."""
    times, cutoff = members["epochs_to_converge"].to_numpy(np.float64), int(members["epochs"].min())
    low, high = running_time_interval(times, cutoff)
    loss = members["final_loss"].fillna(np.inf).quantile(0.5, interpolation="lower")
    ert = float(expected_running_time(times, cutoff))
    return {"ert": ert, "ert_low": float(low), "ert_high": float(high), "final_loss": float(loss)}


def _tidy(frame: pd.DataFrame) -> Table:
    return Table(unordered(frame))
