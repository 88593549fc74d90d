"""What the twin believes of links, against the survey of the true places."""

from dataclasses import replace

import numpy as np
import pytest
from physics import seen

from cosim.mobility.source import MobilityFrame
from cosim.mobility.synthetic import SyntheticRoads
from cosim.radio.survey import Air, Survey
from cosim.scenario.schema import Radio, SyntheticMobility
from cosim.scenario.twin_forecast import VelocityForecast
from cosim.twin.belief import Belief, Outlook
from cosim.twin.belief_radio import LinkForecast, Links
from cosim.twin.forecast import make_forecaster
from cosim.twin.mirror import Mirror, capture

SITES_M = np.array([(250.0, 50.0), (750.0, 50.0), (1250.0, 50.0), (1750.0, 50.0)])
OPEN = {"kind": "power_law", "exponent": 2.0, "gain_at_1m_db": -40.0}
COLUMNS = ("sites", "snr_per_w", "clean_snr_per_w", "down_snr", "serving", "slot")


class World:
    """Vehicles on a straight road, their true links at every tick, and two beliefs of them."""

    def __init__(self, *, length_m: float = 2000.0, **radio: object) -> None:
        plan = SyntheticMobility(kind="synthetic", vehicles=6, length_m=length_m, speed_mps=15.0, reenter=False)
        self.source = SyntheticRoads(plan, np.random.default_rng(3))
        self.radio = Radio.model_validate({"path_loss": OPEN, "noise_dbm": -70.0, "candidates": 2, **radio})
        self.survey = Survey(self.radio, SITES_M, seed=1)
        self.mirror = Mirror(2, [1e9] * 4, 4)
        self.forecaster = make_forecaster(VelocityForecast(kind="constant_velocity"), None)
        outlook = Outlook(self.forecaster, LinkForecast(self.radio, SITES_M))
        self.last = Belief(self.mirror, None)
        self.expected = Belief(self.mirror, outlook)

    def tick(self, tick: int, *, heard: bool, lost: tuple[int, ...] = ()) -> tuple[MobilityFrame, Air]:
        """The truth at a tick; the twin is told of it or not. Vehicles in `lost` are off the road."""
        frame = self.source.advance(tick)
        frame = replace(frame, xy_m=np.where(np.isin(frame.numbers, lost)[:, None], np.nan, frame.xy_m))
        air = self.survey.update(frame.numbers, frame.xy_m, tick)
        states = capture(frame, air, np.arange(len(frame.numbers)))
        if tick == 0:
            self.mirror.register(states, frame.time_s)
        elif heard:
            self.mirror.apply(states, frame.time_s)
        if heard:
            self.forecaster.observe(states.numbers, frame.time_s, states.xy_m, states.speed_mps, states.heading_deg)
        return frame, air


def _same(believed: Air, true: Air, rows: slice | np.ndarray = slice(None)) -> bool:
    return all(np.allclose(getattr(believed, name), getattr(true, name)[rows], rtol=1e-9, atol=0.0) for name in COLUMNS)


def test_a_state_just_heard_is_the_truth():
    """Right after a synchronisation mirror and forecast equal the truth, with shadowing and drawn line of sight."""
    world = World(path_loss={"kind": "umi"}, noise_dbm=None)
    world.tick(0, heard=True)
    frame, air = world.tick(1, heard=True)
    assert _same(world.last.air(frame.time_s, frame.numbers), air)
    expected = world.expected.air(frame.time_s, frame.numbers)
    heard = air.snr_per_w > 0.0  # sites that were not heard have no known order
    assert 0 < heard.sum() < heard.size
    assert _same(replace(expected, sites=np.where(heard, expected.sites, air.sites)), air)


@pytest.mark.parametrize(
    "path_loss", [OPEN, *({"kind": "umi", "shadowing": False, "los": los} for los in ("always", "never"))]
)
def test_a_forecast_without_surprise_is_the_truth_and_the_mirror_lags(path_loss):
    """At constant speed without shadowing the forecast equals the truth at all times, also when candidates change."""
    world = World(path_loss=path_loss, min_snr_db=-60.0, handover={"hysteresis_db": 0.0})
    world.tick(0, heard=True)
    for tick in range(1, 30):
        frame, air = world.tick(tick, heard=tick % 10 == 0)
        assert _same(world.expected.air(frame.time_s, frame.numbers), air)
        assert _same(world.last.air(frame.time_s, frame.numbers), air) == (tick % 10 == 0)


def test_coverage_that_comes_is_forecast():
    """A site out of range when last heard of is in the forecast as soon as the vehicle is in its range."""
    world = World(min_snr_db=10.0, handover={"hysteresis_db": 0.0})
    _, first = world.tick(0, heard=True)
    gained = 0
    for tick in range(1, 15):
        frame, air = world.tick(tick, heard=False)
        believed = world.expected.air(frame.time_s, frame.numbers)
        assert _same(believed, air)
        gained += int(((air.serving >= 0) & (first.serving < 0)).sum())
    assert gained > 0


