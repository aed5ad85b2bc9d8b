"""The compiled twin of `nn_core.training`: the same ``advance(state, to_epoch) -> state``, by Numba, for many networks.

`lanes` puts networks side by side in vectors, and `functions` are exp and its relatives for those. What a part of a
network does is here once more, for compiled code, in `activations`, `losses`, `criteria` and `optimizers`: each is the
*twin* of a part of `nn_core`, which names it by its import path. `passes` says what is done to a block of networks,
given a part's twin. `linking` compiles each pass for each twin (`cache` keeps that), and the `kernel` trains by calling
them through pointers, so it knows no part by name, and a new part touches neither. `layout` lays a state out for it (in
`records`, where it is numbers of several kinds), and `engine` shares networks out over all cores.

The reference is the oracle of all of this. What is not about speed, or has no reference to be tested against, does not
belong here. Nothing here is imported before something is to be trained, for Numba takes its time.
"""

from nn_core.compiled.engine import advance

__all__ = ["advance"]
