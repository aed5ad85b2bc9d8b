"""The one door to MLflow: addresses of stores, runs written and read, their files, what everything is called there.

Here belongs what would differ if runs were kept elsewhere: it knows runs, not networks, and nothing of the project.
`store` opens, `reader` says what can be asked, `record` what a run is. MLflow takes seconds to import, so no module
imports it before a store has to be made or written to; reading a database goes without.
"""

import logging
import os
from pathlib import Path

# Child processes inherit these; whoever set them otherwise is obeyed.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# MLflow's own client retries with back-off: five times is one minute without a server, then runs are spooled.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
# In a container there may be no such user, and MLflow cannot be imported by somebody without a home.
try:
    Path.home()
except RuntimeError:
    os.environ["HOME"] = "/nonexistent"
# MLflow writes a traceback of what its database refuses, and raises it, too: that is told by whoever catches it.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
