"""Link adaptation: the tables of 3GPP, and the curves that they and TR 36.942 give."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from link_oracle import GAP, KINDS, LTE_BIT, LTE_EFFICIENCY, LTE_WIDTH_HZ, NR_MCS, plain_bps, plain_nr_bit
from physics import seen
from pydantic import ValidationError

from cosim.adaptation import lte, nr
from cosim.adaptation.curve import ShannonCurve, SteppedCurve, power_gain
from cosim.adaptation.mcs import numerology, snr_gap
from cosim.kernel.clock import Clock
from cosim.kernel.fluid import Flow
from cosim.radio.cell import make_cell
from cosim.radio.link import band_noise_w
from cosim.radio.survey import LinkBudget
from cosim.scenario.bands import AirBand, downlink_band, sidelink_band, uplink_band
from cosim.scenario.radio import Noma, Ofdma, Radio, Sidelink

LOSS_DB, USER_DBM = 40.0, 23.0
PACKETS_MS = {  # one user's file of 1 Mbit and of 0.1 Mbit, packet by packet in ns-3 3.44's LTE module
    50: (24.94, 12.93), 100: (32.93, 13.93), 150: (44.93, 14.93), 200: (62.93, 16.93), 300: (110.93, 20.93),
    400: (235.93, 33.93), 500: (380.93, 47.93),
}  # fmt: skip
AT_M = {50: (15, 75376), 100: (12, 46888), 150: (9, 30576), 200: (7, 19848), 300: (4, 10296), 400: (2, 4584),
        500: (1, 2792)}  # fmt: skip


def radio(kind: str = "lte", **fields: object) -> Radio:
    """A radio with a kind of link."""
    return Radio.model_validate({"link": KINDS[kind], **fields})


def bands(kind: str) -> dict[str, AirBand]:
    """The three media, of 20, 20 and 10 MHz."""
    given_radio = radio(kind)
    return {
        "up": uplink_band(given_radio),
        "down": downlink_band(given_radio),
        "side": sidelink_band(given_radio, Sidelink()),
    }


def test_lte_tables_are_those_of_the_clauses():
    """The largest blocks of each width; one TBS row for MCS 10 and 11 (uplink), 9 and 10 (downlink); the widths."""
    assert {blocks: max(sizes) for blocks, sizes in lte.TBS_BIT.items()} == {
        6: 4392, 15: 11064, 25: 18336, 50: 36696, 75: 55056, 100: 75376,
    }  # fmt: skip
    assert list(lte.BLOCKS.values()) == [6, 15, 25, 50, 75, 100]
    assert all(len(sizes) == 27 and list(sizes) == sorted(set(sizes)) for sizes in lte.TBS_BIT.values())
    assert lte.UPLINK_TBS_ROW[10] == lte.UPLINK_TBS_ROW[11] == 10
    assert lte.DOWNLINK_TBS_ROW[9] == lte.DOWNLINK_TBS_ROW[10] == 9
    assert lte.CQI_BPS_HZ == LTE_EFFICIENCY
    for order, rate, cqi in ((2, 78, 1), (2, 602, 6), (4, 378, 7), (4, 616, 9), (6, 466, 10), (6, 948, 15)):
        assert lte.CQI_BPS_HZ[cqi - 1] == pytest.approx(order * rate / 1024, abs=5e-5)


def test_every_block_of_lte_at_a_cqi():
    """At each CQI, direction and width the block is the one written down from the standard's table."""
    for (way, band_hz), sizes in LTE_BIT.items():
        count = lte.BLOCKS[LTE_WIDTH_HZ[band_hz]]
        assert tuple(lte.lte_block_bit(cqi, count, uplink=way == "up") for cqi in range(1, 16)) == sizes


def test_nr_tables_are_those_of_the_clauses():
    """38.214: efficiencies are bits x code rate; the MCS of a CQI is that of the same code rate, MCS 0 for CQI 1."""
    for efficiency, (order, rate) in zip(nr.CQI_BPS_HZ, nr.CQI_SCHEME, strict=True):
        assert efficiency == pytest.approx(order * rate / 1024, abs=5.1e-5)
    assert [(order, float(rate) * 1024) for order, rate in map(nr.scheme, range(1, 16))] == list(NR_MCS)
    assert len(nr.MCS_SCHEME) == 28
    assert len(nr.SMALL_TBS_BIT) == 93
    assert nr.BLOCKS[30][20e6] == 51
    assert nr.BLOCKS[30][100e6] == 273
    assert nr.BLOCKS[15][20e6] == 106


