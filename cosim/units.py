"""Conversions between decibels and linear quantities; nothing else converts them."""

from typing import overload

import numpy as np

from cosim.types import FloatArray

THERMAL_NOISE_DBM_HZ = -174.0
"""Thermal noise density at 290 K in dBm/Hz."""


@overload
def db_to_linear(value_db: float) -> float: ...
@overload
def db_to_linear(value_db: FloatArray) -> FloatArray: ...
def db_to_linear(value_db: float | FloatArray) -> float | FloatArray:
    """Return the power ratio of a level in dB: 10^(x/10).

    >>> db_to_linear(20.0)
    100.0
    """
    return 10.0 ** (value_db / 10.0)


@overload
def linear_to_db(ratio: float) -> float: ...
@overload
def linear_to_db(ratio: FloatArray) -> FloatArray: ...
def linear_to_db(ratio: float | FloatArray) -> float | FloatArray:
    """Return the level in dB of a power ratio; 0 gives -inf."""
    with np.errstate(divide="ignore"):
        level = 10.0 * np.log10(ratio)
    return float(level) if np.isscalar(ratio) else level


@overload
def dbm_to_w(level_dbm: float) -> float: ...
@overload
def dbm_to_w(level_dbm: FloatArray) -> FloatArray: ...
def dbm_to_w(level_dbm: float | FloatArray) -> float | FloatArray:
    """Return the power in W of a level in dBm.

    >>> dbm_to_w(30.0)
    1.0
    """
    return 10.0 ** ((level_dbm - 30.0) / 10.0)
