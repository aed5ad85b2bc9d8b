"""What a user means: the run or the sweep that an id, the beginning of one, or a name stands for."""

from collections.abc import Sequence

from tracking import names
from tracking.addresses import tracking_uri
from tracking.errors import TrackingError, without_secrets
from tracking.record import Run
from tracking.store import Store
from tracking.terminal import printable

LATEST = "latest"


def find_run(stores: Sequence[Store], wanted: str) -> tuple[Store, Run]:
    """Find the one run that is meant, the newest by ``latest``; raises `TrackingError` if there is none, or several."""
    found = [(store, run) for store in stores for run in store.reader.matching(wanted)]
    if not found:
        uri = without_secrets(tracking_uri())
        raise TrackingError(f"no run {wanted!r} in {uri}; python -m experiments.sweeps status lists the sweeps")
    if wanted == LATEST:
        return max(found, key=lambda pair: (pair[1].start_ms, pair[1].run_id))
    if len(found) > 1:
        listed = "\n".join(f"  {run.run_id}  {printable(run.name)}" for _, run in found[:20])
        raise TrackingError(f"{len(found):,} runs are meant by {wanted!r}; take an id:\n{listed}")
    return found[0]


def find_sweep(stores: Sequence[Store], wanted: str) -> tuple[Store, Run]:
    """Find the one sweep that is meant, by ``latest`` the newest that does not confirm another one.

    Raises `TrackingError` if there is none, or several.
    """
    if wanted == LATEST:
        sweeps = [(store, sweep) for store in stores for sweep in originals(store.reader.sweeps())]
        if not sweeps:
            raise TrackingError(f"no sweeps yet in {without_secrets(tracking_uri())}")
        return max(sweeps, key=lambda pair: (pair[1].start_ms, pair[1].run_id))
    store, run = find_run(stores, wanted)
    if run.tags.get(names.KIND) != names.SWEEP:
        raise TrackingError(f"{printable(run.name)} ({run.run_id}) is no sweep; sweeps status lists them")
    return store, run


def originals(sweeps: Sequence[Run]) -> list[Run]:
    """Those sweeps that do not confirm another one."""
    return [sweep for sweep in sweeps if names.CONFIRMS not in sweep.tags]
