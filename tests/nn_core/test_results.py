import numpy as np
import pytest

from nn_core import (
    Batch,
    Fixed,
    GradientDescent,
    MeanSquaredError,
    Momentum,
    Online,
    Parity,
    Status,
    Tolerance,
    Training,
    Uniform,
    Xor,
    advance,
    engine,
    initial_ensemble,
    layer_fans,
    recorded_epochs,
    results,
    start,
)

NUMBERS = {"learns": (1.0, 0.9), "crawls": (1e-6, 0.0), "overflows": (1.0, 1.5)}


def ensemble(update=Batch(), stop=False):  # noqa: B008
    """One network that learns XOR, one too slow to, and one whose momentum takes it out of float64."""
    training = Training(Xor(), derivative_offset=0.1, bias=1.0, update=update, stop_when_converged=stop)
    learning_rates, momenta = map(np.array, zip(*NUMBERS.values(), strict=True))
    weights = initial_ensemble(Uniform(-1, 1), layer_fans((3, 4, 1), 1.0), [0, 1, 4])
    return start(training, Momentum(learning_rates, momenta), weights)


def predict(weights, bias=1.0):
    """XOR as the network of one result answers it, written out."""
    values = Xor().inputs
    for W in weights:
        with np.errstate(over="ignore"):
            values = 1 / (1 + np.exp(-(values @ W[:-1] + bias * W[-1])))
    return values


@pytest.fixture(scope="module")
def state():
    return advance(ensemble(), 2500)


@pytest.fixture(scope="module")
def trained(state):
    return dict(zip(NUMBERS, results(state), strict=True))


def test_statuses(state, trained):
    learned, slow, overflowed = trained.values()

    assert learned.status is Status.CONVERGED
    assert learned.converged
    assert learned.epochs_to_converge == state.first_success[0] > 0
    assert (learned.epochs, learned.diverged_at) == (2500, None)
    assert learned.max_error < 0.4
    assert learned.converged_at_end
    assert not learned.lost_at_end

    assert slow.status is Status.CUT_OFF
    assert not slow.converged
    assert (slow.epochs, slow.epochs_to_converge, slow.diverged_at) == (2500, None, None)
    assert slow.max_error >= 0.4
    assert not slow.converged_at_end
    assert not slow.lost_at_end

    assert overflowed.status is Status.DIVERGED
    assert overflowed.epochs == overflowed.diverged_at == state.diverged_at[2] < 2500


def test_messages_say_what_happened_and_what_to_do(trained):
    learned, slow, overflowed = trained.values()
    assert learned.message.startswith(f"converged after {learned.epochs_to_converge} epochs. ")
    assert slow.message.startswith("cut off at 2500 epochs without meeting the criterion. ")
    assert "more epochs" in slow.message
    assert overflowed.message.startswith(f"diverged after {overflowed.diverged_at} epochs. ")
    assert "lower the learning rate" in overflowed.message
    assert "its first success" in learned.message


def test_predictions_loss_and_error_are_those_of_the_final_weights(trained):
    targets = Xor().targets
    for name in ("learns", "crawls"):
        result = trained[name]
        outputs = predict(result.weights)
        np.testing.assert_allclose(result.predictions, outputs, rtol=1e-12)
        assert result.final_loss == pytest.approx(((targets - outputs) ** 2).sum(), rel=1e-12)
        assert result.max_error == pytest.approx(np.abs(targets - outputs).max(), rel=1e-12)
        assert [W.shape for W in result.weights] == [(4, 4), (5, 1)]


def test_curves_end_where_training_ended(state, trained):
    grid = recorded_epochs(80, 2500)
    for r, result in enumerate(trained.values()):
        before = grid < result.epochs
        assert result.loss_epochs.tolist() == [*grid[before].tolist(), result.epochs]
        assert result.losses.tolist() == [*state.losses[r, before].tolist(), result.final_loss]


@pytest.mark.parametrize("cut_off", [0, 1, 2, 99, 100, 101])
def test_curves_hold_every_cut_off_once(cut_off):
    first = ensemble()
    (result, *_) = results(advance(first, cut_off))
    assert result.loss_epochs.tolist() == sorted({*recorded_epochs(80, cut_off).tolist(), cut_off})
    assert result.epochs == cut_off
    for epoch, loss in zip(result.loss_epochs.tolist(), result.losses.tolist(), strict=True):
        outputs = predict([W[0] for W in advance(first, epoch).weights])
        assert loss == pytest.approx(((Xor().targets - outputs) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("update", [Batch(), Online()])
def test_a_network_that_stopped_made_only_its_epochs(update):
    learned, slow, _ = results(advance(ensemble(update, stop=True), 2500))
    assert learned.status is Status.CONVERGED
    assert learned.epochs == learned.epochs_to_converge == learned.loss_epochs[-1] < 2500
    assert learned.max_error < 0.4
    assert slow.epochs == slow.loss_epochs[-1] == 2500


def test_reading_results_at_several_cut_offs_on_the_way():
    early = advance(ensemble(), 40)
    late = advance(early, 1000)
    assert [result.epochs for result in results(early)] == [40, 40, 40]
    assert results(early)[0].status is Status.CUT_OFF
    assert results(late)[0].status is Status.CONVERGED
    assert results(late)[0].epochs_to_converge > 40


def test_meeting_the_criterion_and_then_overflowing_is_both():
    weights = [W[np.newaxis] for W in Fixed((2.0, -1.0)).matrices(layer_fans((1, 1), 1.0))]
    training = Training(Parity(1), derivative_offset=0.1, bias=1.0)
    (result,) = results(advance(start(training, Momentum(1.0, 1.5), weights), 3000))
    assert result.status is Status.DIVERGED
    assert result.converged
    assert result.epochs_to_converge == 0
    assert 0 < result.diverged_at == result.epochs


def test_meeting_the_criterion_and_losing_it_again_is_said():
    # Weight decay that takes all of every weight away: an answer known at the start is forgotten with the first update.
    training = Training(Parity(1), bias=1.0, weight_decay=1000.0)
    weights = [W[np.newaxis] for W in Fixed((20.0, -10.0)).matrices(layer_fans((1, 1), 1.0))]
    (result,) = results(advance(start(training, GradientDescent(0.001), weights), 5))
    assert (result.status, result.epochs_to_converge, result.epochs) == (Status.LOST, 0, 5)
    assert result.converged
    assert result.lost_at_end
    assert "no longer meets the criterion" in result.message
    assert result.max_error == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("engine_name", ["numpy", "numba"])
@pytest.mark.parametrize("criterion", [Tolerance(0.4), MeanSquaredError(0.05)])
def test_the_end_is_judged_by_the_final_weights(engine_name, criterion):
    # At this rate, and for so long, most networks of two hidden units that have learned XOR do not stay there.
    training = Training(Xor(), criterion=criterion)
    weights = initial_ensemble(Uniform(), layer_fans((3, 2, 1), None), range(60))
    found = results(engine(engine_name)(start(training, GradientDescent(3.0), weights), 400))
    for result in found:
        layer1 = 1 / (1 + np.exp(-Xor().inputs @ result.weights[0]))
        errors = np.abs(Xor().targets - 1 / (1 + np.exp(-layer1 @ result.weights[1])))
        met = errors.max() < 0.4 if isinstance(criterion, Tolerance) else (errors**2).mean() < 0.05
        assert result.converged_at_end == met
        assert result.lost_at_end == (result.epochs_to_converge is not None and not met)
    assert {result.lost_at_end for result in found} == {result.converged_at_end for result in found} == {True, False}
