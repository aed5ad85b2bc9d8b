"""How much memory it takes to train jobs together, and to describe what came of them."""

import nn_core
from experiments.config import Config, condition
from nn_core.memory import needed

CELL = 60  # bytes of a number of the table of predictions, on its way to being text


def of_jobs(config: Config, jobs: int = 1, engine: str = "") -> int:
    """Bytes for that many jobs like this one, by its own engine or another."""
    complete = condition(config)
    networks = jobs * config.trials
    patterns, inputs, outputs = complete.training.task.shape
    training = needed(complete, networks, config.epochs, engine or nn_core.choose(config.engine, complete.parts))
    # Its arrays are still there when files are made of them; of several trials, the table has two quantiles, too.
    columns = inputs + outputs * (2 if config.trials == 1 else 4)
    arrays = 8 * networks * (3 * nn_core.count_weights(complete.fans) + 4 * patterns * outputs)
    return training + arrays + jobs * CELL * patterns * columns
