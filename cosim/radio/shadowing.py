"""Slow fading: what buildings and traffic add to the path loss, as AR(1) processes in dB along the travelled way."""

import math

import numpy as np

from cosim.kernel.rng import keyed_normal, keyed_uniform
from cosim.radio.pathloss import PathLossModel
from cosim.types import BoolArray, FloatArray, IntArray


def ar1_db(
    previous_db: FloatArray,
    moved_m: FloatArray,
    correlation_m: float | FloatArray,
    sigma_db: float | FloatArray,
    innovation: FloatArray,
) -> FloatArray:
    """Return the shadowing after a move: S' = r S + sqrt(1 - r^2) sigma n with r = exp(-moved / D), all in dB.

    Gudmundson's model, as TR 37.885 and TR 38.901 use it. The stationary law is normal with mean 0 dB and deviation
    sigma, and the autocorrelation over a distance d is e^(-d/D). Mixing linear powers instead would raise the mean by
    more than 10 dB. No move changes nothing; an infinite one forgets everything.

    Args:
        previous_db: S, any shape; the other arrays broadcast to it.
        moved_m: distance travelled since S.
        correlation_m: D.
        sigma_db: stationary deviation.
        innovation: n, standard normal draws.
    """
    kept = np.exp(-moved_m / correlation_m)
    shadow_db: FloatArray = kept * previous_db + np.sqrt(1.0 - kept * kept) * sigma_db * innovation
    return shadow_db


def los_state(
    key: int, numbers: IntArray, sites: IntArray, travelled_m: FloatArray, p_los: FloatArray, correlation_m: float
) -> BoolArray:
    """Return which links have line of sight, (N, k): where the draw of a stretch of the vehicle's way is below `p_los`.

    The uniform draw belongs to (vehicle, site, floor(travelled / correlation)): it stays while the vehicle is on one
    stretch, and changes neither with the other candidates nor while the vehicle waits at a light. Simplified against
    the spatially consistent field of TR 38.901 clause 7.6.3.3: stretches are independent with hard borders, and two
    vehicles at one place see different obstacles.

    Args:
        key: key of the stream, see `cosim.kernel.rng.stream_key`.
        numbers: vehicles, (N,).
        sites: candidates of each vehicle, (N, k).
        travelled_m: distance that each vehicle has travelled since its entry, (N,), finite.
        p_los: probability for each link, (N, k).
        correlation_m: length of a stretch.
    """
    stretch = np.floor(travelled_m / correlation_m).astype(np.int64)
    return keyed_uniform(key, numbers[:, None], stretch[:, None], sites) < p_los


class ShadowField:
    """The shadowing of every (vehicle, candidate site) pair from tick to tick.

    A pair that stays among the candidates carries its value on; a pair that is new, or comes back, starts from the
    stationary law. The field is kept with unit variance and scaled by the deviation of the present line-of-sight state,
    so that it is stationary in each state. Innovations belong to (vehicle, tick, site): neither the size nor the order
    of the candidate sets changes them. Correlation between vehicles, and between sites, is left out.

    Args:
        key: key of the stream, see `cosim.kernel.rng.stream_key`.
        model: gives deviation and correlation distance by state; a model with `shadowed` False needs no field.
    """

    def __init__(self, key: int, model: PathLossModel) -> None:
        self._key = key
        self._model = model
        self._numbers: IntArray = np.zeros(0, np.int64)  # (N,)
        self._sites: IntArray = np.zeros((0, 1), np.int64)  # (N, k)
        self._unit: FloatArray = np.zeros((0, 1))  # (N, k) with variance 1

    def update(self, numbers: IntArray, sites: IntArray, moved_m: FloatArray, los: BoolArray, tick: int) -> FloatArray:
        """Return the shadowing in dB at this tick, (N, k), which is added to the path loss.

        Args:
            numbers: vehicles, (N,), ascending.
            sites: candidates of each vehicle, (N, k); k may change from tick to tick.
            moved_m: distance travelled since the tick before, (N,); NaN (it was teleported) forgets the shadowing.
            los: line of sight, (N, k).
            tick: number of the tick, never the same twice.
        """
        innovation = keyed_normal(self._key, numbers[:, None], tick, sites)
        before, known = self._carried(numbers, sites)
        moved_m = np.where(np.isnan(moved_m), math.inf, moved_m)
        way_m = np.where(known, moved_m[:, None], math.inf)
        self._unit = ar1_db(before, way_m, self._model.correlation_m(los), 1.0, innovation)
        self._numbers, self._sites = numbers, sites
        shadow_db: FloatArray = self._unit * self._model.sigma_db(los)
        return shadow_db

    def _carried(self, numbers: IntArray, sites: IntArray) -> tuple[FloatArray, BoolArray]:
        """Return each pair's unit value at the tick before, and whether there was one; both (N, k)."""
        before = np.zeros(sites.shape)
        known = np.zeros(sites.shape, bool)
        if len(self._numbers) == 0 or len(numbers) == 0:
            return before, known
        row = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        stayed = (self._numbers[row] == numbers)[:, None]
        old_sites, old_unit = self._sites[row], self._unit[row]
        for slot in range(old_sites.shape[1]):
            same = stayed & (sites == old_sites[:, slot : slot + 1])
            np.copyto(before, old_unit[:, slot : slot + 1], where=same)
            known |= same
        return before, known
