"""What the tests of key rates ask with."""

import numpy as np

from cosim.keys.rates.noise import Conditions
from cosim.keys.rates.rates import LinkRates, link_rates
from cosim.scenario.key_rates import KeyRateModel
from cosim.types import FloatArray

GOLDEN_NOISE_PER_S = 0.19758178875705376
GOLDEN_TEMPERATURE_K = 298.0


def row(*values: float) -> FloatArray:
    """One entry per link."""
    return np.array(values, dtype=np.float64)


def weather(
    links: int, temperature_k: float = GOLDEN_TEMPERATURE_K, noise_per_s: float = GOLDEN_NOISE_PER_S
) -> Conditions:
    """The same conditions at each link."""
    return Conditions(np.full(links, temperature_k), np.full(links, noise_per_s))


def rates(
    model: KeyRateModel, length_km: FloatArray, detector: float | None = None, intercepted: float = 0.0
) -> LinkRates:
    """Rates at the given lengths in the golden weather, with the model's own detector unless told."""
    efficiency = model.detector_efficiency if detector is None else detector
    links = len(length_km)
    return link_rates(model, length_km, np.full(links, efficiency), np.full(links, intercepted), weather(links))
