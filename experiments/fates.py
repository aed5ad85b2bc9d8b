"""What became of the jobs of a sweep."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

ORIGINS = ("", "new", "reused", "failed")
"""Where a job's run comes from; without a run, from nowhere."""

_BATCH = 4096


class Fates:
    """Which run each job of a sweep has, where that run comes from, and what came of it; 45 bytes a job.

    Parameters
    ----------
    config_hashes : np.ndarray
        Of the jobs, as ASCII; shape (jobs,), dtype S16.

    Attributes
    ----------
    run_ids : np.ndarray
        As ASCII, empty where there is no run; shape (jobs,), dtype S36.
    origins : np.ndarray
        Positions in `ORIGINS`; shape (jobs,).
    rates : np.ndarray
        Share of the job's trials that converged, NaN where there is none; shape (jobs,).
    """

    def __init__(self, config_hashes: np.ndarray) -> None:
        self._config_hashes = config_hashes
        self.run_ids = np.zeros(len(config_hashes), "S36")
        self.origins = np.zeros(len(config_hashes), np.int8)
        self.rates = np.full(len(config_hashes), np.nan)

    def settle(self, runs: Iterable[tuple[str, str, str]]) -> None:
        """Note runs, each a config_hash, a run id and an origin; of several for the same job, the last."""
        for jobs, (run_ids, origins) in _matched(self._config_hashes, runs):
            self.run_ids[jobs] = np.array([run_id.encode() for run_id in run_ids])
            self.origins[jobs] = [ORIGINS.index(origin) for origin in origins]

    def note_rates(self, rates: Iterable[tuple[str, float]]) -> None:
        """Note what share of the trials converged, by run id."""
        for jobs, (shares,) in _matched(self.run_ids, rates):
            self.rates[jobs] = shares

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Run id and origin of each job."""
        for run_id, origin in zip(self.run_ids, self.origins, strict=True):
            yield run_id.decode(), ORIGINS[origin]


def _matched(keys: np.ndarray, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[np.ndarray, Sequence[Sequence[Any]]]]:
    """Find the rows that begin with one of the keys: positions of those keys, and the rows' other columns.

    Rows are read some thousands at a time, and may be many more than the keys.
    """
    order = np.argsort(keys)
    ordered = keys[order]
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        wanted = np.array([row[0].encode() for row in batch])
        at = np.minimum(np.searchsorted(ordered, wanted), len(keys) - 1)
        there = np.flatnonzero(ordered[at] == wanted)
        if len(there):
            yield order[at[there]], list(zip(*(batch[i][1:] for i in there), strict=True))
