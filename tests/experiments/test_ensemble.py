"""Jobs trained together are what they are alone, exactly; and one that raises fails alone."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn_core
from experiments import ensemble, memory
from experiments.config import Record
from experiments.ensemble import Unit, chunks, train_chunk
from nn_core import Fixed, Momentum, Normal, Parity, Quickprop, Uniform


def silent(epoch):
    pass


def train(jobs, engine="numpy"):
    """The results of jobs trained as a sweep, by config_hash; every job has one outcome."""
    outcomes = {}
    for units in chunks(jobs):
        for batch in train_chunk(units, nn_core.engine(engine), silent):
            for outcome in batch:
                assert outcome.job.config_hash not in outcomes
                outcomes[outcome.job.config_hash] = outcome
    assert outcomes.keys() == {job.config_hash for job in jobs}
    return outcomes


def alone(job, engine="numpy"):
    ((outcome,),) = train_chunk([Unit((job,))], nn_core.engine(engine), silent)
    return outcome


def same(results, others):
    assert len(results) == len(others)
    for result, other in zip(results, others, strict=True):
        for entry in fields(result):
            value, expected = getattr(result, entry.name), getattr(other, entry.name)
            if entry.name == "weights":
                for W, V in zip(value, expected, strict=True):
                    np.testing.assert_array_equal(W, V)
            else:
                np.testing.assert_array_equal(value, expected, err_msg=entry.name)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_trials_are_so_many_runs(make_job, engine):
    several = alone(make_job(trials=3, seed=5, lr=2.0, epochs=400), engine)
    singles = [alone(make_job(seed=seed, lr=2.0, epochs=400), engine) for seed in (5, 6, 7)]
    same(several.results, [result for outcome in singles for result in outcome.results])


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("stop", [False, True])
def test_a_sweep_is_so_many_runs(make_job, stop, engine):
    """Everything that may differ within a family does, and another family trains beside it."""
    jobs = [
        make_job(lr=lr, seed=seed, init=init, epochs=epochs, trials=trials, stop_when_converged=stop, **others)
        for lr in (0.5, 3.0)
        for seed, init, trials in [
            (0, Uniform(-1.0, 1.0), 3),
            (7, Normal(2.0), 1),
            (1, Fixed([0.3] * 16), 1),
        ]
        for epochs in (1, 150, 60)
        for others in ({}, {"optimizer": Momentum(momentum=0.5 + lr / 10)}, {"hidden": [2, 3], "bias": 1.0})
        if not (others.get("hidden") and isinstance(init, Fixed))
    ]
    together = train(jobs, engine)
    for job in jobs:
        outcome = together[job.config_hash]
        assert outcome.error is None
        assert outcome.start_ms <= outcome.end_ms
        same(outcome.results, alone(job, engine).results)
    assert any(result.converged for outcome in together.values() for result in outcome.results)


def test_jobs_that_differ_only_in_epochs_share_one_training(make_job, monkeypatch):
    started, updated = [], []
    start, advance = ensemble.start, nn_core.advance

    def counted(state, to_epoch):
        updated.append((to_epoch - state.epoch) * state.networks)
        return advance(state, to_epoch)

    monkeypatch.setattr(ensemble, "start", lambda configs: started.append(len(configs)) or start(configs))
    jobs = [make_job(epochs=epochs, seed=seed) for epochs in (40, 10, 25) for seed in (0, 1)]
    (units,) = chunks(jobs)
    batches = list(train_chunk(units, counted, silent))
    assert [[(o.job.config.epochs, o.job.config.seed) for o in batch] for batch in batches] == [
        [(10, 0), (10, 1)],
        [(25, 0), (25, 1)],
        [(40, 0), (40, 1)],
    ]
    assert started == [2]
    assert sum(updated) == 2 * 40


def test_networks_that_have_been_read_train_no_further(make_job):
    """A job of few epochs among jobs of many costs its own epochs only."""
    updated = []

    def counted(state, to_epoch):
        updated.append((to_epoch - state.epoch) * state.networks)
        return nn_core.advance(state, to_epoch)

    (units,) = chunks([make_job(seed=0, epochs=100), make_job(seed=1, epochs=5, trials=50)])
    list(train_chunk(units, counted, silent))
    assert sum(updated) == 100 + 50 * 5


def test_chunking_changes_nothing(make_job, monkeypatch):
    jobs = [
        make_job(lr=lr, seed=seed, epochs=epochs, trials=trials)
        for lr in (0.5, 3.0)
        for seed, trials in [(0, 1), (10, 4), (20, 2)]
        for epochs in (20, 90)
    ]
    whole = train(jobs)
    for size in (1, 3, 5):
        monkeypatch.setattr(ensemble, "NETWORKS_PER_CHUNK", size)
        parts = train(jobs)
        assert len(list(chunks(jobs))) > 1
        for job in jobs:
            same(parts[job.config_hash].results, whole[job.config_hash].results)


@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 9), st.sampled_from([10, 20, 30]), st.sampled_from([2, 3])),
        unique=True,
        max_size=25,
    ),
    size=st.integers(1, 12),
    room=st.sampled_from([1, 30_000, 100_000, 2**30]),
)
def test_chunks_hold_every_job_once_and_no_more_networks_and_bytes_than_they_may(make_job, drawn, size, room):
    jobs = [make_job(seed=seed, trials=trials, epochs=epochs, hidden=h) for seed, trials, epochs, h in drawn]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ensemble, "NETWORKS_PER_CHUNK", size)
        patched.setattr(ensemble, "BYTES_PER_CHUNK", room)
        divided = list(chunks(jobs))
    held = [job for units in divided for unit in units for job in unit.jobs]
    assert sorted(job.config_hash for job in held) == sorted(job.config_hash for job in jobs)
    for units in divided:
        assert len({ensemble.family(unit.jobs[0].config) for unit in units}) == 1
        networks, longest = sum(unit.networks for unit in units), max(unit.jobs[-1].config.epochs for unit in units)
        each = replace(units[0].jobs[0].config, trials=1, epochs=longest)
        assert len(units) == 1 or (networks <= size and memory.of_jobs(each, networks) <= room)
        for unit in units:
            assert [job.config.epochs for job in unit.jobs] == sorted({job.config.epochs for job in unit.jobs})
            assert len({(job.config.seed, job.config.trials) for job in unit.jobs}) == 1
    assert len({(j.config.seed, j.config.trials, j.config.hidden) for j in jobs}) == sum(map(len, divided))


def test_one_that_cannot_start_fails_alone(make_job, monkeypatch):
    start = ensemble.start

    def fragile(configs):
        if any(config.lr == 13.0 for config in configs):
            raise ArithmeticError("bad luck")
        return start(configs)

    monkeypatch.setattr(ensemble, "start", fragile)
    jobs = [make_job(lr=lr, epochs=epochs) for lr in (0.5, 13.0, 2.0) for epochs in (10, 20)]
    outcomes = train(jobs)
    for job in jobs:
        outcome = outcomes[job.config_hash]
        if job.config.lr == 13.0:
            assert outcome.results == ()
            assert outcome.error is not None
            assert outcome.error.startswith("Traceback (most recent call last):")
            assert outcome.error.rstrip().endswith("ArithmeticError: bad luck")
        else:
            assert outcome.error is None
            same(outcome.results, alone(job).results)


def test_one_that_fails_on_the_way_keeps_what_it_had_reached(make_job):
    """Cut-offs that were read before stay as they were, for all; only what raises again fails."""

    def fragile(state, to_epoch):
        if to_epoch > 15 and (np.asarray(state.optimizer.learning_rate) == 13.0).any():
            raise MemoryError("too much")
        return nn_core.advance(state, to_epoch)

    jobs = [make_job(lr=lr, epochs=epochs) for lr in (0.5, 13.0, 2.0) for epochs in (15, 30)]
    (units,) = chunks(jobs)
    outcomes = [outcome for batch in train_chunk(units, fragile, silent) for outcome in batch]
    assert len(outcomes) == len(jobs) == len({outcome.job.config_hash for outcome in outcomes})
    for outcome in outcomes:
        config = outcome.job.config
        assert (outcome.error is not None) == (config.lr == 13.0 and config.epochs == 30)
        if outcome.error is None:
            same(outcome.results, alone(outcome.job).results)


def test_whoever_stops_a_training_is_not_taken_for_a_failure(make_job):
    def interrupted(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(train_chunk([Unit((make_job(),))], nn_core.advance, interrupted))


def test_studies_of_learning_time_are_so_many_runs(make_job):
    """Quickprop, stopping at convergence, several cut-offs, some before and some after most have converged."""
    jobs = [
        make_job(
            task=Parity(low=-0.5, high=0.5, target_low=-0.5, target_high=0.5),
            optimizer=Quickprop(mu=2.25, split_by_fan_in=True),
            activation="symmetric_sigmoid",
            derivative_offset=0.1,
            init=Uniform(-1.0, 1.0),
            bias=0.5,
            hidden=2,
            lr=4.0,
            weight_decay=0.0001,
            trials=20,
            seed=seed,
            epochs=epochs,
            stop_when_converged=True,
            record=Record(20),
        )
        for seed in (0, 20)
        for epochs in (12, 60, 99)
    ]
    together = train(jobs)
    for job in jobs:
        same(together[job.config_hash].results, alone(job).results)
    assert sum(result.converged for result in together[jobs[2].config_hash].results) > 10
