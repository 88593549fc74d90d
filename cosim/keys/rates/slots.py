"""The rates of all QKD links slot by slot, worked out where something has changed."""

import numpy as np

from cosim.keys.rates.noise import Conditions, conditions
from cosim.keys.rates.rates import LinkRates, link_rates
from cosim.scenario.key_rates import QibVecRate
from cosim.scenario.keys import Keys
from cosim.types import FloatArray


class SlotRates:
    """The rates of the links in one slot after the other.

    Only `qib_vec` has terms for temperature and noise, which are drawn for each link and slot; a link of another model
    keeps its rates until its detector or the share of its pulses that is intercepted changes.
    """

    def __init__(self, plan: Keys, length_km: FloatArray, noise_key: int) -> None:
        """Start before the first slot.

        Args:
            plan: the scenario's `keys`.
            length_km: length of each link, (L,).
            noise_key: key of the random stream of the conditions.
        """
        self._plan = plan
        self._length_km = length_km
        self._noise_key = noise_key
        self._links = np.arange(len(length_km))
        self._drawn = isinstance(plan.rate, QibVecRate)
        nothing = np.full(len(length_km), np.nan)
        self._detector, self._intercepted = nothing, nothing
        self._rates = LinkRates(nothing.copy(), nothing.copy(), nothing.copy())

    def at(self, slot: int, detector: FloatArray, intercepted: FloatArray) -> LinkRates:
        """Return the rates in a slot; the arrays are used again and must not be changed or kept.

        Args:
            slot: number of the slot.
            detector: detector efficiency of each link, (L,).
            intercepted: share of each link's pulses that is intercepted, (L,).
        """
        plan = self._plan
        if self._drawn:
            drawn = conditions(plan.environment, self._noise_key, self._links, slot, plan.slot_s)
            return link_rates(plan.rate, self._length_km, detector, intercepted, drawn)
        changed = np.flatnonzero((detector != self._detector) | (intercepted != self._intercepted))
        if len(changed):
            self._detector, self._intercepted = detector.copy(), intercepted
            none = np.zeros(len(changed))
            length_km, still = self._length_km[changed], Conditions(none, none)
            fresh = link_rates(plan.rate, length_km, detector[changed], intercepted[changed], still)
            for name in ("key_bps", "sifted_bps", "qber"):
                getattr(self._rates, name)[changed] = getattr(fresh, name)
        return self._rates