def test_nr_blocks_follow_the_formula():
    """Every number of resource blocks at every MCS has the size that a search over the clause's sizes finds."""
    for count in range(1, 274):
        for order, rate in nr.MCS_SCHEME:
            for elements in (nr.UPLINK_ELEMENTS, nr.DOWNLINK_ELEMENTS):
                found = nr.transport_block_bit(count, elements, order, Fraction(rate) / 1024)
                assert found == plain_nr_bit(count * elements, order, rate)
    assert nr.transport_block_bit(1, 200, 2, Fraction(1, 2)) == plain_nr_bit(156, 2, 512)


@pytest.mark.parametrize("way", ["up", "down", "side"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_curve_is_the_plain_one(kind, way):
    """From -20 to 60 dB each kind gives in each medium what written-out tables give, one link or many at once."""
    band = bands(kind)[way]
    sinr = 10.0 ** np.linspace(-2.0, 6.0, 1601)
    plain = np.array([plain_bps(kind, way, band.band_hz, one) for one in sinr.tolist()])
    many = band.band_hz * band.curve.efficiencies(sinr)
    assert many == pytest.approx(plain, rel=1e-12)
    assert [band.band_hz * band.curve.efficiency(one) for one in sinr.tolist()] == pytest.approx(plain, rel=1e-12)
    assert np.all(np.diff(many) >= 0.0)
    assert many.max() == pytest.approx(band.band_hz * band.curve.most_bps_hz)
    assert many.all()
    faint = sinr < band.curve.least_sinr
    if kind != "shannon":  # twice as many copies at half the ratio
        assert many[faint] == pytest.approx(many[faint][0] * sinr[faint] / sinr[0], rel=1e-12)
    there = plain > 0.0
    seen(many[there], plain[there])


def test_shannon_has_the_cap_of_the_scenario():
    """Only this kind feels `max_efficiency_bps_hz`; null is none."""
    assert uplink_band(radio("shannon", max_efficiency_bps_hz=3.0)).curve.efficiency(1e6) == 3.0
    assert uplink_band(radio("shannon", max_efficiency_bps_hz=None)).curve.most_bps_hz == math.inf
    assert uplink_band(radio("lte", max_efficiency_bps_hz=1.0)).curve.most_bps_hz > 3.0


def test_attenuated_of_tr_36_942():
    """Downlink 0.6 up to 4.4, uplink 0.4 up to 2.0 bit/s/Hz, repeated blocks below -10 dB."""
    up, down, side = (band.curve for band in bands("attenuated").values())
    assert down.efficiency(3.0) == pytest.approx(1.2)
    assert up.efficiency(3.0) == side.efficiency(3.0) == pytest.approx(0.8)
    assert (up.efficiency(1e9), down.efficiency(1e9)) == (2.0, 4.4)
    assert up.efficiency(0.1) == pytest.approx(0.4 * math.log2(1.1))
    assert up.efficiency(0.025) == pytest.approx(0.1 * math.log2(1.1))
    changed = uplink_band(
        Radio.model_validate({"link": {**KINDS["attenuated"], "uplink_alpha": 1.0, "min_sinr_db": 0}})
    )
    assert changed.curve.efficiency(1.0) == 1.0
    assert changed.curve.efficiency(0.5) == 0.5


def test_noise_is_over_the_occupied_band():
    """With steps the noise of 20 MHz is that of 18 MHz (LTE) or 18.36 MHz (NR); a vehicle may have another figure."""
    for kind, width_hz in (("shannon", 20e6), ("attenuated", 20e6), ("lte", 18e6), ("nr", 18.36e6)):
        one = radio(kind, noise_figure_db=5.0, vehicle_noise_figure_db=9.0)
        for band, figure_db in ((uplink_band(one), 5.0), (downlink_band(one), 9.0)):
            expected_w = 10.0 ** ((-174.0 + figure_db - 30.0) / 10.0) * width_hz
            assert band_noise_w(band) == pytest.approx(expected_w, rel=1e-12)
            seen(band_noise_w(band), expected_w)
    assert sidelink_band(one, Sidelink()).noise_figure_db == 9.0
    assert downlink_band(radio(noise_figure_db=5.0)).noise_figure_db == 5.0
    assert band_noise_w(uplink_band(radio(noise_dbm=-90.0))) == pytest.approx(1e-12)


def test_a_band_of_no_standard_width_is_one_in_proportion():
    """12 MHz of LTE carry 1.2 times what 10 MHz do, 40 MHz twice what 20 MHz do; below 1.4 MHz it is that channel."""
    for band_hz, width_hz in ((12e6, 10e6), (40e6, 20e6), (1e6, 1.4e6), (19.9e6, 15e6), (20e6, 20e6)):
        band, channel = (uplink_band(radio(bandwidth_hz=hz)) for hz in (band_hz, width_hz))
        assert band.curve.efficiency(10.0) == channel.curve.efficiency(10.0)
        assert band.occupied_hz / band_hz == pytest.approx(channel.occupied_hz / width_hz)
    assert numerology("nr", 60).channel_hz(5e6) == 10e6


def test_headers_are_spread_over_the_payload():
    """34 bytes of headers: a packet of 34 bytes carries half of what the block has, one of 1250 97.4 %."""
    small = uplink_band(Radio.model_validate({"link": {"kind": "mcs", "packet_byte": 34}})).curve.most_bps_hz
    large = uplink_band(radio()).curve.most_bps_hz
    assert small == pytest.approx(75376e3 / 20e6 / 2)
    assert large == pytest.approx(75376e3 / 20e6 * 1250 / 1284)


def test_the_gap_and_what_it_moves():
    """Gamma is 5.53 at 5e-5; a tenth of the errors needs a stronger signal for each CQI, by the ratio of the gaps."""
    assert snr_gap(5e-5) == pytest.approx(GAP) == pytest.approx(5.529, abs=1e-3)
    strict = uplink_band(Radio.model_validate({"link": {"kind": "mcs", "bit_error_rate": 5e-6}})).curve
    usual = uplink_band(radio()).curve
    assert strict.least_sinr / usual.least_sinr == pytest.approx(snr_gap(5e-6) / snr_gap(5e-5))
    assert 10 * math.log10(usual.least_sinr) == pytest.approx(-2.11, abs=0.01)


@pytest.mark.parametrize("distance_m", list(AT_M))
def test_one_user_beside_a_packet_level_simulator(distance_m):
    """LTE of 20 MHz, 23 dBm, 40 dB + 30 log10 d, noise figure 5 dB: CQI and block, and packets take 11 to 13 ms longer.

    What is missing before the first bit and after the last is request, grant and decoding: no part of a rate.
    """
    band = uplink_band(radio(noise_figure_db=5.0))
    sinr = 10.0 ** ((USER_DBM - 30.0 - LOSS_DB - 30.0 * math.log10(distance_m)) / 10.0) / band_noise_w(band)
    cqi, block_bit = AT_M[distance_m]
    assert band.curve.efficiency(sinr) == pytest.approx(block_bit * 1e3 * 1250 / 1284 / 20e6)
    assert lte.lte_block_bit(cqi, 100, uplink=True) == block_bit
    for size_bit, packets_ms in zip((1e6, 1e5), PACKETS_MS[distance_m], strict=True):
        assert 10.9 < packets_ms - 1e3 * size_bit / (20e6 * band.curve.efficiency(sinr)) < 13.1


def test_coverage_ends_where_a_direction_carries_nothing():
    """Beside `min_snr_db` of the uplink, the lowest CQI of either direction bounds what a site serves."""
    least = {}
    for site_power_w in (1.0, 1e-3):
        one = radio(site_power_w=site_power_w, noise_figure_db=5.0, vehicle_noise_figure_db=9.0)
        budget = LinkBudget.of(one)
        up = uplink_band(one).curve.least_sinr * budget.up_noise_w / one.vehicle_power_w
        down = downlink_band(one).curve.least_sinr * budget.down_noise_w / site_power_w
        assert budget.least_gain == max(up, down)
        least[site_power_w] = budget.least_gain
    assert least[1e-3] > least[1.0]
    plain = Radio(min_snr_db=3.0)
    expected = 10.0**0.3 * LinkBudget.of(plain).up_noise_w / plain.vehicle_power_w
    assert LinkBudget.of(plain).least_gain == pytest.approx(expected)
    assert LinkBudget.of(radio(min_snr_db=3.0)).least_gain == pytest.approx(expected * 0.9)


ratios = st.floats(-60.0, 90.0).map(lambda level_db: 10.0 ** (level_db / 10.0))
powers_w = st.floats(1e-3, 10.0)
curves = st.sampled_from([band.curve for kind in KINDS for band in bands(kind).values()])


@given(curves, ratios, powers_w, powers_w)
@drawn(400)
def test_power_gain_is_the_ratio_of_rates(curve, snr_per_w, power_w, from_w):
    """At any power, ratio and kind the gain times the known rate is the rate; 1 where the known rate is 0."""
    known, other = (curve.efficiency(power * snr_per_w) for power in (from_w, power_w))
    (gain,) = power_gain(np.array([power_w]), np.array([from_w]), np.array([snr_per_w]), curve)
    assert gain == pytest.approx(other / known if known else 1.0, rel=1e-12)
    assert gain >= 1.0 or power_w < from_w


@given(curves, st.lists(ratios, max_size=20))
@drawn(200)
def test_one_link_and_many_agree_and_more_signal_is_never_slower(curve, sinr):
    """The form for one link gives the array form's numbers; efficiencies rise with the ratio, from at least 0."""
    ordered = np.array(sorted(sinr))
    many = curve.efficiencies(ordered)
    np.testing.assert_allclose([curve.efficiency(one) for one in ordered.tolist()], many, rtol=1e-14)
    assert np.all(np.diff(many) >= 0.0)
    assert np.all((many >= 0.0) & (many <= curve.most_bps_hz))
    copied = pickle.loads(pickle.dumps(curve))  # noqa: S301 - of our own making
    np.testing.assert_array_equal(copied.efficiencies(ordered), many)


def test_what_is_no_number_stays_none():
    """A ratio that is unknown (NaN) gives an unknown rate in the array form, and no gain."""
    for kind in KINDS:
        for band in bands(kind).values():
            assert np.isnan(band.curve.efficiencies(np.array([np.nan]))).all()
            assert power_gain(np.ones(1), np.ones(1), np.array([np.nan]), band.curve) == 1.0


def test_a_step_begins_above_its_ratio():
    """At a threshold itself the lower step holds: the CQI's efficiency must be below what the ratio allows.

    Half the first threshold gives half the first step.
    """
    steps = SteppedCurve([1.0, 4.0], [1.0, 2.0])
    assert [steps.efficiency(x) for x in (0.5, 1.0, math.nextafter(1.0, 2.0), 4.0, 4.1)] == [0.5, 1.0, 1.0, 1.0, 2.0]
    assert steps.efficiencies(np.array([[0.5, 1.0], [2.0, 5.0]])).tolist() == [[0.5, 1.0], [1.0, 2.0]]
    assert ShannonCurve(2.0).efficiencies(np.array([3.0, 1.0])).tolist() == [2.0, 1.0]


def test_users_that_drown_each_other_go_on():
    """Three equal users at once, each 3 dB below the two others, repeat their blocks: none waits for ever."""
    band, clock = bands("lte")["up"], Clock()
    cell = make_cell(clock, Noma(kind="noma", sic=False), band.band_hz, band.curve, uplink=True)
    sinr = 1e3 / (1.0 + 2e3)
    assert sinr < band.curve.least_sinr
    for _ in range(3):
        cell.start(Flow(1e6, gain=1e3))
    clock.run()
    assert clock.now == pytest.approx(1e6 / plain_bps("lte", "up", band.band_hz, sinr), rel=1e-9)


def test_a_joint_message_of_a_drowned_sender_ends():
    """Of two senders in turn one is 10 dB below the first step: its part takes ten times as long, not for ever."""
    band = bands("lte")["up"]
    cell = make_cell(Clock(), Ofdma(), band.band_hz, band.curve, uplink=True)
    first = band.curve.efficiency(1.001 * band.curve.least_sinr)
    assert cell.joint_gain(np.array([1.0, 0.1]) * band.curve.least_sinr) == pytest.approx(first * 2.0 / 11.0)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ({"kind": "mcs", "standard": "lte", "subcarrier_khz": 30}, "LTE has 15; leave it out or use standard: nr"),
        ({"kind": "mcs", "standard": "wifi"}, "Input should be 'lte' or 'nr'"),
        ({"kind": "mcs", "bit_error_rate": 0.05}, "less than or equal to 0.01"),
        ({"kind": "mcs", "packet_byte": 0}, "greater than or equal to 1"),
        ({"kind": "mcs", "packet_byte": 100000}, "less than or equal to 65507"),
        ({"kind": "attenuated", "uplink_alpha": 1.5}, "less than or equal to 1"),
        ({"kind": "attenuated", "downlink_max_bps_hz": 0}, "greater than 0"),
        ({"kind": "shannon", "packet_byte": 100}, "Extra inputs are not permitted"),
        ({"kind": "capacity"}, "does not match any of the expected tags"),
    ],
)
def test_links_that_there_are_not(link, says):
    """A kind, standard or number that means nothing is refused where it stands."""
    with pytest.raises(ValidationError, match="link") as told:
        Radio.model_validate({"link": link})
    assert says in str(told.value)
