"""The compiled twin of `nn_core.training`: the same ``advance(state, to_epoch) -> state``, by Numba, for many networks.

`lanes` puts networks side by side in vectors, `functions` gives these exp and its relatives. What a part of a network
does is here once more, for compiled code: `activations`, `losses`, `criteria`, `optimizers`; each is the *twin* of a
part in `nn_core`, which names it by its import path. `passes` says what is done to one layer, given a part's twin, and
`linking` compiles each pass for each twin. The `kernel` trains by calling them, and so knows no part by name. `engine`
lays a `nn_core.State` out for it.

The reference is the oracle of all of this. What is not about speed, or has no reference to be tested against, does not
belong here.
"""

from nn_core.compiled.engine import advance

__all__ = ["advance"]
