"""Frames of standing vehicles for tests of arrivals."""

import numpy as np

from cosim.mobility.source import Entry, MobilityFrame


def entries(vehicles, types=("car",)):
    """Vehicles v0, v1, ... whose types take turns."""
    return tuple(Entry(n, f"v{n}", types[n % len(types)]) for n in range(vehicles))


def frame(numbers, xy_m=0.0):
    """A frame of these vehicles, all at one place."""
    n = len(numbers)
    return MobilityFrame(
        0.0, np.asarray(numbers, np.int64), np.full((n, 2), xy_m), np.zeros(n), np.zeros(n), (), np.zeros(0, np.int64)
    )
