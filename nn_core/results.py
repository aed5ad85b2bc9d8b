"""What came of a training: one result per network."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from nn_core.parts import Array
from nn_core.training import NEVER, Epochs, State, show


class Status(Enum):
    """How a training ended, and what to do about it."""

    CONVERGED = "That was its first success; `max_error` tells how close the final outputs are."
    CUT_OFF = (
        "Allow more epochs, or a higher learning rate; if the loss curve is flat, the network is stuck: try another "
        "seed, more hidden units or a wider initial range."
    )
    DIVERGED = "The weights left the range of float64: lower the learning rate, the momentum or the weight decay."


@dataclass(frozen=True)
class Result:
    """One trained network."""

    status: Status  # diverged if it did; else converged if the criterion was ever met; else cut off
    epochs: int  # epochs of updates that this network made
    epochs_to_converge: int | None  # epochs made before the first pass that met the criterion
    diverged_at: int | None  # the last epoch whose weights were finite, if the next one's were not
    final_loss: float  # of the final weights; nan if they are so large that the outputs are
    max_error: float  # largest |target - output| of the final weights; nan likewise
    predictions: Array  # shape (patterns, outputs), of the final weights
    weights: list[Array]  # shapes (units below [+ 1], units above)
    loss_epochs: Epochs  # shape (K,): the recording grid's epochs before `epochs`, then `epochs`
    losses: Array  # shape (K,): the loss after each of these

    @property
    def converged(self) -> bool:
        """Whether the criterion was met within the cut-off; says nothing about the end."""
        return self.epochs_to_converge is not None

    @property
    def message(self) -> str:
        """One sentence on what happened, and what to do next."""
        what = {
            Status.CONVERGED: f"converged after {self.epochs_to_converge} epochs",
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
        outputs = show(training, state.weights, task.inputs)[-1]
        final_losses = training.loss.value(task.targets, outputs)
        max_errors = np.abs(task.targets - outputs).max(axis=(-2, -1))
    grid = state.recorded(state.epoch)
    ended = np.where(state.ended_at == NEVER, state.epoch, state.ended_at).tolist()
    loss_epochs = {epochs: np.append(grid[grid < epochs], epochs) for epochs in set(ended)}

    def of(r: int) -> Result:
        converged, diverged = state.first_success[r] != NEVER, state.diverged_at[r] != NEVER
        epochs = ended[r]
        return Result(
            status=Status.DIVERGED if diverged else Status.CONVERGED if converged else Status.CUT_OFF,
            epochs=epochs,
            epochs_to_converge=int(state.first_success[r]) if converged else None,
            diverged_at=int(state.diverged_at[r]) if diverged else None,
            final_loss=float(final_losses[r]),
            max_error=float(max_errors[r]),
            predictions=outputs[r],
            weights=[W[r] for W in state.weights],
            loss_epochs=loss_epochs[epochs],
            losses=np.append(state.losses[r, : len(loss_epochs[epochs]) - 1], final_losses[r]),
        )

    return [of(r) for r in range(state.networks)]
