"""Degrees in metres, against Vincenty's distance on the ellipsoid."""

from math import atan, atan2, cos, radians, sin, sqrt, tan

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st

from cosim.mobility.units import geographic, grid_north_deg
from cosim.roads.projection import Projection, local_projection

A, F = 6_378_137.0, 1.0 / 298.257223563
B = A * (1.0 - F)


def vincenty_m(lat1, lon1, lat2, lon2):
    """Distance on WGS 84 by Vincenty's inverse formula (1975), which knows no projection."""
    u1, u2 = atan((1 - F) * tan(radians(lat1))), atan((1 - F) * tan(radians(lat2)))
    away = lam = radians((lon2 - lon1 + 180.0) % 360.0 - 180.0)
    for _ in range(200):
        sin_s = sqrt((cos(u2) * sin(lam)) ** 2 + (cos(u1) * sin(u2) - sin(u1) * cos(u2) * cos(lam)) ** 2)
        if sin_s == 0.0:
            return 0.0
        cos_s = sin(u1) * sin(u2) + cos(u1) * cos(u2) * cos(lam)
        sigma = atan2(sin_s, cos_s)
        sin_a = cos(u1) * cos(u2) * sin(lam) / sin_s
        cos2_a = 1.0 - sin_a**2
        cos_2m = cos_s - 2 * sin(u1) * sin(u2) / cos2_a if cos2_a > 1e-15 else 0.0
        c = F / 16 * cos2_a * (4 + F * (4 - 3 * cos2_a))
        turned = sigma + c * sin_s * (cos_2m + c * cos_s * (2 * cos_2m**2 - 1))
        before, lam = lam, away + (1 - c) * F * sin_a * turned
        if abs(lam - before) < 1e-14:
            break
    k = cos2_a * (A**2 - B**2) / B**2
    big_a = 1 + k / 16384 * (4096 + k * (-768 + k * (320 - 175 * k)))
    big_b = k / 1024 * (256 + k * (-128 + k * (74 - 47 * k)))
    inner = cos_s * (2 * cos_2m**2 - 1) - big_b / 6 * cos_2m * (4 * sin_s**2 - 3) * (4 * cos_2m**2 - 3)
    return B * big_a * (sigma - big_b * sin_s * (cos_2m + big_b / 4 * inner))


def test_the_oracle_itself():
    """A degree of the equator and a quarter of a meridian have their textbook lengths."""
    assert vincenty_m(0, 0, 0, 1) == pytest.approx(111_319.4908, abs=1e-3)
    assert vincenty_m(0, 7, 89.99999, 7) == pytest.approx(10_001_965.729 - 1.1169, abs=2e-3)


places = st.tuples(st.floats(-89.9, 89.9), st.floats(-180, 180), st.floats(-4e4, 4e4), st.floats(-4e4, 4e4))


@drawn(2000, least=100)
@given(places, st.floats(-4e4, 4e4), st.floats(-4e4, 4e4))
def test_distances_are_those_on_the_globe(place, east_m, north_m):
    """Between two places of a region distances are right within the stated excess, at antimeridian and poles too."""
    lat, lon, *first_m = place
    lats, lons = [], []
    for x_m, y_m in (first_m, (east_m, north_m)):
        there = min(max(lat + y_m / 111_000.0, -89.999), 89.999)
        lats.append(there)
        lons.append((lon + x_m / (111_320.0 * max(cos(radians(there)), 1e-3)) + 180.0) % 360.0 - 180.0)
    lat_deg, lon_deg = np.array(lats), np.array(lons)
    projection = local_projection(lat_deg, lon_deg)
    xy_m = projection.all_xy_m(lat_deg, lon_deg)
    exact_m = vincenty_m(lats[0], lons[0], lats[1], lons[1])
    found_m = float(np.hypot(*(xy_m[1] - xy_m[0])))
    assert -1e-3 <= found_m - exact_m <= exact_m * projection.excess(xy_m) * 1.02 + 1e-3
    assert (xy_m >= 0.0).all()
    assert (xy_m.min(axis=0) <= 1.0).all()


def test_the_stated_excess():
    """Far from the meridian a short way is too long by as much as is stated."""
    lat_deg, lon_deg = np.array([0.0, 0.0, 0.0]), np.array([0.0, 2.0, 2.01])
    projection = local_projection(lat_deg, lon_deg)
    xy_m = projection.all_xy_m(lat_deg, lon_deg)
    ratio = np.hypot(*(xy_m[2] - xy_m[1])) / vincenty_m(0.0, 2.0, 0.0, 2.01)
    west = projection.excess(xy_m[:1])
    assert west > projection.excess(xy_m[1:]) > 0
    assert ratio - 1.0 == pytest.approx(projection.excess(xy_m[1:]), rel=0.02)


@pytest.mark.parametrize("lat", [15.0, 45.0, 75.0, -15.0])
def test_arcs_of_the_meridian(lat):
    """On the meridian itself northings are its arcs within a millimetre."""
    xy_m = Projection(32, south=False, offset_m=(-500_000.0, 0.0)).all_xy_m(np.array([lat]), np.array([9.0]))
    assert abs(xy_m[0, 1]) / 0.9996 == pytest.approx(vincenty_m(0, 9, lat, 9), abs=1e-3)


def test_at_the_pole_itself():
    """The pole is a place like others: a kilometre from it lies a kilometre away, across it two."""
    lat_deg, lon_deg = np.array([90.0, 89.991046, 89.991046]), np.array([0.0, 0.0, 180.0])
    xy_m = local_projection(lat_deg, lon_deg).all_xy_m(lat_deg, lon_deg)
    assert np.hypot(*(xy_m[1] - xy_m[0])) == pytest.approx(vincenty_m(90 - 1e-12, 0, 89.991046, 0), abs=2e-3)
    assert np.hypot(*(xy_m[1] - xy_m[2])) == pytest.approx(2000, rel=1e-3)


def test_utm_lengths():
    """On a net's UTM lengths are those of the globe times its scale, 0.9996 at the middle of the zone."""
    lat_deg, lon_deg = np.array([48.0, 48.01]), np.array([9.0, 9.0])
    xy_m = Projection(32, south=False, offset_m=(-500_000.0, 0.0)).all_xy_m(lat_deg, lon_deg)
    assert np.hypot(*(xy_m[1] - xy_m[0])) / vincenty_m(48, 9, 48.01, 9) == pytest.approx(0.9996, abs=1e-7)


def test_true_north():
    """Beside the meridian true north leans by the convergence, sin(latitude) times the difference of longitude."""
    lat_deg, lon_deg = np.array([60.0, 60.0, 60.0]), np.array([10.0, 11.0, 12.0])
    leaning = grid_north_deg(geographic(lat_deg, lon_deg, None), lat_deg, lon_deg)
    np.testing.assert_allclose(leaning, [sin(radians(60)), 0.0, -sin(radians(60))], atol=1e-3)


@pytest.mark.parametrize(
    ("lat", "lon", "reason"),
    [
        ([121.0, 121.1], [14.6, 14.7], "swap them"),
        ([95.0, 95.1], [500.0, 14.7], "correct them"),
        ([48.0, 0.0], [11.0, 11.0], "5318 km apart"),
    ],
)
def test_no_region(lat, lon, reason):
    """Values that are no latitude or lie all over the globe are refused."""
    with pytest.raises(ValueError, match=reason):
        geographic(np.array(lat), np.array(lon), None)
