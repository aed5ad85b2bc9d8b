"""What things are called in MLflow: the tags, metrics and files of runs, each name in this one place."""

# Tags.
KIND = "kind"  # what the run is, one of the next three; runs of trials that are too old to say so have no such tag
SWEEP = "sweep"  # the run of a sweep, the parent of those that it made
TRIAL = "trial"  # a network, or several with consecutive seeds, trained by a job of a sweep or by itself
CONDITION = "condition"  # what the trials of a sweep say together that differ in nothing but their seeds
SWEEP_ID = "sweep_id"  # the run of the sweep that made this one
CONFIRMS = "confirms"  # of a sweep on fresh seeds: the run of the sweep whose best conditions it tries again
PARENT = "mlflow.parentRunId"  # the same, for MLflow's UI
CONFIG_HASH = "config_hash"  # of every run that trains something; the same for the same configuration
CONDITION_HASH = "condition_hash"  # the same for runs that differ in nothing but their seeds, and for their condition
DIVERGED = "diverged"  # the epoch at which weights overflowed
SPOOL_ID = "spool_id"  # the file in which the run waited for its upload
TABLES = "mlflow.loggedArtifacts"  # which files MLflow's UI is to show as tables
NOTE = "mlflow.note.content"  # the description that MLflow's UI shows
OWN_EXPERIMENT, OWN_RUN = (
    "{experiment_id}",
    "{run_id}",
)  # stand in a run's description for what is known once it is kept

# Metrics of a run with one trial, at its first pass that meets the criterion; the second is absent if there is none.
CONVERGED = "converged"
EPOCHS_TO_CONVERGE = "epochs_to_converge"

# Metrics of any run: whether its last pass meets the criterion, and whether an earlier one did and the last does not;
# of several trials the rates, with their intervals.
CONVERGED_AT_END = "converged_at_end"
LOST_AT_END = "lost_at_end"

# Metrics of a run with several trials; the last two are absent where they are infinite.
CONVERGENCE_RATE = "convergence_rate"
MEDIAN_EPOCHS_TO_CONVERGE = "median_epochs_to_converge"
ERT = "ert"

RANK = "rank"  # metric of a condition: its place among those of its sweep, by ERT, 1 for the best; see `sweeps best`

FINAL_LOSS = "final_loss"
MAX_ERROR = "max_error"
PREDICTION = "prediction/"  # beginning of a metric for each pattern

JOBS = "jobs"  # metric of a sweep: how many it has

# Curves: the loss of one trial, and quantiles of the losses of several.
LOSS = "loss"
LOSS_QUANTILES = {"loss/q10": 0.1, "loss/q50": 0.5, "loss/q90": 0.9}

TRIALS = "trials"  # param: how many networks the run trained; of a condition a metric: how many trials it has
NO_CONDITION = ("seed", TRIALS)  # params that tell trials of a condition apart, and are no part of it

# Files of a sweep, of any run, and of one that trained.
JOBS_CSV = "jobs.csv"  # a sweep's jobs and their runs
GIT_DIFF = "git_diff.patch"  # what a dirty checkout adds to its commit
WEIGHTS = "weights.npz"
WEIGHTS_TXT = "weights.txt"  # the same to be read in MLflow, where they are too many for the description
PREDICTIONS = "predictions.json"
CONFIG = "config.yaml"
CONDITIONS_JSON = "conditions.json"  # a sweep's conditions, as a table that MLflow shows
SURFACES = "surfaces.svg"  # a condition's networks, as far as they can be drawn
TRIALS_JSON = "trials.json"  # a condition's trials and their runs, as a table that MLflow shows
TRIALS_TABLE = "trials.parquet"
