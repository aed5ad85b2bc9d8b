"""Uploading what was kept on disk while the tracking server was away."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tracking import spool
from tracking.addresses import tracking_uri
from tracking.errors import TrackingError, without_secrets
from tracking.store import Store, open_store


def sync(revise: Callable[[Store, str, int], None]) -> Iterator[spool.Kept]:
    """Upload what the current folder keeps, and yield each run and update once it is stored.

    Interrupted or repeated, it stores every run once. At the end `revise` is called for each sweep that something was
    uploaded for, with its store, its run id, and when the last of it was kept, in milliseconds since 1970; called
    again, it is to change nothing. Raises `TrackingError` where something was meant for another store, cannot be read,
    or cannot be stored.
    """
    folder = Path.cwd() / spool.FOLDER
    here = without_secrets(tracking_uri())
    stores: dict[str, Store] = {}
    # The last file of each sweep stays until that is revised: who is interrupted before will come back to it.
    last: dict[str, spool.Kept] = {}
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
            if before := last.get(kept.sweep_id):
                spool.forget(folder, before)
            last[kept.sweep_id] = kept
            yield kept
        for sweep_id, kept in last.items():
            revise(stores[kept.experiment], sweep_id, kept.now_ms)
            spool.forget(folder, kept)
