"""What training costs: nanoseconds per network and epoch, beside what others would use, in one run.

The lesson's XOR network: 3-hidden-1 sigmoid units, batch gradient descent on squared error, learning rate 0.1, float64.
Everybody starts from the same weights, records the loss on the same epochs, unless noted, and must end with the same
weights. Rounds are interleaved and the best counts: on a shared machine that is the one least disturbed.

PyTorch, JAX and a C program are compared if they are installed (``pip install -e .[bench]``) or can be compiled (gcc).
To see what a processor without AVX-512 would do, limit the compilers to AVX2, as with ``NUMBA_CPU_NAME=znver3
NUMBA_CPU_FEATURES=+avx2 XLA_FLAGS=--xla_cpu_max_isa=AVX2``. PyTorch, which computes nonsense then, is left out.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import njit

import nn_core
from benchmarks.document import table
from nn_core.compiled import functions, lanes

X = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
LR = 0.1

Weights = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]  # shapes (R, 3, hidden), (R, hidden, 1)
Train = Callable[[], Weights]  # all epochs of all networks it was made for


def recorded(epochs: int) -> set[int]:
    return set(nn_core.recorded_epochs(80, epochs).tolist())


def initial(networks: int, hidden: int) -> Weights:
    rng = np.random.default_rng(0)
    return rng.uniform(size=(networks, 3, hidden)), rng.uniform(size=(networks, hidden, 1))


# The candidates: each is given initial weights and makes a function that trains them.


def lesson(start: Weights, epochs: int) -> Train:
    """The lesson's loop, one network after the other."""
    grid = recorded(epochs)

    def sigmoid(x: Any) -> Any:
        return 1.0 / (1.0 + np.exp(-x))

    def train_one(weights1: Any, weights2: Any) -> Any:
        losses = []
        for epoch in range(epochs):
            layer1 = sigmoid(np.dot(X, weights1))
            output = sigmoid(np.dot(layer1, weights2))
            if epoch in grid:
                losses.append(((Y - output) ** 2).sum())
            slope = 2 * (Y - output) * (output * (1.0 - output))
            d_weights2 = np.dot(layer1.T, slope)
            d_weights1 = np.dot(X.T, np.dot(slope, weights2.T) * (layer1 * (1.0 - layer1)))
            weights1 = weights1 + LR * d_weights1
            weights2 = weights2 + LR * d_weights2
        return weights1, weights2

    def train() -> Weights:
        ends = [train_one(W1, W2) for W1, W2 in zip(*start, strict=True)]
        return np.stack([W1 for W1, _ in ends]), np.stack([W2 for _, W2 in ends])

    return train


def _batched_epoch(sigmoid: Callable[[Any], Any], x: Any, y: Any, W1: Any, W2: Any) -> Any:
    """Update a stack of networks, or one, and return the error from before, in NumPy, PyTorch or JAX."""
    layer1 = sigmoid(x @ W1)
    output = sigmoid(layer1 @ W2)
    error = y - output
    delta2 = 2.0 * error * output * (1.0 - output)
    delta1 = (delta2 @ W2.mT) * layer1 * (1.0 - layer1)
    return W1 + LR * (x.T @ delta1), W2 + LR * (layer1.mT @ delta2), error


def numpy_batched(start: Weights, epochs: int) -> Train:
    """All networks in one stack of matrices."""
    grid = recorded(epochs)

    def train() -> Weights:
        W1, W2 = start
        losses = []
        for epoch in range(epochs):
            W1, W2, error = _batched_epoch(lambda z: 1.0 / (1.0 + np.exp(-z)), X, Y, W1, W2)
            if epoch in grid:
                losses.append((error**2).sum(axis=(1, 2)))
        return W1, W2

    return train


def _ours(engine: str, start: Weights, epochs: int) -> Train:
    training = nn_core.Training(nn_core.Xor())
    state = nn_core.start(training, nn_core.GradientDescent(LR), start)
    advance = nn_core.engine(engine)
    advance(state, 0)

    def train() -> Weights:
        W1, W2 = advance(state, epochs).weights
        return W1, W2

    return train


def _torch(compiled: bool, start: Weights, epochs: int) -> Train:
    import torch

    grid = recorded(epochs)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)

    def step(W1: Any, W2: Any) -> Any:
        W1, W2, error = _batched_epoch(torch.sigmoid, x, y, W1, W2)
        return W1, W2, (error**2).sum(dim=(1, 2))

    if compiled:
        torch.compiler.reset()  # forget the shapes of other measurements
        step = torch.compile(step, dynamic=False)

    def train() -> Weights:
        W1, W2 = torch.from_numpy(start[0]), torch.from_numpy(start[1])
        losses = []
        with torch.no_grad():
            for epoch in range(epochs):
                W1, W2, loss = step(W1, W2)
                if epoch in grid:
                    losses.append(loss)
        return W1.numpy(), W2.numpy()

    with torch.no_grad():
        step(torch.from_numpy(start[0]), torch.from_numpy(start[1]))  # compiles
    return train


