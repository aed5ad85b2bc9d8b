"""Train networks, tracked in MLflow: ``python -m experiments.train lr=0.5``, or a sweep with ``-m``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import completion, interruption

if TYPE_CHECKING:
    from omegaconf import DictConfig

CONF = Path(__file__).resolve().parent.parent / "conf"


def task(composed: "DictConfig", **surroundings: Any) -> None:
    """Do one job; see `experiments.one_run`, which is slow to import and not needed for ``--help``."""
    from experiments.one_run import train_one

    train_one(composed, **surroundings)


def main() -> None:
    """Run the command line."""
    if any(argument.startswith("--experimental-rerun") for argument in sys.argv[1:]):
        # It would read a pickle, and whoever wrote that file could run anything here.
        sys.exit("--experimental-rerun is not supported; python -m experiments.sweeps show RUN repeats a run")
    if completion.answers(sys.argv[1:]):
        return
    try:
        with interruption.listening():  # first of all: Hydra takes a third of a second to import
            _hydra()
    except interruption.Interrupted:
        sys.exit(interruption.exit_code())


def _hydra() -> None:
    import hydra

    from experiments import config

    config.register()
    try:
        hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")(task)()
    except SystemExit as stop:
        if stop.code == 1:
            for line in _suggestions(sys.argv[1:]):
                print(line, file=sys.stderr)
        raise


def _suggestions(arguments: list[str]) -> list[str]:
    """For each override of a key that does not exist, the key that may have been meant."""
    from difflib import get_close_matches

    from hydra import compose, initialize_config_dir

    from experiments import config

    with initialize_config_dir(str(CONF), version_base="1.3"):
        known = config.known_keys(compose("train"))
    typed = [argument.partition("=")[0] for argument in arguments if "=" in argument and argument[0] not in "-+~"]
    close = {
        key: get_close_matches(key, known, n=1) for key in typed if key not in known and not key.startswith("hydra")
    }
    return [f"Did you mean {found[0]} instead of {key}?" for key, found in close.items() if found]


if __name__ == "__main__":
    interruption.end_silently()
    main()
