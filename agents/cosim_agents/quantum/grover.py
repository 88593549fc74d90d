"""Search of the best option by amplitude amplification: Grover's step, and minimum search after Duerr and Hoyer.

Both are simulated classically: the simulator knows all of a row's values, and reports how often a quantum computer
would have called the oracle. It saves no time here.
"""

from typing import Final, NamedTuple

import numpy as np

from cosim.types import BoolArray, FloatArray, IntArray

_GROWTH: Final = 6.0 / 5.0
"""Factor of the schedule; Boyer et al. allow anything between 1 and 4/3."""


class Found(NamedTuple):
    """The results of searches in T tables."""

    choice: IntArray  # (T,) column
    oracle_calls: IntArray  # (T,)


def amplify(marked: BoolArray, iterations: IntArray | int) -> FloatArray:  # (..., N)
    """Return the amplitudes after Grover iterations on the uniform superposition of N items.

    One iteration is two lines on real amplitudes: the oracle flips the sign of the marked ones, the diffusion
    2|s><s| - 1 mirrors all at their mean, a -> 2 mean(a) - a (Grover, STOC 1996).

    Args:
        marked: (..., N) whether the oracle marks each item.
        iterations: (...,) number for each row, or one number for all.

    >>> (amplify(np.array([False, False, True, False]), 1) ** 2).round(6).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    wanted = np.broadcast_to(np.asarray(iterations), marked.shape[:-1])[..., None]
    amplitude: FloatArray = np.full(marked.shape, 1.0 / np.sqrt(marked.shape[-1]))
    for turn in range(int(wanted.max(initial=0))):
        flipped = np.where(marked, -amplitude, amplitude)
        amplitude = np.where(turn < wanted, 2.0 * flipped.mean(axis=-1, keepdims=True) - flipped, amplitude)
    return amplitude


def search_budget(size: int) -> int:
    """Return 22.5 sqrt(N) + 1.4 lg^2 N oracle calls, which find the minimum of N items with probability 1/2 or more.

    Source: Duerr and Hoyer, arXiv quant-ph/9607014, theorem 1; a proven bound, far above the usual need.
    """
    return int(np.ceil(22.5 * np.sqrt(size) + 1.4 * np.log2(size) ** 2))


def search_actions(values: FloatArray, mask: BoolArray, rng: np.random.Generator, repetitions: int = 1) -> Found:
    """Return the column of the smallest value in each row, found as by a quantum computer (Duerr and Hoyer 1996).

    The M options are padded to N = 2^beta items; padding, masked options and NaN are worth +inf. The best so far is
    first a feasible option at random. The oracle marks the items **at least** as good as the best so far (S3; Duerr and
    Hoyer mark only better ones: then nothing is left to mark at the end, here the best itself). Their number is
    unknown, so the number of iterations j is drawn from 0..ceil(l)-1, where l grows from 1 by 6/5 up to sqrt(N) with
    every measurement that gives nothing better, and starts again at 1 with every one that does (Boyer, Brassard, Hoyer
    and Tapp, arXiv quant-ph/9605034). A measurement costs j oracle calls and one more to look at the item it gave. A
    search ends with the measurement that exhausts `search_budget`. It may miss the minimum, always gives a feasible
    option, and takes any of equals.

    Args:
        values: (T, M) values to minimise.
        mask: (T, M) whether each option is feasible.
        rng: random stream of the measurements.
        repetitions: searches of each row, one after the other, of which the best counts.

    Returns:
        Column and oracle calls of each row; column 0 and no calls for a row without any feasible option.

    >>> rng = np.random.default_rng(1)
    >>> found = search_actions(np.array([[3.0, 1.0, 2.0]]), np.ones((1, 3), np.bool_), rng, repetitions=3)
    >>> found.choice.tolist()
    [1]
    """
    rows, options = values.shape
    size = 1 << max(options - 1, 0).bit_length()
    items = np.full((rows, size), np.inf)
    items[:, :options] = np.where(mask & ~np.isnan(values), values, np.inf)
    usable = np.zeros((rows, size), dtype=np.bool_)
    usable[:, :options] = mask
    some = np.logical_or.reduce(mask, axis=1)
    choice, calls = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    least = np.full(rows, np.inf)
    for _ in range(repetitions):
        column, spent = _search(items, usable, some, rng)
        value = np.take_along_axis(items, column[:, None], axis=1)[:, 0]
        better = some & (value <= least)
        choice[better], least[better] = column[better], value[better]
        calls += spent
    return Found(choice, calls)


def _search(
    items: FloatArray, usable: BoolArray, some: BoolArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Search all rows at once: an iteration of the loop is a measurement in each row that is not finished."""
    rows, size = items.shape
    best = np.argmax(np.where(usable, rng.random(items.shape), -1.0), axis=1)
    calls = np.zeros(rows, dtype=np.int64)
    if size == 1:
        return best, calls
    bound = np.ones(rows)
    budget = search_budget(size)
    active = np.flatnonzero(some)
    while len(active):
        values = items[active]
        least = np.take_along_axis(values, best[active, None], axis=1)
        iterations = np.floor(rng.random(len(active)) * np.ceil(bound[active])).astype(np.int64)
        measured = _measure(values <= least, iterations, rng)
        calls[active] += iterations + 1
        better = np.take_along_axis(values, measured[:, None], axis=1)[:, 0] < least[:, 0]
        best[active] = np.where(better, measured, best[active])
        bound[active] = np.where(better, 1.0, np.minimum(_GROWTH * bound[active], np.sqrt(size)))
        active = active[calls[active] < budget]
    return best, calls


def _measure(marked: BoolArray, iterations: IntArray, rng: np.random.Generator) -> IntArray:
    """Return an item of each row, drawn by the squares of its amplitudes."""
    reach = np.cumsum(amplify(marked, iterations) ** 2, axis=1)
    drawn: IntArray = (reach[:, :-1] <= rng.random(len(marked))[:, None] * reach[:, -1:]).sum(axis=1)
    return drawn
