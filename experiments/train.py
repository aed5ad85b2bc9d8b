"""Train networks, tracked in MLflow: ``python -m experiments.train lr=0.5``, or a sweep with ``-m``."""

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from experiments import config

CONF = Path(__file__).resolve().parent.parent / "conf"


@hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
def task(composed: DictConfig, **surroundings: Any) -> None:
    """Do one job; see `experiments.one_run`, which is slow to import and not needed for ``--help``."""
    from experiments.one_run import train_one

    train_one(composed, **surroundings)


def main() -> None:
    """Run the command line."""
    if any(argument.startswith("--experimental-rerun") for argument in sys.argv[1:]):
        # It would read a pickle, and whoever wrote that file could run anything here.
        sys.exit("--experimental-rerun is not supported; python -m experiments.sweeps show RUN repeats a run")
    config.register()
    try:
        task()
    except SystemExit as stop:
        if stop.code == 1:
            for line in _suggestions(sys.argv[1:]):
                print(line, file=sys.stderr)
        raise


def _suggestions(arguments: list[str]) -> list[str]:
    """For each override of a key that does not exist, the key that may have been meant."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(CONF), version_base="1.3"):
        known = config.known_keys(compose("train"))
    typed = [argument.partition("=")[0] for argument in arguments if "=" in argument and argument[0] not in "-+~"]
    close = {
        key: get_close_matches(key, known, n=1) for key in typed if key not in known and not key.startswith("hydra")
    }
    return [f"Did you mean {found[0]} instead of {key}?" for key, found in close.items() if found]


if __name__ == "__main__":
    main()
