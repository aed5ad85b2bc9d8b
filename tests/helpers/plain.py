"""A configuration as a plain dictionary, as Hydra and a YAML reader have it."""

from dataclasses import asdict
from typing import Any

from experiments.config import GROUPS, Config


def plain(config: Config) -> dict[str, Any]:
    whole = asdict(config)
    for group in GROUPS:
        whole[group].pop("learning_rate", None)
        whole[group] = {"name": getattr(config, group).name, **whole[group]}
    return whole
