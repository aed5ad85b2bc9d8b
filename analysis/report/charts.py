"""Charts that answer to the mouse: Vega-Lite by Altair, its library and all data in the page.

All charts are one specification, so that one choice of levels filters them all. Rows name their condition by its
number; what a condition is stands once, in a table of its own that the charts look it up in.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from analysis.figures.hues import Hues
from analysis.figures.view import View
from analysis.levels import assignments, axis_name, is_number, level_names, levels, names_by_axis
from analysis.report.leaderboard import COLUMNS, shown

_MOST_ROWS = 12_000  # of a chart's curves; more would be more than a screen has pixels
_MOST_DOTS = 20_000
_LEAST_LOSS = 1e-16


def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, with the version that Altair writes for."""
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version))


def in_script(value: object) -> str:
    """A value as JSON that no text in it can end the script element around it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def charts(view: View, table: pd.DataFrame, curves: Mapping[Any, pd.DataFrame], address: str) -> str:
    """Specify charts, as JSON for a script element: rates, every trial, and if there are any, curves.

    `table` are the conditions of the leaderboard; `curves` what the figures ``loss`` and ``survival`` drew; `address`
    that of the MLflow UI, where a click on a trial leads.
    """
    by = view.layout.along_epochs().conditions
    shelf = _Shelf(view, table, by)
    parts = [_rates(shelf), _trials(shelf, view, address)]
    if "survival" in curves:
        parts.append(_converged(shelf, curves["survival"]))
    if "loss" in curves:
        parts.append(_losses(shelf, curves["loss"]))
    whole = alt.vconcat(*parts).add_params(*shelf.filters) if shelf.filters else alt.vconcat(*parts)
    whole = whole.configure(
        font="system-ui, sans-serif", view=alt.ViewConfig(stroke=None), axis=alt.AxisConfig(gridColor="#e4e4e4")
    )
    specification = whole.to_dict(format="vega-lite")
    specification["datasets"] = shelf.datasets
    return in_script(specification)


class _Shelf:
    """The conditions, their colours, and the filters that choose among them."""

    def __init__(self, view: View, table: pd.DataFrame, by: Sequence[str]) -> None:
        self.by, self.table = list(by), table
        names = names_by_axis(table, by)
        x, hue = view.layout.x, view.layout.hue if view.layout.hue != "epochs" else None
        self.x = x if x in self.by else (self.by[0] if self.by else None)
        self.hue = hue if hue in self.by and hue != self.x else next((a for a in self.by if a != self.x), None)
        self.fields = {axis: f"p{i}" for i, axis in enumerate(self.by)}
        rows = pd.DataFrame({"c": range(len(table))})
        rows["condition"] = [", ".join(assignments(row, names)) or "all trials" for _, row in table.iterrows()]
        for axis, field in self.fields.items():
            rows[field] = table[axis].map(names[axis]).astype(str).to_numpy()
        for name in COLUMNS:
            rows[name] = [shown(row, name) for _, row in table.iterrows()]
            for end in ("", "_low", "_high"):
                rows[f"{name}{end}_value"] = table[f"{name}{end}"].replace(np.inf, np.nan).to_numpy()
        rows["n"] = table["n"].to_numpy()
        self.numeric = (
            self.x is not None
            and all(map(is_number, levels(table[self.x])))
            and "none" not in set(table[self.x].astype(str))
        )
        if self.numeric and self.x:
            rows["x"] = table[self.x].astype(float).to_numpy()
        self.names = {axis: list(level_names(levels(table[axis]), 40).values()) for axis in by}
        hues = Hues.of(table, self.hue)
        self.colors = [alt_color(look.color) for look in hues.looks.values()]
        self.datasets = {"conditions": _columns(rows)}
        self.filters = [
            alt.param(
                name=f"show_{field}", value="all",
                bind=alt.binding_select(options=["all", *self.names[axis]], name=f"{axis_name(axis)} "),
            )
            for axis, field in self.fields.items()
            if len(self.names[axis]) > 1
        ]  # fmt: skip
        self.looked_up = [str(c) for c in rows if c != "c"]

    @property
    def wanted(self) -> str:
        """Whether a row's condition is among those chosen."""
        return (
            " && ".join(
                f"({parameter.name} == 'all' || datum.{parameter.name.removeprefix('show_')} == {parameter.name})"
                for parameter in self.filters
            )
            or "true"
        )

    def chart(self, name: str, rows: pd.DataFrame) -> alt.Chart:
        """A chart of a frame whose column c is the number of a condition."""
        self.datasets[name] = _columns(rows)
        conditions = alt.LookupData(data=alt.NamedData("conditions"), key="c", fields=self.looked_up)
        chart = alt.Chart(alt.NamedData(name)).transform_lookup(lookup="c", from_=conditions)
        return chart.transform_filter(self.wanted)

    def alone(self) -> alt.Chart:
        """A chart of the conditions themselves."""
        return alt.Chart(alt.NamedData("conditions")).transform_filter(self.wanted)

    def numbered(self, frame: pd.DataFrame) -> pd.Series:
        """The number of each row's condition."""
        if not self.by:
            return pd.Series(0, frame.index)
        known = {key: i for i, key in enumerate(self.table[self.by].itertuples(index=False, name=None))}
        return pd.Series([known[key] for key in frame[self.by].itertuples(index=False, name=None)], frame.index)

    @property
    def color(self) -> Any:
        """The colour of a mark, with a legend whose entries can be clicked."""
        if self.hue is None:
            return alt.value("#0b5fa5")
        scale = alt.Scale(domain=self.names[self.hue], range=self.colors)
        return alt.Color(f"{self.fields[self.hue]}:N", scale=scale, title=axis_name(self.hue))

    def horizontal(self) -> Any:
        """The axis of the parameter along x: numbers where they are, names side by side."""
        if self.x is None:
            return alt.X("condition:N", title=None)
        if self.numeric:
            values = [float(v) for v in levels(self.table[self.x])]
            kind: dict[str, Any] = {"type": "log"} if self.is_wide else {"type": "linear", "zero": False}
            scale = alt.Scale(**kind, nice=False, padding=24)
            axis = alt.Axis(values=values, labelOverlap="greedy", format="~g", grid=False)
            return alt.X("x:Q", title=axis_name(self.x), scale=scale, axis=axis)
        return alt.X(
            f"{self.fields[self.x]}:N", title=axis_name(self.x), sort=self.names[self.x], axis=alt.Axis(labelAngle=-30)
        )

    @property
    def is_wide(self) -> bool:
        """Whether the numbers along x span so much that their logarithms are shown."""
        values = self.table[self.x].astype(float) if self.numeric else pd.Series([0.0])
        return bool(values.min() > 0 and values.max() >= 8 * values.min())

    @property
    def jittered(self) -> dict[str, str]:
        """Numbers along x moved a little, by the seed, so that trials of one condition lie beside each other."""
        if not self.numeric:
            return {}
        apart, values = "((datum.seed * 7919 % 101) / 101 - 0.5)", self.table[self.x].astype(float)
        ends = np.log10([values.min(), values.max()]) if self.is_wide else [values.min(), values.max()]
        step = 0.03 * float(ends[1] - ends[0])
        return {"x": f"datum.x * pow(10, {apart} * {step:.4g})" if self.is_wide else f"datum.x + {apart} * {step:.4g}"}

    @property
    def tooltip(self) -> list[Any]:
        """What is told of a condition."""
        told = [alt.Tooltip("condition:N")]
        told += [alt.Tooltip(f"{name}:N", title=title) for name, (title, _) in COLUMNS.items()]
        return [*told, alt.Tooltip("n:Q", title="trials")]


