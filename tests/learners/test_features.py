"""Features: PCA that a circuit can take."""

import numpy as np
import pytest
from cosim_agents.features import Features


def rows(count: int = 400, width: int = 5) -> np.ndarray:
    rng = np.random.default_rng(3)
    table = rng.normal(size=(count, width)) * [1.0, 10.0, 0.1, 1.0, 1.0] + [0.0, 5.0, -3.0, 0.0, 0.0]
    table[:, 3] = 7.0
    table[:, 4] = table[:, 0] + 0.01 * rng.normal(size=count)
    return table


def test_they_stay_in_reach() -> None:
    """What the roll-outs showed lies in [0, 1] but for its tails, and nothing at all leaves [-0.25, 1.25]."""
    table = rows()
    features = Features.fit(table, 3)
    x = features.transform(table)
    assert x.dtype == np.float32
    assert x.shape == (400, 3)
    assert 0.97 < np.mean((x >= 0.0) & (x <= 1.0)) < 1.0
    wild = features.transform(table * 1e6)
    assert wild.min() == -0.25
    assert wild.max() == 1.25


def test_directions_are_those_of_largest_variance() -> None:
    """Two columns that say the same make the first direction; a constant column counts for nothing, then or later."""
    table = rows()
    features = Features.fit(table, 3)
    assert set(np.flatnonzero(np.abs(features.axes[:, 0]) > 0.6)) == {0, 4}
    assert not features.axes[3].any()
    changed = table.copy()
    changed[:, 3] = 100.0
    np.testing.assert_array_equal(features.transform(table), features.transform(changed))


def test_all_columns_on_demand() -> None:
    """components=0 keeps each column that varies, in order, and drops the constant one."""
    table = rows()
    features = Features.fit(table, 0)
    assert features.count == 4
    x = features.transform(table)
    for place, column in enumerate([0, 1, 2, 4]):
        assert np.corrcoef(x[:, place], table[:, column])[0, 1] > 0.99


@pytest.mark.parametrize("components", [5, 8])
def test_more_than_there_is(components: int) -> None:
    """Directions beyond the rank of the rows give 0 for every row."""
    table = rows()
    table[:, 4] = table[:, 0]
    x = Features.fit(table, components).transform(table)
    assert x.shape == (400, components)
    assert not x[:, 3:].any()


def test_signs_are_settled() -> None:
    """The same rows in another order give the same features: the sign that PCA leaves open is fixed."""
    table = rows()
    one, other = Features.fit(table, 3), Features.fit(table[::-1], 3)
    np.testing.assert_allclose(one.axes, other.axes, atol=1e-9)
