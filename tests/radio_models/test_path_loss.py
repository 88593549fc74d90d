"""Path loss against published and computed values, and the models that scenarios name."""

import math
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from physics import seen

from cosim.errors import InputError
from cosim.radio.pathloss import (
    p_los_highway,
    p_los_umi,
    p_los_urban,
    path_loss_model,
    power_law_db,
    umi_los_db,
    umi_nlos_db,
    v2v_highway_los_db,
    v2v_nlos_db,
    v2v_urban_los_db,
)
from cosim.scenario.radio import PluginPathLoss, PowerLaw, Umi, V2vHighway, V2vUrban

DISTANCES_M = np.array([10.0, 20.0, 50.0, 100.0, 200.0, 300.0, 500.0, 1000.0])
AT_5_9_GHZ = {
    v2v_urban_los_db: [69.499507, 74.526708, 81.172306, 86.199507, 91.226708, 94.167432, 97.872306, 102.899507],
    v2v_highway_los_db: [67.81704, 73.83764, 81.79644, 87.81704, 93.83764, 97.359465, 101.79644, 107.81704],
    v2v_nlos_db: [81.419103, 90.450003, 102.388203, 111.419103, 120.450003, 125.732741, 132.388203, 141.419103],
}
UMI_AT_5_9_GHZ = {
    umi_los_db: [71.296712, 75.895846, 83.625329, 89.849868, 96.146899, 99.840246, 107.339203, 119.378521],
    umi_nlos_db: [78.287358, 86.018283, 99.011175, 109.474331, 120.05934, 126.267679, 134.095004, 144.719702],
}
LINE_OF_SIGHT = {
    p_los_urban: [0.936871, 0.83593, 0.593802, 0.33581, 0.107398, 0.034348, 0.003513, 1.2e-05],
    p_los_highway: [0.99951, 0.980141, 0.924553, 0.840313, 0.703352, 0.608417, 0.515, 0.015],
    p_los_umi: [1.0, 0.957375, 0.519585, 0.230985, 0.093518, 0.060226, 0.036001, 0.018],
}
PUBLISHED_AT_5_GHZ = {
    v2v_urban_los_db: [68.1913, 84.8913, 101.5913],
    v2v_nlos_db: [80.0605, 110.0605, 140.0605],
    v2v_highway_los_db: [66.3794, 86.3794, 106.3794],
}


@pytest.mark.parametrize("law", PUBLISHED_AT_5_GHZ)
def test_v2v_laws_give_the_values_published_with_ns3(law):
    """The TR 37.885 laws give the values of ns-3's own tests at 5 GHz and 10, 100, 1000 m."""
    ours = law(np.array([10.0, 100.0, 1000.0]), 5.0)
    np.testing.assert_allclose(ours, PUBLISHED_AT_5_GHZ[law], atol=5e-5)
    seen(ours, PUBLISHED_AT_5_GHZ[law], "dB")


@pytest.mark.parametrize("law", AT_5_9_GHZ)
def test_v2v_laws_at_5_9_ghz(law):
    """The TR 37.885 laws give the computed values at 5.9 GHz from 10 to 1000 m."""
    np.testing.assert_allclose(law(DISTANCES_M, 5.9), AT_5_9_GHZ[law], atol=1e-6)
    seen(law(DISTANCES_M, 5.9), AT_5_9_GHZ[law], "dB")


@pytest.mark.parametrize("law", UMI_AT_5_9_GHZ)
def test_umi_laws_at_5_9_ghz(law):
    """The TR 38.901 UMi laws give the computed values on both sides of the break point at 354 m."""
    ours = law(DISTANCES_M, 5.9, 10.0, 1.5)
    np.testing.assert_allclose(ours, UMI_AT_5_9_GHZ[law], atol=1e-6)
    seen(ours, UMI_AT_5_9_GHZ[law], "dB")


@pytest.mark.parametrize("probability", LINE_OF_SIGHT)
def test_probability_of_line_of_sight(probability):
    """The probabilities of line of sight give the computed values and stay in [0, 1] from 0 to 3 km."""
    np.testing.assert_allclose(probability(DISTANCES_M), LINE_OF_SIGHT[probability], atol=1e-6)
    seen(probability(DISTANCES_M), LINE_OF_SIGHT[probability], "of 1")
    everywhere = probability(np.linspace(0.0, 3000.0, 3001))
    assert ((everywhere >= 0.0) & (everywhere <= 1.0)).all()


