"""A lone transfer of a run lasts its bits over the rate that its kind of link has at its signal-to-noise ratio."""

from itertools import product

import numpy as np
import pytest
from link_oracle import ACCESSES, KINDS, occupied_hz, plain_bps
from physics import seen
from stories import Told, sites, tell

from cosim.decision import Action, Observation
from cosim.trace.lateness.causes import attribute_delay
from cosim.trace.store.reader import Trace

UP_HZ, SIDE_HZ = 20e6, 10e6
SITE_DB, CAR_DB = 5.0, 9.0
LAW = {"kind": "power_law", "exponent": 3.0, "gain_at_1m_db": -40.0}
CASES = [*product(KINDS, ACCESSES), *((kind, None) for kind in KINDS)]


def air(kind: str, access: dict | None) -> dict:
    """Thermal noise, 23 dBm up and 30 dBm down, and slices of a quarter with `fixed`."""
    return {
        "bandwidth_hz": UP_HZ, "vehicle_power_w": 0.2, "site_power_w": 1.0, "noise_dbm": None,
        "noise_figure_db": SITE_DB, "vehicle_noise_figure_db": CAR_DB, "path_loss": LAW, "min_snr_db": -9.0,
        "max_efficiency_bps_hz": 7.4063, "link": KINDS[kind], "access": access or {"kind": "ofdma"},
        "sidelink": {"range_m": 1e4, "bandwidth_hz": SIDE_HZ, "path_loss": LAW},
    }  # fmt: skip


def plain_ratio(kind: str, power_w: float, distance_m: float, band_hz: float, figure_db: float) -> float:
    """Signal to noise by hand.

    Args:
        kind: a key of KINDS.
        power_w: transmit power.
        distance_m: between sender and receiver.
        band_hz: nominal band.
        figure_db: noise figure of the receiver.
    """
    noise_w = 10.0 ** ((-174.0 + figure_db - 30.0) / 10.0) * occupied_hz(kind, band_hz)
    return power_w * 1e-4 * distance_m**-3.0 / noise_w


@pytest.mark.parametrize(("kind", "access"), CASES)
def test_a_lone_transfer_lasts_as_its_link_says(tmp_path, kind, access):
    """To a site and back, with each access, and over the sidelink (no access), at a distance drawn for each case."""
    rng = np.random.default_rng(CASES.index((kind, access)))
    distance_m = round(float(rng.uniform(30.0, 450.0)), 2)  # as exact as a frame is
    paths = {"a": [(0.0, distance_m)] * 31, "b": [(0.0, 2.0 * distance_m)] * 31}
    if access is None:
        rates = [plain_bps(kind, "side", SIDE_HZ, plain_ratio(kind, 0.2, distance_m, SIDE_HZ, CAR_DB))] * 2
    else:
        part = access.get("slice_share", 1.0)
        rates = [
            part * plain_bps(kind, way, UP_HZ, plain_ratio(kind, power_w, distance_m, UP_HZ, figure_db))
            for way, power_w, figure_db in (("up", 0.2, SITE_DB), ("down", 1.0, CAR_DB))
        ]
    sizes = {"input_bit": 1.7 * rates[0], "output_bit": 1.3 * rates[1], "deadline_s": 9.0}
    where = Told("b" if access is None else "A")
    story = tell(
        tmp_path, paths, [(0.5, "a", sizes)], where, sites=sites(A=0.0), radio=air(kind, access), duration_s=30.0
    )
    up_s = story.number(0, "uplinked_s") - story.number(0, "uplink_s")
    down_s = float(story.ended.time_s[0]) - story.number(0, "downlink_s")
    assert [up_s, down_s] == pytest.approx([1.7, 1.3], rel=1e-9)
    seen([up_s, down_s], [1.7, 1.3])


class Watchful(Told):
    """Keeps the last observation."""

    shown: Observation

    def decide(self, observation: Observation) -> Action:
        """As told."""
        self.shown = observation
        return super().decide(observation)


