"""What came of a training: one result per network."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from nn_core.parts import Array
from nn_core.training import NEVER, Epochs, State, judge, show


class Status(Enum):
    """How a training ended, and what to do about it."""

    CONVERGED = "That was its first success, and it meets the criterion at the end, too."
    LOST = (
        "That was its first success, and at the end it no longer meets the criterion: lower the learning rate or the "
        "momentum, or stop there (stop_when_converged)."
    )
    CUT_OFF = (
        "Allow more epochs, or a higher learning rate; if the loss curve is flat, the network is stuck: try another "
        "seed, more hidden units or a wider initial range."
    )
    DIVERGED = "The weights left the range of float64: lower the learning rate, the momentum or the weight decay."


@dataclass(frozen=True)
class Result:
    """One trained network."""

    status: Status  # diverged if it did; else converged or lost if the criterion was ever met; else cut off
    epochs: int  # epochs of updates that this network made
    epochs_to_converge: int | None  # epochs made before the first pass that met the criterion
    converged_at_end: bool  # whether the pass with the final weights meets the criterion
    diverged_at: int | None  # the last epoch whose weights were finite, if the next one's were not
    final_loss: float  # of the final weights; nan if they are so large that the outputs are
    max_error: float  # largest |target - output| of the final weights; nan likewise
    predictions: Array  # shape (patterns, outputs), of the final weights
    weights: list[Array]  # shapes (units below [+ 1], units above)
    loss_epochs: Epochs  # shape (K,): the recording grid's epochs before `epochs`, then `epochs`
    losses: Array  # shape (K,): the loss after each of these

    @property
    def converged(self) -> bool:
        """Whether the criterion was met within the cut-off; see `converged_at_end` for the end."""
        return self.epochs_to_converge is not None

    @property
    def lost_at_end(self) -> bool:
        """Whether the criterion was met, and at the end no longer is."""
        return self.converged and not self.converged_at_end

    @property
    def message(self) -> str:
        """One sentence on what happened, and what to do next."""
        what = {
            Status.CONVERGED: f"converged after {self.epochs_to_converge} epochs",
            Status.LOST: f"converged after {self.epochs_to_converge} epochs",
            Status.CUT_OFF: f"cut off at {self.epochs} epochs without meeting the criterion",
            Status.DIVERGED: f"diverged after {self.diverged_at} epochs",
        }[self.status]
        return f"{what}. {self.status.value}"


def results(state: State) -> list[Result]:
    """Read the results of all R networks, at the state's epoch as their cut-off.

    A network of a state that went on beyond a cut-off cannot be judged at it afterwards: advance to the cut-off, read
    the results, and go on.
    """
    training, task = state.training, state.training.task
    with np.errstate(over="ignore", invalid="ignore"):
        layers = show(training, state.weights, task.inputs)
        outputs = layers[-1]
        final_losses = training.loss.value(task.targets, outputs)
        max_errors = np.abs(task.targets - outputs).max(axis=(-2, -1))
        met = judge(training, state.weights, layers)
    grid = state.recorded(state.epoch)
    ended = np.where(state.ended_at == NEVER, state.epoch, state.ended_at).tolist()
    loss_epochs = {epochs: np.append(grid[grid < epochs], epochs) for epochs in set(ended)}

    def of(r: int) -> Result:
        converged, diverged = state.first_success[r] != NEVER, state.diverged_at[r] != NEVER
        epochs = ended[r]
        # The engine has judged that pass, too; its last bits may differ from those of this one.
        at_end = not diverged and bool(met[r] or state.first_success[r] == epochs)
        judged = Status.CUT_OFF if not converged else Status.CONVERGED if at_end else Status.LOST
        return Result(
            status=Status.DIVERGED if diverged else judged,
            epochs=epochs,
            epochs_to_converge=int(state.first_success[r]) if converged else None,
            converged_at_end=at_end,
            diverged_at=int(state.diverged_at[r]) if diverged else None,
            final_loss=float(final_losses[r]),
            max_error=float(max_errors[r]),
            predictions=outputs[r],
            weights=[W[r] for W in state.weights],
            loss_epochs=loss_epochs[epochs],
            losses=np.append(state.losses[r, : len(loss_epochs[epochs]) - 1], final_losses[r]),
        )

    return [of(r) for r in range(state.networks)]