def alt_color(color: Any) -> str:
    """A colour of matplotlib's as one of the web's."""
    from matplotlib.colors import to_hex

    return to_hex(color)


def _columns(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """A frame column by column, five digits of every number, which the page turns into rows."""

    def plain(value: Any) -> Any:
        if isinstance(value, str):
            return value
        number = float(value)
        return None if not np.isfinite(number) else int(number) if number.is_integer() else float(f"{number:.5g}")

    return {str(name): [plain(value) for value in rows[name]] for name in rows}


def _sized(chart: Any, title: str, height: int = 260) -> Any:
    return chart.properties(title=alt.TitleParams(title, anchor="start"), width=640, height=height)


def _rates(shelf: _Shelf) -> Any:
    """The rate of each condition, at its first pass and at the end."""
    base = shelf.alone().encode(x=shelf.horizontal(), color=shelf.color, tooltip=shelf.tooltip)
    y = alt.Y("estimate_value:Q", title="fraction of trials", scale=alt.Scale(domain=[0, 1]))
    bars = base.mark_rule(strokeWidth=2, opacity=0.6).encode(
        y=alt.Y("estimate_low_value:Q", title="fraction of trials"), y2="estimate_high_value:Q"
    )
    dots = base.mark_point(filled=True, size=70).encode(y=y)
    ends = base.mark_point(filled=False, size=110, shape="diamond").encode(y=alt.Y("at_end_value:Q"))
    zoom = alt.selection_interval(bind="scales", name="zoom_rate", encodings=["x", "y"] if shelf.numeric else ["y"])
    return _sized((bars + dots.add_params(zoom) + ends), "Converged at some pass (dots) and at the end (diamonds)")


def _trials(shelf: _Shelf, view: View, address: str) -> Any:
    """Every trial, and where its run is."""
    trials = view.longest
    kept = trials.iloc[np.unique(np.linspace(0, len(trials) - 1, min(len(trials), _MOST_DOTS)).astype(int))]
    never = 2.0 * float(trials["epochs"].max())
    rows = pd.DataFrame({"c": shelf.numbered(kept), "seed": kept["seed"]})
    rows["epochs"] = kept["epochs_to_converge"].replace(np.inf, np.nan).to_numpy()
    rows["run"] = kept["run_id"].astype(str).to_numpy()
    experiments = sorted({view.data.runs[run].experiment_id for run in rows["run"].unique()})
    if len(experiments) > 1:
        rows["e"] = [int(view.data.runs[run].experiment_id) for run in rows["run"]]
    experiment = "datum.e" if len(experiments) > 1 else f"'{experiments[0]}'"
    link = f"'{address}/#/experiments/' + {experiment} + '/runs/' + datum.run + '?workflowType=machine_learning'"
    soonest = float(trials["epochs_to_converge"].min()) if trials["converged"].any() else never / 10
    first = f"isValid(datum.epochs) ? max(datum.epochs, 1) : {never}"
    told = "isValid(datum.epochs) ? format(datum.epochs, ',') : 'never'"
    base = shelf.chart("trials", rows).transform_calculate(when=first, told=told, link=link, **shelf.jittered)
    zoom = alt.selection_interval(bind="scales", name="zoom_trials", encodings=["x", "y"] if shelf.numeric else ["y"])
    dots = base.mark_circle(size=22, opacity=0.45, cursor="pointer").encode(
        x=shelf.horizontal(),
        y=alt.Y(
            "when:Q",
            scale=alt.Scale(type="log", domain=[max(1.0, soonest / 1.5), never * 1.3], nice=False),
            title=f"epochs to converge (never: {never:,.0f})",
        ),
        color=shelf.color,
        href="link:N",
        tooltip=[
            alt.Tooltip("condition:N"),
            alt.Tooltip("seed:Q"),
            alt.Tooltip("told:N", title="epochs to converge"),
            alt.Tooltip("run:N"),
        ],
    )
    return _sized(dots.add_params(zoom), "Every trial; a click leads to its run in MLflow", 300)


def _thinned(frame: pd.DataFrame, numbers: "pd.Series[int]") -> pd.DataFrame:
    """Some of the points of every curve, its last one among them, if there are more than a screen can show."""
    step = -(-len(frame) // _MOST_ROWS)
    place = frame.groupby(numbers).cumcount(ascending=False)
    return frame[place % step == 0] if step > 1 else frame


def _curve(shelf: _Shelf, name: str, frame: pd.DataFrame) -> alt.Chart:
    frame = frame.loc[frame["epoch"] > 0].replace(np.inf, np.nan)
    numbers = shelf.numbered(frame)
    frame = _thinned(frame, numbers)
    rows = frame[["epoch", "low", "high"]].assign(value=frame["estimate"], c=numbers.loc[frame.index])
    return shelf.chart(name, rows)


def _converged(shelf: _Shelf, frame: pd.DataFrame) -> Any:
    base = _curve(shelf, "survival", frame).encode(
        x=alt.X("epoch:Q", scale=alt.Scale(type="log", nice=False), title="epoch"), color=shelf.color, detail="c:N"
    )
    zoom = alt.selection_interval(bind="scales", name="zoom_survival")
    told = [alt.Tooltip("condition:N"), alt.Tooltip("epoch:Q", format=",")]
    told.append(alt.Tooltip("value:Q", format=".0%", title="converged by then"))
    band = base.mark_area(opacity=0.12, interpolate="step-after").encode(
        y=alt.Y("low:Q", title="fraction converged"), y2="high:Q"
    )
    line = base.mark_line(interpolate="step-after").encode(y="value:Q")
    dots = base.mark_point(size=60, opacity=0, filled=True).encode(y="value:Q", tooltip=told)
    return _sized(band + line + dots.add_params(zoom), "Converged by each epoch")


def _losses(shelf: _Shelf, frame: pd.DataFrame) -> Any:
    ends = ["estimate", "low", "high"]
    positive = frame.assign(**{end: frame[end].where(frame[end] > 0).clip(lower=_LEAST_LOSS) for end in ends})
    base = _curve(shelf, "loss", positive).encode(
        x=alt.X("epoch:Q", scale=alt.Scale(type="log", nice=False), title="epoch"), color=shelf.color, detail="c:N"
    )
    zoom = alt.selection_interval(bind="scales", name="zoom_loss")
    told = [alt.Tooltip("condition:N"), alt.Tooltip("epoch:Q", format=",")]
    told.append(alt.Tooltip("value:Q", format=".3g", title="median loss"))
    y = alt.Y("value:Q", scale=alt.Scale(type="log", nice=False), title="loss")
    band = base.mark_area(opacity=0.12).encode(y=alt.Y("low:Q", title="loss"), y2="high:Q")
    line = base.mark_line().encode(y=y)
    dots = base.mark_point(size=60, opacity=0, filled=True).encode(y="value:Q", tooltip=told)
    return _sized(band + line + dots.add_params(zoom), "Median loss, and where the middle 80% of trials lie")
