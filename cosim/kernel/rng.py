"""Named random streams: one generator for each phenomenon, and counter-based draws keyed on entities."""

import hashlib

import numpy as np

from cosim.types import AnyArray, FloatArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stream_key(seed: int, name: str) -> int:
    """Return the 64-bit key of the stream `name` under `seed`, equal on every machine and for every PYTHONHASHSEED."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one phenomenon; drawing from one stream never moves another.

    >>> float(stream(1, "arrivals").random()) == float(stream(1, "arrivals").random())
    True
    """
    return np.random.Generator(np.random.PCG64(stream_key(seed, name)))


def _mix(x: AnyArray) -> AnyArray:
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    mixed: AnyArray = x ^ (x >> np.uint64(31))
    return mixed


def keyed_bits(key: int, *counters: AnyArray | int) -> AnyArray:
    """Return random 64-bit words that depend on the key and the counters alone (SplitMix64 finaliser, chained).

    Args:
        key: key of the stream, see `stream_key`.
        counters: integers or integer arrays that broadcast together, for example vehicle, site, tick.
    """
    with np.errstate(over="ignore"):
        state = np.asarray(key, dtype=np.uint64)
        for counter in counters:
            word = np.asarray(counter).astype(np.uint64)
            state = _mix(state + _GOLDEN + word * _MIX_2)
        bits: AnyArray = _mix(state + _GOLDEN)
        return bits


def keyed_uniform(key: int, *counters: AnyArray | int) -> FloatArray:
    """Return uniform draws in (0, 1) that depend on the key and the counters alone."""
    uniform: FloatArray = ((keyed_bits(key, *counters) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return uniform


def keyed_normal(key: int, *counters: AnyArray | int) -> FloatArray:
    """Return standard normal draws that depend on the key and the counters alone (Box-Muller)."""
    radius = np.sqrt(-2.0 * np.log(keyed_uniform(key, *counters, 0)))
    normal: FloatArray = radius * np.cos(2.0 * np.pi * keyed_uniform(key, *counters, 1))
    return normal
