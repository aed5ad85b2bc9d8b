"""What things are called in MLflow: the tags, metrics and files of runs, each name in this one place."""

KIND = "kind"
"""Tag: `SWEEP` for the run of a sweep, the parent of its jobs' runs."""

SWEEP = "sweep"

SWEEP_ID = "sweep_id"
"""Tag: the run of the sweep that made this one."""

PARENT = "mlflow.parentRunId"
"""Tag: the same, for MLflow's UI."""

CONFIG_HASH = "config_hash"
"""Tag of every run that trains something; the same for the same configuration."""

DIVERGED = "diverged"
"""Tag: the epoch at which weights overflowed."""

SPOOL_ID = "spool_id"
"""Tag: the file in which the run waited for its upload."""

TABLES = "mlflow.loggedArtifacts"
"""Tag: which files MLflow's UI is to show as tables."""

NOTE = "mlflow.note.content"
"""Tag: the description that MLflow's UI shows."""

CONVERGED = "converged"
EPOCHS_TO_CONVERGE = "epochs_to_converge"
"""Metrics of a run with one trial, the second absent if it did not converge."""

CONVERGENCE_RATE = "convergence_rate"
MEDIAN_EPOCHS_TO_CONVERGE = "median_epochs_to_converge"
ERT = "ert"
"""Metrics of a run with several trials, the last two absent where they are infinite."""

FINAL_LOSS = "final_loss"
MAX_ERROR = "max_error"

PREDICTION = "prediction/"
"""Beginning of a metric for each pattern."""

LOSS = "loss"
LOSS_QUANTILES = {"loss/q10": 0.1, "loss/q50": 0.5, "loss/q90": 0.9}
"""Curves: the loss of one trial, and quantiles of the losses of several."""

TRIALS = "trials"
"""Param: how many networks the run trained."""

JOBS_CSV = "jobs.csv"
"""File of a sweep: its jobs and their runs."""

GIT_DIFF = "git_diff.patch"
"""File: what a dirty checkout adds to its commit."""

WEIGHTS = "weights.npz"
PREDICTIONS = "predictions.json"
CONFIG = "config.yaml"
TRIALS_TABLE = "trials.parquet"
"""Files of a run that trained."""
