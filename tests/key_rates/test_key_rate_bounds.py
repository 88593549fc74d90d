"""What holds of every model inside the bounds of the schema, and what an eavesdropper, air and extremes do."""

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from key_links import rates, row, weather
from physics import seen
from pydantic import ValidationError

from cosim.keys.rates.entropy import binary_entropy
from cosim.keys.rates.intercept import intercepted_qber
from cosim.keys.rates.loss import fibre_transmittance, free_space_transmittance
from cosim.keys.rates.rates import link_rates
from cosim.scenario.key_rates import Bbm92Rate, DecoyBb84Rate, FiniteKeyRate, FreeSpace, KeyRateModel, QibVecRate

ROUNDING = 1e-9


def within(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of a closed range."""
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


def decades(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers over decades, the exponents even; kept inside the range in spite of rounding."""
    return within(np.log10(low), np.log10(high)).map(lambda power: float(min(max(10.0**power, low), high)))


AIR = st.none() | st.builds(
    FreeSpace,
    transmitter_aperture_m=decades(1e-3, 10),
    receiver_aperture_m=decades(1e-3, 10),
    half_angle_rad=st.just(0.0) | decades(1e-6, 1),
    atmosphere_db_per_km=within(0, 100).map(lambda value: round(value, 3)),
)
DARK = decades(1e-9, 1e-5) | decades(1e-12, 0.01)
ALPHA = st.just(0.0) | decades(0.1, 1) | decades(1e-3, 100)
SHARE = within(0, 1).map(lambda value: round(value, 6))
WRONG = decades(1e-4, 0.04) | within(0, 0.45).map(lambda value: round(value, 6))
QIB_VEC = st.builds(
    QibVecRate,
    kind=st.just("qib_vec"),
    free_space=AIR,
    fibre_db_per_km=ALPHA,
    sifting=decades(1e-6, 1),
    pair_rate_per_s=decades(1e-3, 1e12),
    preparation_rad=within(-10, 10).map(lambda value: round(value, 3)),
    source_loss_per_km=st.just(0.0) | decades(1e-6, 100),
    interference_rad=within(-0.3, 0.3).map(lambda value: round(value, 3)) | st.just(9.0),
    phase_noise=st.just(0.0) | decades(1e-6, 0.05) | decades(1e-6, 100),
    temperature_coefficient_per_k=decades(1e-6, 1e-3) | decades(1e-6, 1),
    reference_temperature_k=within(200, 400),
    other_efficiency=SHARE,
    baseline_noise_per_s=st.just(0.0) | decades(1e-9, 1) | decades(1e-9, 1e18),
    noise_doubling=st.none() | within(0.01, 10),
    noise_reference_efficiency=SHARE,
    noise_floor_per_s=decades(1e-30, 1e-3) | decades(1e-30, 1e18),
    error_floor=WRONG,
    fluctuation=decades(1e-6, 10) | decades(1e-6, 1e18),
    block_bit=decades(1e3, 1e15) | decades(1, 1e15),
    entropy_weight=within(1, 10),
    security=st.just(0.0) | decades(1e-20, 0.1),
    minus_qber=st.booleans(),
)
MU = decades(1e-3, 2)
DECOY = st.builds(
    lambda weaker, mu, **rest: DecoyBb84Rate(
        kind="decoy_bb84", signal_mu=mu, weak_mu=None if weaker is None else max(1e-4, weaker * mu), **rest
    ),
    weaker=st.none() | decades(1e-4, 0.89),
    mu=MU,
    free_space=AIR,
    fibre_db_per_km=ALPHA,
    sifting=decades(1e-6, 1),
    pulse_hz=decades(1, 1e12),
    dark_count=DARK,
    misalignment=WRONG,
    correction_inefficiency=within(1, 3),
)
BBM92 = st.builds(
    Bbm92Rate,
    kind=st.just("bbm92"),
    free_space=AIR,
    fibre_db_per_km=ALPHA,
    sifting=decades(1e-6, 1),
    pulse_hz=decades(1, 1e12),
    mean_pairs=decades(1e-4, 2),
    dark_count=DARK,
    misalignment=WRONG,
    correction_inefficiency=within(1, 3),
)
FINITE = st.builds(
    lambda decoy, vacuum, above, signal_share, decoy_share, **rest: FiniteKeyRate(
        kind="finite_key",
        vacuum_mu=vacuum,
        decoy_mu=1.11 * vacuum + decoy,
        signal_mu=1.11 * (2.11 * vacuum + decoy) + above,
        signal_share=signal_share,
        decoy_share=(0.989 - signal_share) * decoy_share,
        **rest,
    ),
    decoy=decades(1e-4, 0.4),
    vacuum=st.just(0.0) | decades(1e-6, 0.2),
    above=decades(1e-3, 1),
    signal_share=within(0.01, 0.9),
    decoy_share=within(0.15, 1),
    free_space=AIR,
    fibre_db_per_km=ALPHA,
    pulse_hz=decades(1, 1e12),
    basis_x_share=within(0.5, 0.99),
    block_bit=decades(1e6, 1e12) | decades(1e3, 1e12),
    dark_count=DARK,
    after_pulse=st.just(0.0) | decades(1e-4, 0.5),
    misalignment=WRONG,
    correction_inefficiency=within(1, 3),
    secrecy=decades(1e-20, 1e-5),
    correctness=decades(1e-20, 1e-5),
)
MODEL = st.one_of(QIB_VEC, DECOY, BBM92, FINITE)
DEFAULTS: list[KeyRateModel] = [
    QibVecRate(kind="qib_vec"),
    DecoyBb84Rate(kind="decoy_bb84"),
    DecoyBb84Rate(kind="decoy_bb84", weak_mu=0.05),
    Bbm92Rate(kind="bbm92"),
    FiniteKeyRate(kind="finite_key"),
]


def falls(values: np.ndarray) -> bool:
    """Never rises by more than rounding of the largest."""
    return bool((np.diff(values) <= ROUNDING * values.max(initial=0.0)).all())


@drawn(300)
@given(model=MODEL, detector=SHARE, temperature_k=within(150, 450), noise_per_s=within(-1, 1) | within(-10, 1e6))
def test_rates_stay_in_their_domain(
    model: KeyRateModel, detector: float, temperature_k: float, noise_per_s: float
) -> None:
    """QBER is in [0, 1/2], rates are finite, at least 0 and fall with length and with interception, for any setting."""
    length_km = np.array([0.0, 0.1, 1.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 1e4])
    share = np.linspace(0.0, 1.0, 11)
    for distance_km, intercepted in ((length_km, np.zeros(11)), (np.full(11, 2.0), share)):
        ours = link_rates(
            model, distance_km, np.full(11, detector), intercepted, weather(11, temperature_k, noise_per_s)
        )
        assert ((ours.qber >= 0) & (ours.qber <= 0.5)).all()
        assert np.isfinite(ours.key_bps).all()
        assert (ours.key_bps >= 0).all()
        assert (ours.key_bps <= ours.sifted_bps * (1 + ROUNDING)).all()
        assert falls(ours.key_bps)
        assert falls(ours.sifted_bps)


@pytest.mark.parametrize("model", DEFAULTS, ids=lambda model: model.kind)
def test_interception_ends_keys(model: KeyRateModel) -> None:
    """An eavesdropper on a growing share of pulses raises QBER, lowers the key and ends it well before the whole."""
    found = [rates(model, row(10.0), intercepted=share) for share in (0.0, 0.05, 0.1, 0.2, 0.6, 1.0)]
    key_bps = [float(one.key_bps[0]) for one in found]
    assert key_bps[0] > key_bps[1] > key_bps[2] >= key_bps[3] >= key_bps[4] == key_bps[5] == 0.0
    assert np.diff([float(one.qber[0]) for one in found]).min() > 0
    assert {float(one.sifted_bps[0]) for one in found} == {float(found[0].sifted_bps[0])}


def test_intercepted_share_by_simulation() -> None:
    """Measuring and sending on in a random basis gives the stated QBER, within 4.5 deviations of 400,000 bits."""
    rng = np.random.default_rng(4)
    bits, own, share = 400_000, 0.03, 0.4
    touched, wrong_basis = rng.random(bits) < share, rng.random(bits) < 0.5
    wrong = np.where(touched & wrong_basis, rng.random(bits) < 0.5, rng.random(bits) < own)
    expected = float(intercepted_qber(row(own), row(share))[0])
    assert expected == pytest.approx(0.6 * 0.03 + 0.4 * (0.25 + 0.015), rel=1e-12)
    assert wrong.mean() == pytest.approx(expected, abs=4.5 * (expected * (1 - expected) / bits) ** 0.5)
    seen(wrong.mean(), expected, "of 1")


def test_entropy() -> None:
    """Entropy is 0 at 0 and 1, 1 at 1/2, the same on both sides, and 0.5 at 0.110028."""
    np.testing.assert_allclose(
        binary_entropy(row(0, 1, 0.5, 0.11002786443836, 0.9)), [0, 0, 1, 0.5, 0.4689955935892812]
    )
    assert binary_entropy(row(5e-324))[0] >= 0.0


def test_fibre_loss() -> None:
    """50 km at 0.2 dB/km let a tenth through; no length lets all through."""
    np.testing.assert_allclose(fibre_transmittance(row(0, 50, 1e5), 0.2), [1.0, 0.1, 0.0], rtol=1e-12)
    seen(fibre_transmittance(row(0, 50, 1e5), 0.2), [1.0, 0.1, 0.0])


def test_free_space_loss() -> None:
    """A beam of 2 cm with 0.1 mrad half angle is 22 cm wide at 1 km; 5 cm catch (5/22)^2, less half a dB in air."""
    caught = free_space_transmittance(row(0.0, 0.01, 1.0), FreeSpace())
    np.testing.assert_allclose(caught, [1.0, 10**-0.0005, (5 / 22) ** 2 * 10**-0.05], rtol=1e-12)
    seen(caught, [1.0, 10**-0.0005, (5 / 22) ** 2 * 10**-0.05])


def test_free_space_replaces_fibre() -> None:
    """A model with telescopes loses light in air and not in fibre, on each arm where the source is in the middle."""
    for model in DEFAULTS:
        air = model.model_copy(update={"free_space": FreeSpace(atmosphere_db_per_km=1.0, half_angle_rad=0.0)})
        fibre = model.model_copy(update={"fibre_db_per_km": 1.0})
        np.testing.assert_allclose(rates(air, row(3.0)).key_bps, rates(fibre, row(3.0)).key_bps, rtol=1e-9)


def test_links_do_not_mix() -> None:
    """A link has the same rates alone and among others."""
    for model in DEFAULTS:
        together, alone = rates(model, row(1.0, 10.0, 40.0)), rates(model, row(10.0))
        np.testing.assert_allclose(together.key_bps[1], alone.key_bps[0], rtol=1e-12)
        assert rates(model, row()).key_bps.shape == (0,)


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        (QibVecRate, {"kind": "qib_vec", "phase_noise": -0.1}),
        (QibVecRate, {"kind": "qib_vec", "detector_efficiency": 1.1}),
        (DecoyBb84Rate, {"kind": "decoy_bb84", "weak_mu": 0.48}),
        (DecoyBb84Rate, {"kind": "decoy_bb84", "dark_count": 0.0}),
        (Bbm92Rate, {"kind": "bbm92", "misalignment": 0.5}),
        (FiniteKeyRate, {"kind": "finite_key", "decoy_mu": 0.45}),
        (FiniteKeyRate, {"kind": "finite_key", "signal_share": 0.7}),
    ],
)
def test_settings_out_of_domain_are_refused(section: type[KeyRateModel], wrong: dict[str, object]) -> None:
    """Settings for which the formulas mean nothing do not load."""
    with pytest.raises(ValidationError):
        section.model_validate(wrong)
