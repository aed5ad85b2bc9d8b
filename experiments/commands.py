"""Commands that repeat a run, to be pasted into a shell."""

import re
import shlex
from collections.abc import Mapping


def repeat_command(params: Mapping[str, str], *, experiment: str, engine: str | None) -> str:
    """Write the command that repeats a run, to be pasted into a shell."""
    return shlex.join(words_to_repeat(params, experiment=experiment, engine=engine))


def words_to_repeat(params: Mapping[str, str], *, experiment: str, engine: str | None) -> list[str]:
    """Say of which words that command consists."""
    overrides = [f"{key}={value}" for key, value in params.items()]
    overrides.append(f"experiment={_hydra_literal(experiment)}")
    if engine is not None and "," not in engine:  # else it is for each configuration to say
        overrides.append(f"engine={engine}")
    return ["python", "-m", "experiments.train", *overrides]


def _hydra_literal(text: str) -> str:
    """Write a string so that Hydra reads the same one: no number, no null, no interpolation."""
    constants = ("null", "true", "false", "nan", "inf")
    if re.fullmatch(r"[A-Za-z_][\w.\-/]*", text, re.ASCII) and text.lower() not in constants:
        return text
    no_interpolation = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    # Backslashes mean themselves but before a quote, and the closing one is a quote, too.
    return "'{}'".format(re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), no_interpolation))
