"""``python -m experiments.reference``: every key and every part, as ``docs/configuration.md`` has them."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from experiments.config import GROUPS, Config, Record
from experiments.identity import literal
from nn_core.parts import options, parts, summary

TITLES = {
    "task": "Tasks",
    "activation": "Activations",
    "init": "Initial weights",
    "loss": "Losses",
    "optimizer": "Optimizers",
    "update": "Updates",
    "criterion": "Criteria",
}


HEADER = """# Configuration

Every key of `python -m experiments.train`, its default and what is valid; then all parts and options.
Written by `python -m experiments.reference` from the declarations in `nn_core` and `experiments/config.py`.
"""


def reference() -> str:
    """Write the page, in Markdown."""
    return "\n".join([*_keys(), *(line for kind, title in TITLES.items() for line in _kind(kind, title))]) + "\n"


def _keys() -> Iterator[str]:
    yield HEADER
    rows: dict[str, Field[Any]] = {}
    for entry in fields(Config):
        nested = {f"record.{option.name}": option for option in options(Record)}
        rows |= nested if entry.type is Record else {entry.name: entry}
    yield from _table("key", rows)


def _kind(kind: str, title: str) -> Iterator[str]:
    yield f"\n## {title}"
    for name, part in parts(kind).items():
        engine = "" if part.twin or kind in ("task", "init") else " Trains in the NumPy reference only."
        yield f"\n**`{kind}={name}`** {_escaped(summary(part))}{engine}"
        if options(part):
            yield ""
            yield from _table("option", {f"{kind}.{option.name}": option for option in options(part)})


def _described(entry: Field[Any]) -> tuple[str, str, str]:
    """Default, what is valid, and meaning of a key."""
    facts = entry.metadata
    kind = facts.get("kind")
    if kind in GROUPS:
        return f"`{facts['chosen']}`", f"one of the {TITLES[kind].lower()} below", facts["about"]
    default = "none" if entry.default is MISSING else f"`{literal(entry.default)}`"
    if "names" in facts:
        valid = f"one of the {TITLES[kind].lower()} below" if kind else ", ".join(f"`{n}`" for n in facts["names"]())
    else:
        valid = facts["valid"].words
    return default, valid, facts["about"]


def _table(what: str, rows: Mapping[str, Field[Any]]) -> Iterator[str]:
    yield f"| {what} | default | valid | what it is |"
    yield "|---|---|---|---|"
    for key, entry in rows.items():
        yield f"| `{key}` | {' | '.join(map(_escaped, _described(entry)))} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    about = "Prints every key of a configuration, and every part with its options, in Markdown."
    argparse.ArgumentParser(prog="python -m experiments.reference", description=about).parse_args()
    sys.stdout.write(reference())