def _jax(record: bool, start: Weights, epochs: int) -> Train:
    import jax

    jax.config.update("jax_enable_x64", True)
    x, y = jax.numpy.asarray(X), jax.numpy.asarray(Y)

    def train_one(W1: Any, W2: Any) -> Any:
        def epoch(weights: Any, _: None) -> Any:
            W1, W2, error = _batched_epoch(jax.nn.sigmoid, x, y, *weights)
            return (W1, W2), (error**2).sum() if record else None

        return jax.lax.scan(epoch, (W1, W2), None, length=epochs)

    device = jax.tree.map(jax.numpy.asarray, start)
    compiled = jax.jit(jax.vmap(train_one)).lower(*device).compile()

    def train() -> Weights:
        (W1, W2), _ = jax.block_until_ready(compiled(*device))
        return np.asarray(W1), np.asarray(W2)

    return train


def c_program(start: Weights, epochs: int) -> Train:
    """``lesson.c``, compiled for this processor; 16 networks side by side are its best or close to it."""
    networks, _, hidden = start[0].shape
    processor = os.environ.get("NUMBA_CPU_NAME", "native")
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/lesson.so"
        options = f"-O3 -ffast-math -fopenmp -march={processor} -mprefer-vector-width=512 -shared -fPIC"
        sizes = [f"-DHIDDEN={hidden}", "-DLANES=16"]
        source = Path(__file__).with_name("lesson.c")
        subprocess.run(["gcc", *options.split(), *sizes, "-o", library, source, "-lm"], check=True)
        run = ctypes.CDLL(library).train
    grid = recorded(epochs)
    record = np.array([epoch in grid for epoch in range(epochs)], np.uint8)
    losses = np.empty((record.sum(), networks))

    def address(array: Any) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    def train() -> Weights:
        W1, W2 = start[0].copy(), start[1].copy()
        arrays = map(address, (X, Y, record, W1, W2, losses))
        run(ctypes.c_long(networks), ctypes.c_long(epochs), ctypes.c_double(LR), *arrays)
        return W1, W2

    return train


OURS = "nn_core, compiled"
CANDIDATES: dict[str, tuple[str, Callable[[Weights, int], Train]]] = {
    "the lesson's loop": ("numpy", lesson),
    "NumPy, batched": ("numpy", numpy_batched),
    "nn_core, NumPy reference": ("numpy", partial(_ours, "numpy")),
    "PyTorch, batched": ("torch", partial(_torch, False)),
    "PyTorch, `torch.compile`": ("torch", partial(_torch, True)),
    "JAX, `jit(vmap(scan))`, loss of every epoch": ("jax", partial(_jax, True)),
    "JAX, `jit(vmap(scan))`, no loss": ("jax", partial(_jax, False)),
    "C, `gcc -O3 -ffast-math`, libmvec": ("gcc", c_program),
    OURS: ("numba", partial(_ours, "numba")),
}


def measure(networks: int, hidden: int, epochs: int, rounds: int) -> dict[str, float]:
    """Nanoseconds per network-epoch of each candidate that is installed, from the best of interleaved rounds."""
    start = initial(networks, hidden)
    trains, counts = {}, {}
    for name, (package, make) in CANDIDATES.items():
        limited = package == "torch" and "NUMBA_CPU_NAME" in os.environ
        if not limited and (importlib.util.find_spec(package) or shutil.which(package)):
            # Networks that are trained one after the other cost the same each.
            counts[name] = min(networks, 4) if make is lesson else networks
            trains[name] = make((start[0][: counts[name]], start[1][: counts[name]]), epochs)
    expected = trains[OURS]()
    best = dict.fromkeys(trains, float("inf"))
    for _ in range(rounds):
        for name, train in trains.items():
            began = time.perf_counter()
            ends = train()
            best[name] = min(best[name], (time.perf_counter() - began) / counts[name] / epochs * 1e9)
            for ours, theirs in zip(expected, ends, strict=True):
                np.testing.assert_allclose(theirs, ours[: counts[name]], rtol=1e-6, atol=1e-9, err_msg=name)
    return best


