"""Rprop, which heeds the sign of a slope and not its size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nn_core.optimizers.optimizer import Layers, Memory, Number, Optimizer, per_matrix, zeros_like
from nn_core.parts import Array, Condition, flag, number


@dataclass(frozen=True)
class Rprop(Optimizer, name="rprop", twin="nn_core.compiled.optimizers:rprop"):
    """Resilient propagation: every weight has a step size of its own, lr at first (Riedmiller & Braun 1993).

    With g = dE/dw now, p the same an epoch ago and D the weight's step size, `learning_rate` at first:

    - g p > 0, the slope goes on: D <- min(grow D, largest), and a step of -sign(g) D
    - g p < 0, a minimum was jumped over: D <- max(shrink D, smallest), and the last step is taken back; p is 0 then
    - g p = 0: a step of -sign(g) D

    Without `backtracking` the second case makes a step of -sign(g) D like the others and remembers g (the variant that
    Igel & Huesken 2000 call Rprop-; the above is their Rprop+).

    Examples
    --------
    >>> import numpy as np
    >>> W = [np.array([[0.0]])]
    >>> rprop = Rprop(learning_rate=0.1)
    >>> first, memory = rprop.update([np.array([[-4.0]])], rprop.init(W), W)
    >>> second, memory = rprop.update([np.array([[-0.5]])], memory, W)  # the same direction: 1.2 times as far
    >>> third, _ = rprop.update([np.array([[3.0]])], memory, W)  # too far: back
    >>> first[0].round(2), second[0].round(2), third[0].round(2)
    (array([[0.1]]), array([[0.12]]), array([[-0.12]]))
    """

    grow: Number = number(1.2, "growth of a step size while the slope keeps its sign", above=1)
    shrink: Number = number(0.5, "what is left of a step size when the slope changes its sign", above=0, below=1)
    smallest: Number = number(1e-6, "smallest step size", at_least=0)
    largest: Number = number(50.0, "largest step size", above=0)
    backtracking: bool = flag(True, "whether a step over a minimum is taken back")

    def init(self, weights: Sequence[Array]) -> Memory:
        sizes = [np.broadcast_to(per_matrix(self.learning_rate), W.shape).copy() for W in weights]
        return zeros_like(weights), sizes, zeros_like(weights)

    def update(self, gradients: Sequence[Array], memory: Memory, weights: Sequence[Array]) -> tuple[Layers, Memory]:
        grow, shrink, smallest, largest = map(per_matrix, (self.grow, self.shrink, self.smallest, self.largest))
        slopes, sizes, steps = [], [], []
        for g, p, size, last in zip(gradients, *memory, strict=True):
            turn = np.sign(g) * np.sign(p)  # 1 where the slope goes on, -1 where it has changed its sign
            grown, shrunk = np.minimum(grow * size, largest), np.maximum(shrink * size, smallest)
            sizes.append(np.where(turn > 0, grown, np.where(turn < 0, shrunk, size)))
            step = -np.sign(g) * sizes[-1]
            back = (turn < 0) & self.backtracking
            steps.append(np.where(back, -last, step))
            slopes.append(np.where(back, 0.0, g))
        return steps, (slopes, sizes, steps)

    def problems(self, condition: Condition) -> Iterator[str]:
        if np.any(np.asarray(self.smallest) > self.largest):
            given = f"optimizer.smallest={self.smallest} optimizer.largest={self.largest}"
            yield f"{given}: valid is a smallest that is not above the largest"
        elif np.any(np.asarray(self.learning_rate) > self.largest):
            yield f"lr={self.learning_rate} with optimizer=rprop: valid is at most {self.largest}, the largest step"