def test_umi_is_continuous_at_its_break_point():
    """The two UMi line-of-sight branches meet at the break point to within 0.01 dB."""
    break_m = 4 * 9.0 * 0.5 * 5.9e9 / 299_792_458
    assert umi_los_db(break_m + 1e-6, 5.9, 10.0, 1.5) == pytest.approx(umi_los_db(break_m, 5.9, 10.0, 1.5), abs=0.01)


def test_power_law_is_the_gain_of_s1():
    """The power law with alpha 2 and g0 = 1e-4 is h = g0 / d^2 (paper S1 eq 3)."""
    distance_m = np.array([1.0, 50.0, 300.0])
    ours = 10 ** (-power_law_db(distance_m, 2.0, -40.0) / 10)
    np.testing.assert_allclose(ours, 1e-4 / distance_m**2, rtol=1e-12)
    seen(ours, 1e-4 / distance_m**2)


@pytest.mark.parametrize(
    "config", [PowerLaw(kind="power_law"), Umi(), V2vUrban(kind="v2v_urban"), V2vHighway(kind="v2v_highway")]
)
def test_models_are_finite_at_distance_zero_and_keep_the_shape(config):
    """Every model gives a finite loss at distance 0, in the shape of its input."""
    model = path_loss_model(config)
    loss_db = model.loss_db(np.zeros((3, 2)), np.array([[True, False]] * 3))
    assert loss_db.shape == (3, 2)
    assert np.isfinite(loss_db).all()


def test_model_mixes_both_laws_by_state():
    """A model takes each link's law, deviation and correlation distance from its own line-of-sight state."""
    model = path_loss_model(Umi())
    los = np.array([True, False])
    np.testing.assert_allclose(model.loss_db(np.array([100.0, 100.0]), los), [89.849868, 109.474331], atol=1e-6)
    np.testing.assert_array_equal(model.sigma_db(los), [4.0, 7.82])
    np.testing.assert_array_equal(model.correlation_m(los), [10.0, 13.0])
    assert model.shadowed
    assert model.los_drawn


@pytest.mark.parametrize(("los", "probability"), [("always", 1.0), ("never", 0.0)])
def test_fixed_line_of_sight_is_not_drawn(los, probability):
    """With `los: always` or `never` the probability is 1 or 0 at every distance, and nothing is to be drawn."""
    model = path_loss_model(V2vUrban(kind="v2v_urban", los=los, shadowing=False))
    np.testing.assert_array_equal(model.los_probability(DISTANCES_M), probability)
    np.testing.assert_array_equal(model.sigma_db(np.array([True, False])), 0.0)
    assert not model.los_drawn
    assert not model.shadowed


def test_power_law_needs_no_draws():
    """The power law is always in line of sight and has no shadowing."""
    model = path_loss_model(PowerLaw(kind="power_law"))
    assert not model.shadowed
    assert not model.los_drawn
    assert model.los_probability(DISTANCES_M).min() == 1.0
    assert model.sigma_db(np.array([False]))[0] == 0.0
    assert model.correlation_m(np.array([False]))[0] == math.inf


def test_unknown_plug_in_is_named(monkeypatch):
    """An unknown path-loss plug-in gives one line that lists the installed ones."""
    entry = EntryPoint("two-ray", "cosim.radio.pathloss:PowerLawLoss", "cosim.path_loss")
    monkeypatch.setattr("cosim.plugins.entry_points", lambda group: [entry] if group == "cosim.path_loss" else [])
    with pytest.raises(InputError, match=r"'tworay'.*installed: two-ray"):
        path_loss_model(PluginPathLoss(kind="plugin", name="tworay"))


def test_plug_in_gives_the_model(monkeypatch):
    """A path-loss plug-in is built from its options; an object without the members of a model is refused by name."""
    entries = [
        EntryPoint("steep", "cosim.radio.pathloss:PowerLawLoss", "cosim.path_loss"),
        EntryPoint("empty", "builtins:dict", "cosim.path_loss"),
    ]
    monkeypatch.setattr("cosim.plugins.entry_points", lambda **_: entries)
    options = {"exponent": 4.0, "gain_at_1m_db": -40.0}
    model = path_loss_model(PluginPathLoss(kind="plugin", name="steep", options=options))
    assert model.loss_db(np.array([10.0]), np.array([True]))[0] == pytest.approx(80.0)
    with pytest.raises(InputError, match="'empty' gave an object without shadowed, los_drawn"):
        path_loss_model(PluginPathLoss(kind="plugin", name="empty"))
