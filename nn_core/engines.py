"""The two engines behind `advance`, by name: the compiled kernel and the NumPy reference it is tested against."""

from collections.abc import Callable

from nn_core import training
from nn_core.training import State

Advance = Callable[[State, int], State]

ENGINES = ("numba", "numpy")


def engine(name: str) -> Advance:
    """Return the engine's ``advance(state, to_epoch) -> state``.

    Raises
    ------
    ValueError
        If there is no engine of that name.
    """
    if name == "numba":
        from nn_core import compiled  # Numba takes a second to import; the reference does not need it

        return compiled.advance
    if name == "numpy":
        return training.advance
    raise ValueError(f"engine={name}: valid are {', '.join(ENGINES)}")
