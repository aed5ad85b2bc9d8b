"""What the runs leave in MLflow, and nothing else: records of runs, and the stores they are written to.

MLflow itself takes a second or more to import, so no module here imports it before a store really needs it: to be
made, or to be written to. Reading an existing database goes without.
"""

import os

# Child processes inherit these; whoever set them otherwise is obeyed.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# MLflow's own client retries with back-off: five times is one minute without a server, then runs are spooled.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
