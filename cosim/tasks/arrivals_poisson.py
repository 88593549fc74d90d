"""Random arrivals: a Poisson process at each vehicle (paper S1 eq 6), with rates by vehicle type and time of day."""

from collections.abc import Iterable
from math import nextafter

import numpy as np

from cosim.errors import InputError
from cosim.mobility.source import Entry
from cosim.scenario.work import PoissonArrivals
from cosim.tasks.arrivals import Arrived, Fleet
from cosim.types import FloatArray, IntArray

_MOST = 10_000_000


class PoissonProcess:
    """Independent Poisson processes with rate rate_per_s x type_factor x profile(t) at each vehicle.

    Drawn by superposition, which is exact: the number of arrivals of all vehicles is Poisson with the summed rate, each
    belongs to a vehicle with probability proportional to its rate, and times are uniform. A profile is drawn with its
    highest factor in the interval and thinned. Vehicles have no memory, so one that waits or is teleported goes on.

        >>> from cosim.kernel.rng import stream
        >>> config = PoissonArrivals(kind="poisson", rate_per_s=100.0)
        >>> fleet = Fleet(numbers=np.array([4, 7]), types=np.array([0, 0]), type_names=["car"])
        >>> arrived = PoissonProcess(config, stream(1, "arrivals")).draw(fleet, 0.0, 1.0)
        >>> bool((np.diff(arrived.time_s) >= 0.0).all()), sorted(set(arrived.vehicle.tolist()))
        (True, [4, 7])

    Args:
        config: rate, factors and profile.
        rng: the stream of arrivals, used for nothing else.
    """

    def __init__(self, config: PoissonArrivals, rng: np.random.Generator) -> None:
        self._config = config
        self._rng = rng
        self._corners_s = np.array([point.time_s for point in config.profile])
        self._factors = np.array([point.factor for point in config.profile])

    def enter(self, entries: Iterable[Entry]) -> None:
        """Do nothing: vehicles differ by type only."""

    def draw(self, fleet: Fleet, start_s: float, end_s: float) -> Arrived:
        """Return the arrivals in [start_s, end_s).

        Args:
            fleet: vehicles on the map.
            start_s: begin of the interval.
            end_s: its end.

        Raises:
            InputError: more than ten million are expected.
        """
        weights = self._weights(fleet) if self._config.type_factor else None
        total = float(len(fleet.numbers) if weights is None else weights.sum())
        highest = self._highest(start_s, end_s)
        expected = self._config.rate_per_s * highest * total * (end_s - start_s)
        if expected > _MOST:
            raise InputError(
                f"tasks.arrivals.rate_per_s={self._config.rate_per_s:g} gives {expected:.3g} tasks a tick; lower it"
            )
        n = int(self._rng.poisson(expected))
        part = self._rng.random(n)
        part.sort()
        # Rounding may give end_s itself, which belongs to the next interval.
        time_s = np.minimum(start_s + (end_s - start_s) * part, nextafter(end_s, start_s))
        vehicle = fleet.numbers[self._pick(weights, len(fleet.numbers), n)]
        if len(self._factors):
            kept = self._rng.random(n) * highest < self._profile(time_s)
            time_s, vehicle = time_s[kept], vehicle[kept]
        return Arrived(time_s, vehicle)

    def exhausted(self, now_s: float) -> bool:
        """Return whether the rate is 0 from now_s on: in all, or after the last corner of the profile."""
        ended = len(self._factors) > 0 and self._factors[-1] == 0.0 and now_s >= self._corners_s[-1]
        return self._config.rate_per_s == 0.0 or bool(ended)

    def _weights(self, fleet: Fleet) -> FloatArray:  # (N,)
        of_type = np.array([self._config.type_factor.get(name, 1.0) for name in fleet.type_names])
        weights: FloatArray = of_type[fleet.types]
        return weights

    def _pick(self, weights: FloatArray | None, rows: int, n: int) -> IntArray:
        """Return `n` rows, each drawn with probability proportional to its weight; None: all alike."""
        if n == 0:
            return np.zeros(0, np.int64)
        if weights is None:
            return self._rng.integers(rows, size=n)
        able = np.flatnonzero(weights)
        reach = np.cumsum(weights[able])
        place = np.searchsorted(reach, self._rng.random(n) * reach[-1], side="right")
        picked: IntArray = able[np.minimum(place, len(able) - 1)]
        return picked

    def _profile(self, time_s: FloatArray) -> FloatArray:
        factor: FloatArray = np.interp(time_s, self._corners_s, self._factors)
        return factor

    def _highest(self, start_s: float, end_s: float) -> float:
        """Return the highest factor of the profile in [start_s, end_s]; it lies at an end or at a corner."""
        if not len(self._factors):
            return 1.0
        inside = self._factors[(self._corners_s > start_s) & (self._corners_s < end_s)]
        return float(np.concatenate([self._profile(np.array([start_s, end_s])), inside]).max())
