"""Means of long runs against a law: batch-means intervals at 99 %, narrow enough that a wrong model falls out."""

import numpy as np

from cosim.kernel.rng import stream
from cosim.trace.metrics.statistics import batch_means
from cosim.types import FloatArray

CONFIDENCE = 0.99
BATCHES = 30


def seeded(name: str) -> np.random.Generator:
    """The stream of one test, the same in each run."""
    return stream(2024, name)


def assert_mean(values: FloatArray, expected: float, widest: float) -> None:
    """The 99 % interval of the mean covers `expected`, and is at most `widest` of it to either side.

    The first twentieth is left out: the queue starts empty. NaN has no mean and fails.
    """
    estimate = batch_means(values[len(values) // 20 :], BATCHES, CONFIDENCE)
    assert estimate.half_width <= widest * expected
    assert estimate.low <= expected <= estimate.high
