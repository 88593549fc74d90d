"""Transmittance: the share of the photons that arrives at the other end of a fibre or of a beam through air."""

import numpy as np

from cosim.scenario.key_rates import FreeSpace, KeyRateModel
from cosim.types import FloatArray
from cosim.units import db_to_linear


def fibre_transmittance(length_km: FloatArray, db_per_km: float) -> FloatArray:
    """Return the transmittance of a fibre, 10^(-alpha l / 10), in [0, 1]; any shape.

    S3 eq 5 prints e^(-alpha l / 10) with alpha in dB/km; read with base 10, because a dB is a tenth of a power of ten
    (at 50 km and 0.2 dB/km: 0.1 and not 0.37). Connectors and splices are left out.
    """
    return db_to_linear(-db_per_km * length_km)


def free_space_transmittance(length_km: FloatArray, optics: FreeSpace) -> FloatArray:
    """Return the share of an even disc of light that falls on the receiver, times the loss in air; in [0, 1].

    min(1, (D_r / (D_t + 2 theta d))^2) 10^(-a d / 10): the beam leaves with diameter D_t and widens by its half angle
    theta. Turbulence, the centre of a Gaussian beam, and light of the sky are left out.

    Args:
        length_km: d, of any shape.
        optics: diameters in m, half angle in rad, attenuation in dB/km.
    """
    beam_m = optics.transmitter_aperture_m + 2e3 * optics.half_angle_rad * length_km
    caught = np.minimum(1.0, (optics.receiver_aperture_m / beam_m) ** 2)
    return caught * db_to_linear(-optics.atmosphere_db_per_km * length_km)


def transmittance(model: KeyRateModel, length_km: FloatArray) -> FloatArray:
    """Return the share of the photons that arrive over a length of the model's own medium, fibre or air."""
    if model.free_space is not None:
        return free_space_transmittance(length_km, model.free_space)
    return fibre_transmittance(length_km, model.fibre_db_per_km)
