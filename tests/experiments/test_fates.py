"""What is noted of a sweep's jobs is what the store told of each, in whatever order it did."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from experiments.fates import _BATCH, ORIGINS, Fates


def hash_of(number):
    return f"{number * 2654435761 % 2**64:016x}"


def fates_of(jobs):
    return Fates(np.array([hash_of(job).encode() for job in range(jobs)]))


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(ORIGINS[1:]))))
def test_each_job_has_the_last_of_its_runs_and_other_runs_are_none_of_its(runs):
    """Twenty jobs, and runs of thirty."""
    told = [(hash_of(number), f"{position:032x}", origin) for position, (number, origin) in enumerate(runs)]
    fates = fates_of(20)
    fates.settle(told)
    expected = {config_hash: rest for config_hash, *rest in told}
    assert list(fates) == [tuple(expected.get(hash_of(job), ("", ""))) for job in range(20)]


def test_more_runs_than_are_read_at_once():
    jobs = 2 * _BATCH + 3
    fates = fates_of(jobs)
    fates.settle((hash_of(job), f"{job:032x}", "new") for job in reversed(range(jobs)))
    fates.settle([(hash_of(5), "5" * 32, "failed")])
    fates.note_rates((f"{job:032x}", job / jobs) for job in range(3 * jobs) if job != 7)
    assert list(fates) == [("5" * 32, "failed") if job == 5 else (f"{job:032x}", "new") for job in range(jobs)]
    missing = np.isin(np.arange(jobs), [5, 7])
    np.testing.assert_array_equal(np.isnan(fates.rates), missing)
    np.testing.assert_array_equal(fates.rates[~missing], (np.arange(jobs) / jobs)[~missing])


def test_hashes_and_run_ids_that_begin_alike_are_told_apart():
    fates = fates_of(1)
    fates.settle([(hash_of(0) + "0", "a" * 32, "new")])
    assert list(fates) == [("", "")]
    fates.settle([(hash_of(0), "b" * 32, "new")])
    fates.note_rates([("b" * 33, 1.0)])
    assert np.isnan(fates.rates).all()
