"""The two engines behind `advance`: the compiled twin, and the NumPy reference that it is tested against."""

from collections.abc import Callable, Iterable

from nn_core import training
from nn_core.parts import Part
from nn_core.training import State

Advance = Callable[[State, int], State]

ENGINES = ("auto", "numba", "numpy")


def without_twin(parts: Iterable[Part]) -> list[Part]:
    """Find the parts that only the reference can train; tasks and initial weights are arrays to both engines."""
    return [part for part in parts if part.twin is None and part.kind not in ("task", "init")]


def choose(name: str, parts: Iterable[Part]) -> str:
    """Choose an engine for a network of these parts: ``auto`` is the compiled one where all of them have a twin."""
    if name != "auto":
        return name
    return "numpy" if without_twin(parts) else "numba"


def engine(name: str) -> Advance:
    """Return the engine's ``advance(state, to_epoch) -> state``; `ValueError` if there is no engine of that name."""
    if name == "numba":
        from nn_core import compiled  # Numba takes a second to import; the reference does not need it

        return compiled.advance
    if name == "numpy":
        return training.advance
    if name == "auto":
        return lambda state, to_epoch: engine(choose(name, (*state.training.parts, state.optimizer)))(state, to_epoch)
    raise ValueError(f"engine={name}: valid are {', '.join(ENGINES)}")
