"""What runs say of themselves in words, as Markdown: MLflow's UI shows it on their pages.

MLflow folds a description after some five lines, so what matters comes first: what came of the run, and where to go on.
"""

import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from experiments.commands import words_to_repeat
from experiments.config import Config
from experiments.ensemble import Trained
from experiments.trials import Estimate, Trials
from nn_core import Result
from tracking import names
from tracking.record import LONGEST_TAG
from tracking.view import curve_page, linked, run_page, runs_page, view_page

Array = NDArray[np.float64]

MOST_ROWS = 16
"""The most patterns whose predictions a description tabulates."""

MOST_WEIGHTS = 200
"""The most weights that a description lists."""

LONGEST_LINE = 80
"""Characters of a line of code; MLflow's page would grow with longer ones, beyond the window."""

PICKED = (
    "Intervals are 95%, of this condition by itself. If it was picked as one of the best or worst of many, it looks "
    "better or worse than it is: `python -m experiments.confirm` tries it on fresh seeds."
)


def of_run(trained: Trained, trials: Trials | None, tags: Mapping[str, str]) -> str:
    """Describe a run that trained a network, or several, whose `trials` are given then."""
    config, results = trained.job.config, trained.results
    words = words_to_repeat(trained.job.params, experiment=config.experiment, engine=config.engine)
    to_repeat = _to_repeat(words)
    links = {"Same condition, all seeds": same_condition(tags[names.CONDITION_HASH])}
    if sweep_id := tags.get(names.SWEEP_ID):
        links["All of its sweep, best first"] = view_page(names.OWN_EXPERIMENT, sweep_id)
    if trained.error is not None:
        where = {"Traceback": run_page(names.OWN_EXPERIMENT, names.OWN_RUN, "artifacts/traceback.txt")}
        return within(["**Failed.**", linked({**where, **links}), to_repeat])
    keys = [*names.LOSS_QUANTILES] if trials else [names.LOSS]
    where = {
        "Loss on a log scale": curve_page(names.OWN_EXPERIMENT, names.OWN_RUN, *keys),
        "Predictions": run_page(names.OWN_EXPERIMENT, names.OWN_RUN, f"artifacts/{names.PREDICTIONS}"),
    }
    if trials:
        return within([_outcome(trials), linked({**where, **links}), to_repeat])
    (result,) = results
    return within(
        [_what_came(result), linked({**where, **links}), _predictions(config, result), _weights(result), to_repeat]
    )


def of_condition(trials: Trials, rank: str, words: Sequence[str], pages: Mapping[str, str]) -> str:
    """Describe a condition: `rank` says which place it has, `pages` are where to go, by what they are called."""
    return within([f"{_outcome(trials)} {rank}", linked(pages), PICKED, _to_repeat(words)])


def are_few(layers: Sequence[Array]) -> bool:
    """Whether weights are few enough for a description."""
    return sum(layer.size for layer in layers) <= MOST_WEIGHTS


def _weights(result: Result) -> str:
    if not are_few(result.weights):
        return ""
    told = "Weights, a row for each unit below (a bias unit last), a column for each above:"
    return f"{told}\n\n```\n{listed(result.weights)}\n```"


def listed(layers: Sequence[Array]) -> str:
    """Write weights as text, layer by layer."""
    return "\n".join(
        "\n".join([f"into layer {depth}", *(_numbers(row, 9) for row in layer)])
        for depth, layer in enumerate(layers, start=1)
    )


@lru_cache
def same_condition(condition_hash: str) -> str:
    """Part of a link that opens all runs of a condition, whatever sweep they were made by."""
    return runs_page(names.OWN_EXPERIMENT, searchFilter=f"tags.{names.CONDITION_HASH} = '{condition_hash}'")


def within(parts: Sequence[str]) -> str:
    """Put paragraphs together, leaving out the last ones that would be too long for MLflow."""
    kept: list[str] = []
    for part in filter(None, parts):
        if sum(map(len, kept)) + len(part) + 2 * len(kept) < LONGEST_TAG - 500:  # ids take more than their places
            kept.append(part)
    return "\n\n".join(kept)


_quoted = lru_cache(4096)(shlex.quote)  # the jobs of a sweep have most words in common


def _to_repeat(words: Sequence[str]) -> str:
    """Show a command, in lines that MLflow's page has room for."""
    lines = [""]
    for word in map(_quoted, words):
        if len(lines[-1]) + len(word) > LONGEST_LINE and lines[-1]:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "To repeat it:\n\n```\n{}\n```".format(" \\\n  ".join(lines))


def _what_came(result: Result) -> str:
    what, _, advice = result.message.partition(". ")
    quality = f"Final loss {result.final_loss:.3g}, largest error {result.max_error:.3g}, {result.epochs:,} epochs."
    return f"**{what.capitalize()}.** {advice} {quality}"


def _outcome(trials: Trials) -> str:
    rate, end, ert, median = trials.rate, trials.rate_at_end, trials.ert, trials.median
    said = f"**{rate.value:.0%} of {len(trials):,} trials converged** ({_percent(rate)})"
    if not np.isnan(end.value):
        said += f", and {end.value:.0%} ({_percent(end)}) meet the criterion at the end"
    said += "." if not trials.unlearn else ": **what they learn does not last.**"
    if np.isfinite(ert.value):
        said += f" ERT {ert.value:,.0f} epochs ({_epochs(ert)})"
        said += f", median {median.value:,.0f} ({_epochs(median)})." if np.isfinite(median.value) else "."
    return said


def _percent(share: Estimate) -> str:
    return f"{share.low:.0%} to {share.high:.0%}"


def _epochs(time: Estimate) -> str:
    return f"{time.low:,.0f} to {time.high:,.0f}" if np.isfinite(time.high) else f"{time.low:,.0f} or more"


def _predictions(config: Config, result: Result) -> str:
    task = config.task
    if len(task.pattern_names) > MOST_ROWS:
        return ""
    rows = [
        f"| {name} | {_numbers(target)} | {_numbers(output)} |"
        for name, target, output in zip(task.pattern_names, task.targets, result.predictions, strict=True)
    ]
    return "\n".join(["| pattern | target | prediction |", "|:--|--:|--:|", *rows])


def _numbers(values: Array, width: int = 0) -> str:
    return " ".join(f"{value:{width}.4g}" for value in values.tolist())
