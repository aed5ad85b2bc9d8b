"""Train networks, tracked in MLflow: ``python -m experiments.train lr=0.5``, or a sweep with ``-m``."""

import sys
from contextlib import suppress
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
    """For each override of a key that does not exist, what may have been meant; sweeps over such keys say so anyway."""
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import OverrideType
    from hydra.errors import HydraException

    from experiments import config

    parser = OverridesParser.create()
    values = {}
    for argument in arguments:
        with suppress(HydraException):
            override = parser.parse_override(argument)
            if override.type == OverrideType.CHANGE and not override.is_sweep_override():
                values[override.key_or_group] = override.value()
    options = [f"{key}={value}" for key, value in values.items() if str(value) in config.GROUPS.get(key, {})]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        known = config.known_keys(compose("train", options))
    unknown = [key for key in values if key not in known and key != "study" and key.partition(".")[0] != "hydra"]
    return [f"{key}: there is no such key; {config.remedy(key, known)}" for key in unknown]


if __name__ == "__main__":
    interruption.end_silently()
    main()
