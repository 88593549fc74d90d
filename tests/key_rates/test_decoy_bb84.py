"""Decoy-state BB84 with GYS parameters: alpha 0.21, e_d 0.033, Y_0 1.7e-6, eta_Bob 0.045, f 1.22."""

import numpy as np
import pytest
from key_links import rates, row
from physics import seen
from scipy.optimize import brentq, minimize_scalar

from cosim.keys.rates.decoy_bb84 import decoy_bb84
from cosim.keys.rates.entropy import binary_entropy
from cosim.scenario.key_rates import DecoyBb84Rate

GYS = DecoyBb84Rate(kind="decoy_bb84")
# length_km: Q, E, Y1, e1, Q1, R
GOLDEN = {
    0: (
        0.021370090585115187,
        0.033037150053100366,
        0.0450017,
        0.03301764155576345,
        0.013366226190260354,
        0.0025545880815313784,
    ),
    10: (
        0.013231853890738221,
        0.033059999151029945,
        0.027748475083766693,
        0.033028610581215846,
        0.008241741854295045,
        0.0015670580432942689,
    ),
    25: (
        0.006429379972989757,
        0.03312348002503068,
        0.013435921785130818,
        0.03305908787001712,
        0.0039906841220377276,
        0.000754396391805686,
    ),
    50: (
        0.0019249502059680568,
        0.03341242625265587,
        0.004012329221601855,
        0.0331978651192743,
        0.0011917260886971305,
        0.00022259611792148918,
    ),
    75: (
        0.000576251494957547,
        0.03437769707661243,
        0.0011990262769094645,
        0.03366212060176555,
        0.00035613002231554917,
        6.434858950348231e-05,
    ),
    100: (
        0.00017326018056940118,
        0.03758212612608095,
        0.0003591477056259266,
        0.035210511128329174,
        0.00010667262501437005,
        1.7184444763934947e-05,
    ),
    125: (
        5.2920360234964825e-05,
        0.048001787525097386,
        0.00010841181675477449,
        0.040323002452728816,
        3.220004720802488e-05,
        3.205997115072429e-06,
    ),
    140: (
        2.649981070401708e-05,
        0.06295870456826352,
        5.336691296735973e-05,
        0.04787625863773618,
        1.5850828519759665e-05,
        2.464667072075685e-07,
    ),
}


def margin(model: DecoyBb84Rate, length_km: float) -> float:
    """Q_1 (1 - h(e_1)) - f Q h(E) before it is cut at 0, so that roots and best intensities can be found."""
    pulse = decoy_bb84(model, row(length_km), row(model.detector_efficiency), row(0.0))
    leaked = model.correction_inefficiency * pulse.gain * binary_entropy(pulse.qber)
    return float((pulse.single_gain * (1.0 - binary_entropy(pulse.single_error)) - leaked)[0])


def best_margin(model: DecoyBb84Rate, length_km: float) -> float:
    """The same with the best signal intensity."""
    found = minimize_scalar(
        lambda mu: -1e6 * margin(model.model_copy(update={"signal_mu": mu}), length_km),
        bounds=(0.3, 0.7),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return -float(found.fun)


@pytest.mark.parametrize("length_km", GOLDEN)
def test_golden_rows(length_km: int) -> None:
    """Gain, QBER, single-photon yield, error, gain and key per pulse have the golden values to 1e-9."""
    pulse = decoy_bb84(GYS, row(length_km), row(0.045), row(0.0))
    ours = (pulse.gain, pulse.qber, pulse.single_yield, pulse.single_error, pulse.single_gain, pulse.key_bit)
    np.testing.assert_allclose(np.ravel(ours), GOLDEN[length_km], rtol=1e-9)
    seen(np.ravel(ours), GOLDEN[length_km])


@pytest.mark.parametrize(
    ("weak_mu", "golden_km"), [(None, 142.01451981069653), (0.05, 140.61940002431808), (0.01, 141.74429388734004)]
)
def test_cut_off(weak_mu: float | None, golden_km: float) -> None:
    """Keys end at 142.01 km with all decoys, and a little earlier with a vacuum and one weak decoy."""
    model = GYS.model_copy(update={"weak_mu": weak_mu})
    found_km = brentq(lambda length_km: margin(model, length_km), 100.0, 170.0, xtol=1e-11)
    assert found_km == pytest.approx(golden_km, rel=1e-9)
    seen(found_km, golden_km)
    assert rates(model, row(golden_km - 0.01, golden_km + 0.01)).key_bps.tolist()[1] == 0.0


@pytest.mark.parametrize(("inefficiency", "golden_km"), [(1.22, 142.2086694210814), (1.0, 150.1124956135931)])
def test_best_cut_off(inefficiency: float, golden_km: float) -> None:
    """With the best intensity keys end at 142.21 km, with perfect error correction at 150.11 km."""
    model = GYS.model_copy(update={"correction_inefficiency": inefficiency})
    found_km = brentq(lambda length_km: best_margin(model, length_km), 100.0, 170.0, xtol=1e-9)
    assert found_km == pytest.approx(golden_km, rel=1e-9)


def test_best_cut_off_of_144_km() -> None:
    """With the receivers of the 144 km experiment the cut-off is 31.596 dB; a source in the middle doubles it."""
    model = GYS.model_copy(
        update={"fibre_db_per_km": 1.0, "detector_efficiency": 0.145, "dark_count": 6.02e-6, "misalignment": 0.015}
    )
    found_db = brentq(lambda loss_db: best_margin(model, loss_db), 20.0, 40.0, xtol=1e-9)
    assert found_db == pytest.approx(31.59646495353757, rel=1e-9)


def test_weak_decoys_bound_the_truth() -> None:
    """A vacuum and a weak decoy never promise more single photons, fewer errors or more key than the truth."""
    length_km = np.linspace(0, 150, 31)
    detector, zero = np.full(31, 0.045), np.zeros(31)
    true = decoy_bb84(GYS, length_km, detector, zero)
    for weak_mu in (0.3, 0.1, 0.01):
        told = decoy_bb84(GYS.model_copy(update={"weak_mu": weak_mu}), length_km, detector, zero)
        assert (told.single_yield <= true.single_yield * (1 + 1e-9)).all()
        assert (told.single_error >= true.single_error * (1 - 1e-9)).all()
        assert (told.key_bit <= true.key_bit * (1 + 1e-9)).all()


def test_one_second_of_pulses() -> None:
    """Rates of a link are those of a pulse times the pulse rate; sifting keeps q of the clicks."""
    ours = rates(GYS, row(50.0))
    assert ours.key_bps[0] == pytest.approx(1e9 * 0.00022259611792148918, rel=1e-9)
    assert ours.sifted_bps[0] == pytest.approx(1e9 * 0.5 * 0.0019249502059680568, rel=1e-9)
