"""Uploading what was kept on disk while the tracking server was away."""

from collections.abc import Iterator
from pathlib import Path

from experiments.tracking import spool
from experiments.tracking.errors import TrackingError, without_password
from experiments.tracking.store import Store, open_store
from experiments.tracking.uri import tracking_uri


def sync() -> Iterator[spool.Kept]:
    """Upload what the current folder keeps; interrupted or repeated, it stores every run once.

    Yields
    ------
    Kept
        Each run and update, once it is stored and removed from the folder.

    Raises
    ------
    TrackingError
        If it was meant for another store, cannot be read, or cannot be stored.
    """
    folder = Path.cwd() / spool.FOLDER
    here = without_password(tracking_uri())
    stores: dict[str, Store] = {}
    with spool.alone(folder):
        for kept in spool.waiting(folder):
            if kept.destination != here:
                raise TrackingError(
                    f"{folder} holds runs meant for {kept.destination}, and the tracking store is {here}: "
                    "set MLFLOW_TRACKING_URI to the former"
                )
            if kept.experiment not in stores:
                stores[kept.experiment] = open_store(kept.experiment)
            stores[kept.experiment].upload(kept)
            spool.forget(folder, kept)
            yield kept