def _best(function: Callable[..., Any], *arguments: Any, times: int = 100) -> float:
    """Seconds of the best of some calls, after one that compiles."""
    function(*arguments)
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def arithmetic_limit(hidden: int) -> tuple[float, float, float]:
    """What one core could do, if it did nothing but the arithmetic, in nanoseconds per network-epoch.

    Returns
    -------
    sigmoids, products, both : float
        From the time of one sigmoid over numbers in the fastest cache, and of one fused multiply-add of registers, as
        measured here, times how many of each an epoch takes.
    """
    vectors, repeats = 16, 2000
    numbers = np.random.default_rng(0).normal(size=vectors * lanes.LANES)

    @njit(error_model="numpy")
    def sigmoids(block: Any) -> None:
        for _ in range(repeats):
            for i in range(vectors):
                lanes.store(block, i, functions.sigmoid(lanes.load(block, i)))

    @njit(error_model="numpy")
    def products(block: Any) -> None:
        # Four registers each, so 16 in all, which every processor has: more would have to be loaded and stored. None
        # of the 12 that change waits for another.
        a, b, c, w = lanes.load(block, 0), lanes.load(block, 1), lanes.load(block, 2), lanes.load(block, 3)
        for _ in range(repeats * vectors):
            a, b, c = lanes.fma(a, w, w), lanes.fma(b, w, w), lanes.fma(c, w, w)
        lanes.store(block, 0, a + b + c)

    sigmoid = _best(sigmoids, numbers.copy()) / repeats / vectors / lanes.LANES * 1e9
    product = _best(products, numbers / 10.0) / repeats / vectors / lanes.LANES / 3 * 1e9
    weights, patterns = 4 * hidden, 4
    in_sums = 2 * patterns * weights + patterns * hidden  # forward; gradient; error handed down
    elsewhere = 4 * patterns * (hidden + 1) + 3 * weights  # slopes, derivatives; decay, step, check
    sigmoids_ns, products_ns = patterns * (hidden + 1) * sigmoid, (in_sums + elsewhere) * product
    return sigmoids_ns, products_ns, sigmoids_ns + products_ns


def useful_epochs(rounds: int, side: int = 64, epochs: int = 250) -> float:
    """What an epoch costs that a network still needed, in nanoseconds on one core.

    A coarse map: three-bit parity by 3-3-1 networks with a bias and momentum, `side` learning rates up to 4 by as many
    momenta up to 1.25, each network until its first success.
    """
    values = (np.arange(side) + 0.5) / side
    rates, momenta = np.meshgrid(4.0 * values, 1.25 * values)
    optimizer = nn_core.Momentum(rates.ravel(), momentum=momenta.ravel())
    training = nn_core.Training(nn_core.Parity(3), bias=1.0, stop_when_converged=True)
    fans = nn_core.layer_fans((3, 3, 1), bias=1.0)
    state = nn_core.start(training, optimizer, nn_core.initial_ensemble(nn_core.Uniform(), fans, range(side**2)))
    advance = nn_core.engine("numba")
    ended = nn_core.train(state, epochs, advance).ended_at
    needed = int(np.where(ended == nn_core.NEVER, epochs, ended).sum())
    best = _best(nn_core.train, state, epochs, advance, times=rounds)
    return best / needed * int(numba.config.NUMBA_NUM_THREADS) * 1e9  # type: ignore[attr-defined]


def _table(title: str, columns: dict[str, dict[str, float]]) -> str:
    """One row per candidate: nanoseconds, and how many times ours that is."""
    rows: list[list[str]] = []
    for name, (package, _) in CANDIDATES.items():
        cells = [
            f"{column[name]:,.1f} ({column[name] / column[OURS]:,.1f} x)" if name in column else f"no {package}"
            for column in columns.values()
        ]
        rows.append([name, *cells])
    return table([title, *columns], rows)


OF_NETWORKS = {1: 10_000, 64: 5000, 1024: 1000, 8192: 400, 65_536: 60}  # epochs
OF_WIDTH = {2: 400, 4: 400, 8: 400, 16: 200, 32: 100, 64: 100}

LIMIT = """\
How far that is from the arithmetic: what one core needs for an epoch's sigmoids and multiply-adds and nothing else, as
measured on numbers in registers or the fastest cache (nanoseconds per network and epoch). What comes on top is loads
and stores, two loads for a multiply-add in most sums, and layers that wait for each other: an epoch costs a block some
400 cycles, however few networks are in it. Blocks of wide networks do not fit the fastest cache."""

USEFUL = """\
A map, or a study of learning times, trains networks that end one by one beside others that go on. An epoch of a 3-3-1
network on 8 patterns with momentum, counted as long as the network needs it, costs one core"""


def report() -> str:
    """All of it, as Markdown."""
    rounds = 5
    by_networks = {f"R = {R:,}": measure(R, 4, epochs, rounds) for R, epochs in OF_NETWORKS.items()}
    by_width = {f"hidden = {hidden}": measure(8192, hidden, epochs, rounds) for hidden, epochs in OF_WIDTH.items()}
    limits = []
    cores = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    for hidden, measured in zip(OF_WIDTH, by_width.values(), strict=True):
        sigmoids, products, both = arithmetic_limit(hidden)
        ours = measured[OURS] * cores
        limits.append([hidden, *(f"{ns:.1f}" for ns in (sigmoids, products, both, ours)), f"{ours / both:.2f}"])
    header = ["hidden", "sigmoids", "multiply-adds", "limit", "ours, per core", "ours / limit"]
    return "\n\n".join(
        [
            "Nanoseconds per network and epoch, and in brackets how many times ours that is.",
            _table("3-4-1 network", by_networks),
            _table("R = 8,192", by_width),
            LIMIT,
            table(header, limits),
            f"{USEFUL} {useful_epochs(10 * rounds):.1f} ns.",
        ]
    )
