"""The runs: from a command line to trained networks to tracked runs.

What belongs here is what a user of Hydra meets: commands, configuration, sweeps and what came of their jobs. How a
network learns is `nn_core`'s, how MLflow keeps it `tracking`'s, and what many runs say together `analysis`'s. Inside,
commands know sweeps, sweeps know runs, and runs know configurations, never the other way round.
"""

from experiments.notebook import SweepError, sweep

__all__ = ["SweepError", "sweep"]
