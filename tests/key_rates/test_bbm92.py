"""Entangled pairs from the middle, parameters of the 144 km experiment: e_d 0.015, Y_0 6.02e-6, eta 0.145, f 1.22."""

import math
from fractions import Fraction

import numpy as np
import pytest
from key_links import row
from physics import seen
from scipy.optimize import minimize_scalar

from cosim.keys.rates.bbm92 import bbm92
from cosim.scenario.key_rates import Bbm92Rate

MFL = Bbm92Rate(kind="bbm92", mean_pairs=0.1, fibre_db_per_km=1.0)
"""lambda = 0.05; a length in km is then a loss in dB."""
GOLDEN = {
    0: (0.0023233287562427485, 0.05179155937916499, 0.00040357456756235337),
    10: (0.00023871908408057418, 0.055522849856184456, 3.737271358605241e-05),
    20: (2.40959441570876e-05, 0.05693353182858744, 3.618814524309866e-06),
    30: (2.420225695631828e-06, 0.05800900110082491, 3.518183310249181e-07),
    40: (2.4346588745061126e-07, 0.060354097998673605, 3.28624557156943e-08),
    50: (2.4763566863761355e-08, 0.06767134603977797, 2.5639733375718847e-09),
}


@pytest.mark.parametrize("loss_db", GOLDEN)
def test_golden_losses(loss_db: int) -> None:
    """Gain, QBER and key have the golden values to 1e-9, or to the digits that the golden gain itself has left."""
    pair = bbm92(MFL, row(loss_db), row(0.145), row(0.0))
    gain, qber, key = GOLDEN[loss_db]
    digits = max(1e-9, 4 * 2.0**-53 / gain)  # the golden gain is 1 - u - v + w, each near 1
    np.testing.assert_allclose(pair.gain, gain, rtol=digits)
    np.testing.assert_allclose(pair.qber, qber, rtol=10 * digits)
    np.testing.assert_allclose(pair.key_bit, key, rtol=50 * digits)
    if loss_db <= 30:  # beyond it the golden gain has lost its digits
        seen(np.ravel([pair.gain, pair.qber, pair.key_bit]), GOLDEN[loss_db])


@pytest.mark.parametrize("loss_db", [0.0, 50.0, 90.0])
def test_gain_in_exact_fractions(loss_db: float) -> None:
    """The gain agrees to 1e-12 with the printed sum worked out in fractions, which lose no digits."""
    arm = 0.145 * 10 ** (-0.05 * loss_db)
    x, empty = Fraction(arm) * Fraction(0.05), 1 - Fraction(6.02e-6)
    exact = 1 - 2 * empty / (1 + x) ** 2 + empty**2 / (1 + 2 * x - Fraction(arm) * x) ** 2
    gain = bbm92(MFL, row(loss_db), row(0.145), row(0.0)).gain[0]
    assert gain == pytest.approx(float(exact), rel=1e-12)
    seen(gain, float(exact))


def test_cut_off() -> None:
    """With the best source the one-way cut-off is 61.63 dB."""

    def best(loss_db: float) -> float:
        def less(log_pairs: float) -> float:
            model = MFL.model_copy(update={"mean_pairs": math.exp(log_pairs)})
            return -float(bbm92(model, row(loss_db), row(0.145), row(0.0)).key_bit[0])

        grid = np.linspace(math.log(1e-4), math.log(0.5), 200)
        start = grid[int(np.argmin([less(point) for point in grid]))]
        return -float(minimize_scalar(less, bracket=(start - 0.01, start + 0.01)).fun)

    golden_db = 61.628170490141464
    assert best(golden_db - 1e-3) > 0
    assert best(golden_db + 1e-3) == 0
