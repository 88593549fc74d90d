"""The key rates of QKD links, by whichever model the scenario names."""

from dataclasses import dataclass
from typing import assert_never

from cosim.keys.rates.bbm92 import bbm92
from cosim.keys.rates.decoy_bb84 import decoy_bb84
from cosim.keys.rates.finite_key import finite_key
from cosim.keys.rates.noise import Conditions
from cosim.keys.rates.qib_vec import qib_vec_chain
from cosim.scenario.key_rates import Bbm92Rate, DecoyBb84Rate, FiniteKeyRate, KeyRateModel, QibVecRate
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class LinkRates:
    """Key rates and error rates, one entry per link; all (L,)."""

    key_bps: FloatArray  # secret bits released for each second of operation
    sifted_bps: FloatArray
    qber: FloatArray  # as measured, an eavesdropper included


def link_rates(
    model: KeyRateModel, length_km: FloatArray, detector: FloatArray, intercepted: FloatArray, conditions: Conditions
) -> LinkRates:
    """Return the secret key rate, sifted rate and QBER of each link.

    `decoy_bb84`, `bbm92` and `finite_key` give bits per pulse, times the pulse rate here; they have no term for the
    conditions. `qib_vec` counts pairs per second. `finite_key` is the average over blocks: bits of a block over the
    time that fills it.

    Args:
        model: one of the scenario's kinds.
        length_km: (L,) not negative.
        detector: (L,) detector efficiency in [0, 1], a knob: eta_int of S3 eq 3, or that of the physical models.
        intercepted: (L,) share of the pulses that an eavesdropper measures and sends on, in [0, 1].
        conditions: temperature and extra noise of the slot.

    >>> import numpy as np
    >>> from cosim.scenario.key_rates import DecoyBb84Rate
    >>> still = Conditions(temperature_k=np.full(2, 293.0), noise_per_s=np.zeros(2))
    >>> model = DecoyBb84Rate(kind="decoy_bb84")
    >>> rates = link_rates(model, np.array([10.0, 100.0]), np.full(2, 0.1), np.zeros(2), still)
    >>> bool(rates.key_bps[0] > rates.key_bps[1] > 0.0)
    True
    """
    match model:
        case QibVecRate():
            chain = qib_vec_chain(model, length_km, detector, intercepted, conditions)
            return LinkRates(chain.key_bps, chain.sifted_bps, chain.qber)
        case DecoyBb84Rate():
            pulse = decoy_bb84(model, length_km, detector, intercepted)
            return LinkRates(model.pulse_hz * pulse.key_bit, model.pulse_hz * model.sifting * pulse.gain, pulse.qber)
        case Bbm92Rate():
            pair = bbm92(model, length_km, detector, intercepted)
            return LinkRates(model.pulse_hz * pair.key_bit, model.pulse_hz * model.sifting * pair.gain, pair.qber)
        case FiniteKeyRate():
            block = finite_key(model, length_km, detector, intercepted)
            blocks_hz = model.pulse_hz / block.pulses
            return LinkRates(blocks_hz * block.key_bit, blocks_hz * model.block_bit, block.qber)
        case _:
            assert_never(model)
