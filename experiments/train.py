"""Train networks, tracked in MLflow: ``python -m experiments.train lr=0.5``, or a sweep with ``-m``."""

import os
import re
import sys
import traceback
from contextlib import nullcontext
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from experiments import completion, interruption, startup
from tracking.terminal import printing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def task(composed: "DictConfig", **surroundings: Any) -> None:
    """Do one job; see `experiments.one_run`, which is slow to import and not needed for ``--help``."""
    from experiments import trust
    from experiments.jobs import ConfigurationError
    from experiments.one_run import train_one

    trust.hide_secrets()
    try:
        train_one(composed, **surroundings)
    except ConfigurationError as error:
        if surroundings:
            raise
        sys.exit(str(error))  # that, and not what Hydra has to say of jobs that fail


def main() -> None:
    """Run the command line."""
    if any(argument.startswith("--experimental-rerun") for argument in sys.argv[1:]):
        # It would read a pickle, and whoever wrote that file could run anything here.
        sys.exit("--experimental-rerun is not supported; python -m experiments.sweeps show RUN repeats a run")
    completing = completion.is_asked_for(sys.argv[1:])
    if completing and completion.answers(sys.argv[1:]):
        return
    try:
        # First of all: Hydra takes a third of a second to import.
        choosing = completion.without_names() if completing else nullcontext()
        with interruption.listening(), printing(), choosing:
            _hydra()
    except interruption.Interrupted:
        sys.exit(interruption.exit_code())


def _hydra() -> None:
    import hydra

    from experiments import config, trust
    from nn_core import PartError
    from tracking.addresses import current_folder
    from tracking.errors import TrackingError

    try:
        folder = current_folder()
        config.register()
    except (PartError, TrackingError) as error:
        sys.exit(str(error))
    if "${" in str(folder):
        sys.exit(
            f"{folder}: Hydra would read the name of this folder as a reference: rename it, or work in another one"
        )
    run = trust.only_in_known_code()(
        hydra.main(config_path=str(config.CONF), config_name="train", version_base="1.3")(task)
    )
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        run()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra would show some mistakes of the user's as tracebacks
    try:
        run()
    except BrokenPipeError:
        raise
    except Exception as error:
        if _is_ours(error):
            raise
        sys.exit(_explained(error))
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


def _is_ours(error: Exception) -> bool:
    """Whether an exception is a mistake of the program, and not for people to read: raised by it, and not by Hydra."""
    from hydra.errors import CompactHydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, CompactHydraException | OmegaConfBaseException):
        return False
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    of_hydra, ours = ("hydra.", "omegaconf."), ("experiments.", "nn_core.", "tracking.")
    known = [module for module in modules if module.startswith((*of_hydra, *ours))]
    return bool(known) and known[-1].startswith(ours)


def _explained(error: Exception) -> str:
    """Say what Hydra, or a library under it, found wrong with the command line."""
    from hydra.errors import CompactHydraException
    from omegaconf.errors import OmegaConfBaseException

    from experiments import config

    message, cause = str(error), error.__cause__
    typed = shorten(" ".join(sys.argv[1:]), 200)
    if not isinstance(error, CompactHydraException):
        if isinstance(error, OSError):  # a disk that is full, a folder that cannot be made
            return shorten(f"{typed}: {message}", 500)
        # Impossible overrides meet all kinds of exceptions in Hydra, some of them without a word.
        told = f"{type(error).__name__}: {message}{f': {cause}' if cause else ''}"
        return shorten(f"Hydra cannot make anything of {typed} ({told})", 500)
    if option := re.search(r"Could not find '(.+)/(.*)'\s+Available options in '.*':\n((?:\t.*\n)+)", message):
        group, name, names = option[1], option[2], option[3].split()
        return f"{group}={name}: valid is one of {', '.join(names)}{config.suggestion(name, names)}"
    if not isinstance(cause, OmegaConfBaseException):
        return message.replace("hydra.cc/docs/1.2/", "hydra.cc/docs/1.3/")  # Hydra 1.3 has the old address
    missed = re.match(r"Could not override '([^']+)'", message)
    if missed and not missed[1].lstrip("+~").startswith("hydra"):
        key = missed[1]
        typed = next((argument for argument in sys.argv if argument.startswith(f"{key}=")), key)
        return f"{typed}: there is no such key; {config.remedy(key, config.all_keys())}"
    merged = re.match(r"Error merging override (([^=]*).*)", message)
    known = config.all_keys()
    if merged and "." in merged[2] and merged[2] not in known and not merged[2].lstrip("+~").startswith("hydra"):
        return f"{merged[1]}: there is no such key; {config.remedy(merged[2], known)}"
    return f"{merged[1] if merged else message}: {config.what_is_wrong(cause)}"


if __name__ == "__main__":
    interruption.end_silently()
    startup.collect_garbage_seldom()
    main()
