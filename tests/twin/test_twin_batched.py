"""What comes in many bundles is learnt as if it came at once."""

import numpy as np

from cosim.scenario.twin_forecast import VelocityForecast
from cosim.twin.forecast import BatchedForecaster, make_forecaster


def test_bundles_are_learnt_in_order_before_anything_is_asked() -> None:
    """Three bundles, one vehicle in two of them, give the forecast of its later state, as without gathering."""
    section = VelocityForecast(kind="constant_velocity")
    plain, batched = make_forecaster(section, None), BatchedForecaster(make_forecaster(section, None))
    bundles = [([0, 1], 0.0, 10.0), ([2], 0.0, 20.0), ([1], 1.0, 30.0)]
    for forecaster in (plain, batched):
        for numbers, time_s, x_m in bundles:
            count = len(numbers)
            place = np.column_stack([np.full(count, x_m), np.zeros(count)])
            forecaster.observe(np.array(numbers), time_s, place, np.full(count, 5.0), np.full(count, 90.0))
    everybody = np.arange(3)
    wanted = [[20.0, 0.0], [35.0, 0.0], [30.0, 0.0]]
    assert np.allclose(batched.at(2.0, everybody).xy_m, wanted)
    assert np.array_equal(batched.at(2.0, everybody).xy_m, plain.at(2.0, everybody).xy_m)


def test_who_leaves_is_heard_first_and_then_forgotten() -> None:
    """A state that was heard before a vehicle left does not bring it back."""
    batched = BatchedForecaster(make_forecaster(VelocityForecast(kind="constant_velocity"), None))
    batched.observe(np.array([4]), 0.0, np.zeros((1, 2)), np.zeros(1), np.zeros(1))
    batched.forget(np.array([4]))
    assert np.isnan(batched.at(1.0, np.array([4])).xy_m).all()