@pytest.mark.parametrize("kind", list(KINDS))
def test_power_gain_of_an_observation(tmp_path, kind):
    """At any power the gain times the observed rate is what plain tables give; 1 for the vehicle's own processor."""
    told, distance_m = Watchful("A"), 140.0
    tell(tmp_path, {"a": [(0.0, distance_m)] * 31}, [(0.5, "a")], told, sites=sites(A=0.0), radio=air(kind, None))
    powers_w = np.array([0.002, 0.01, 0.2, 1.0])
    plain = [plain_bps(kind, "up", UP_HZ, plain_ratio(kind, one, distance_m, UP_HZ, SITE_DB)) for one in powers_w]
    gain = told.shown.power_gain(powers_w[:, None, None])
    assert (gain * told.shown.alone_bps)[:, 0, 1] == pytest.approx(plain, rel=1e-12)
    assert (gain[:, 0, 0] == 1.0).all()


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_was_observed_is_what_the_transfer_got(tmp_path, kind):
    """The decision's rate alone and without interference is that of the lone transfer, and `trace late` calls it so."""
    paths = {"a": [(0.0, 120.0)] * 31}
    sizes = {"input_bit": 4e7, "output_bit": 1e5, "deadline_s": 0.1}
    story = tell(tmp_path, paths, [(0.5, "a", sizes)], sites=sites(A=0.0), radio=air(kind, None), duration_s=30.0)
    up_s = story.number(0, "uplinked_s") - story.number(0, "uplink_s")
    with Trace.open(story.run) as trace:
        (decided,) = trace.sql("SELECT alone_bps, clean_bps, expected_s FROM task_decided").itertuples(index=False)
        table = attribute_delay(trace)
    assert 4e7 / decided.alone_bps == pytest.approx(up_s, rel=1e-6)
    assert decided.clean_bps == decided.alone_bps
    assert decided.expected_s == pytest.approx(float(story.ended.time_s[0]) - 0.5)
    assert table.sending_s[0] == pytest.approx(up_s)
    assert table.weaker_link_s[0] == table.interference_s[0] == 0.0
    assert table.cause[0] == "deadline"


def test_interference_that_drowns_a_link_is_its_cause(tmp_path):
    """At -9 dB beside another cell's sender an upload's blocks are repeated until that ends: interference.

    Car b, 100 m from its site and 150 m from A, sends until after the decision of car a, 300 m from A, which without
    it has CQI 4: 10,296 bit a ms less headers.
    """
    paths = {"a": [(-300.0, 0.0)] * 31, "b": [(150.0, 0.0)] * 31}
    radio = {**air("lte", None), "interference": True, "sidelink": None}
    tasks = [
        (0.5, "b", {"input_bit": 3e8, "deadline_s": 30.0}),
        (4.5, "a", {"input_bit": 1e7, "output_bit": 0.0, "deadline_s": 3.0}),
    ]
    story = tell(tmp_path, paths, tasks, Told(["B", "A"]), sites=sites(A=0.0, B=250.0), radio=radio, duration_s=30.0)
    up_s = story.number(1, "uplinked_s") - story.number(1, "uplink_s")
    assert story.number(1, "uplinked_s") > story.number(0, "uplinked_s") > 5.0
    with Trace.open(story.run) as trace:
        decided = trace.sql("SELECT alone_bps, clean_bps, expected_s FROM task_decided WHERE task = 1").iloc[0]
        table = attribute_delay(trace)
    clean_bps = 10296e3 * 1250 / 1284
    assert 0.0 < decided.alone_bps < 0.3 * 2792e3
    assert decided.expected_s == pytest.approx(1e7 / decided.alone_bps + 1.0, rel=1e-6)  # and to execute
    assert decided.clean_bps == pytest.approx(clean_bps, rel=1e-6)
    assert table.cause[1] == "interference"
    assert table.weaker_link_s[1] == 0.0
    assert table.sending_s[1] == pytest.approx(1e7 / clean_bps, rel=1e-6)
    assert table.interference_s[1] == pytest.approx(up_s - 1e7 / clean_bps, rel=1e-6)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_chosen_power_gives_the_rate_of_that_power(tmp_path, kind):
    """At a twentieth of the power a transfer lasts as the plain tables say of the weaker signal."""
    distance_m = 140.0
    ratio = plain_ratio(kind, 0.01, distance_m, UP_HZ, SITE_DB)
    sizes = {"input_bit": 1.1 * plain_bps(kind, "up", UP_HZ, ratio), "output_bit": 0.0, "deadline_s": 9.0}
    story = tell(
        tmp_path, {"a": [(0.0, distance_m)] * 31}, [(0.5, "a", sizes)], Told("A", power_w=[0.01]),
        sites=sites(A=0.0), radio=air(kind, None), decisions={"knobs": ["target", "power"]},
    )  # fmt: skip
    assert story.number(0, "uplinked_s") - story.number(0, "uplink_s") == pytest.approx(1.1, rel=1e-9)