def test_hysteresis_starts_from_the_cell_that_served():
    """Short of the hysteresis the forecast keeps the serving cell of then, as the radio does."""
    world = World(handover={"hysteresis_db": 3.0})
    world.tick(0, heard=True)
    kept = 0
    for tick in range(1, 16):
        frame, air = world.tick(tick, heard=False)
        believed = world.expected.air(frame.time_s, frame.numbers)
        assert (believed.serving == air.serving).all()
        kept += int((air.slot > 0).sum())
    assert kept > 0


def test_a_vehicle_off_the_road_hears_nothing_in_its_twin():
    """A vehicle that was teleporting when it was last heard of has no link until it is heard of again."""
    world = World()
    world.tick(0, heard=True, lost=(2,))
    frame, air = world.tick(1, heard=False)
    for belief in (world.last, world.expected):
        believed = belief.air(frame.time_s, frame.numbers)
        assert air.serving[2] >= 0
        assert believed.serving[2] < 0
        assert (believed.snr_per_w[2] == 0.0).all()
        assert (np.delete(believed.snr_per_w, 2, axis=0) > 0.0).all()


def test_a_vehicle_that_never_spoke_again_is_forecast_from_its_entry():
    """A twin whose vehicle is never heard of after its entry stays where it entered, or goes on from there."""
    world = World()
    _, first = world.tick(0, heard=True)
    for tick in range(1, 20):
        frame, _ = world.tick(tick, heard=False)
    assert _same(world.last.air(frame.time_s, frame.numbers), first)
    assert np.allclose(world.expected.air(frame.time_s, frame.numbers).xy_m, frame.xy_m)


def test_rows_are_the_vehicles_asked_for():
    """A belief has one row for each vehicle that asks, ascending, however often and in whatever order it asks."""
    world = World()
    frame, air = world.tick(0, heard=True)
    asked = np.array([4, 1, 4, 3])
    for belief in (world.last, world.expected):
        believed = belief.air(frame.time_s, asked)
        assert believed.numbers.tolist() == [1, 3, 4]
        assert believed.row == {1: 0, 3: 1, 4: 2}
        assert _same(believed, air, np.array([1, 3, 4]))


def test_asking_twice_gives_the_same_answer():
    """Asking a belief changes neither it nor the mirror."""
    world = World()
    world.tick(0, heard=True, lost=(1,))
    frame, _ = world.tick(3, heard=False)
    for belief in (world.last, world.expected):
        once, again = (belief.air(frame.time_s, frame.numbers) for _ in range(2))
        assert _same(once, again)
    assert np.isnan(world.mirror.known(frame.numbers).xy_m[1]).all()


@pytest.mark.parametrize("way_m", [0.0, 5.0, 25.0, 100.0])
def test_what_was_measured_fades_as_shadowing_decorrelates(way_m):
    """Always in line of sight, a measured deviation of 6 dB is expected to be 6 exp(-way / 10 m) dB further on."""
    radio = Radio.model_validate({"path_loss": {"kind": "umi", "los": "always"}, "candidates": 1})
    links = LinkForecast(radio, np.array([(0.0, 0.0)]))
    start, end = np.array([[60.0, 0.0]]), np.array([[60.0 + way_m, 0.0]])
    nothing = Links(np.array([[7]]), *(np.zeros((1, 1)) for _ in range(3)), np.array([-1]), np.array([0]))
    mean_then, mean_now = (links.ahead(nothing, at, at).clean_snr_per_w for at in (start, end))
    above = 10.0**0.6
    then = Links(np.array([[0]]), mean_then * above, mean_then * above, mean_then, np.array([0]), np.array([0]))
    got_db = 10.0 * np.log10(links.ahead(then, start, end).clean_snr_per_w / mean_now)
    assert got_db == pytest.approx(6.0 * np.exp(-way_m / 10.0), abs=1e-9)
    seen(got_db, 6.0 * np.exp(-way_m / 10.0), "dB")


def test_the_forecast_of_shadowed_links_is_nearer_than_the_mirror():
    """Over 200 shadowed links the forecast's error in dB after 40 m is smaller in the mean (99.9 %, paired t)."""
    rng = np.random.default_rng(5)
    radio = Radio.model_validate({"path_loss": {"kind": "umi"}, "candidates": 1, "min_snr_db": -60.0})
    site = np.zeros((1, 2))
    survey, links = Survey(radio, site, seed=9), LinkForecast(radio, site)
    numbers = np.arange(200)
    start = np.column_stack((rng.uniform(60.0, 160.0, 200), np.full(200, 20.0)))
    end = start - (40.0, 0.0)
    then, now = (survey.update(numbers, at, tick) for tick, at in enumerate((start, end)))
    believed = links.ahead(Links(*(getattr(then, name) for name in COLUMNS)), start, end)
    true_db = 10.0 * np.log10(now.clean_snr_per_w[:, 0])
    expected_db = 10.0 * np.log10(believed.clean_snr_per_w[:, 0])
    gained_db = np.abs(10.0 * np.log10(then.clean_snr_per_w[:, 0]) - true_db) - np.abs(expected_db - true_db)
    assert gained_db.mean() > 3.34 * gained_db.std(ddof=1) / np.sqrt(200)
