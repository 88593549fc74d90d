"""Synchronisation and tasks share the uplink of a cell: they slow each other down, and the trace says why."""

import numpy as np
import pytest
from stories import NEAR_A, NEAR_B
from twin_runs import mirrored

from cosim.scenario.radio import Radio
from cosim.trace.lateness.airtime import Bundles, Legs, airtime
from cosim.trace.lateness.causes import attribute_delay
from cosim.trace.store.reader import Trace


def spoken(tmp_path, place, bit=1e6, **radio):
    """A task of 1 Mbit sent from 8.5 s on in cell A; at 9 s it is b's turn, a message of 0.5 Mbit from `place`."""
    twin = {"message_bit": 5e5, "sync": {"kind": "periodic", "period_s": 10.0}}
    paths = {"a": [NEAR_A] * 16, "b": [place] * 16}
    task = (8.5, "a", {"input_bit": bit})
    return mirrored(tmp_path, paths, twin, [task], duration_s=15.0, radio=radio)


def test_a_task_feels_a_message(tmp_path):
    """From 9 s to 10 s the band is shared in halves, so the task's last 0.5 Mbit take 1 s."""
    with_it = spoken(tmp_path / "with", NEAR_A).ended.iloc[0]
    without = spoken(tmp_path / "without", NEAR_B).ended.iloc[0]
    assert without.uplinked_s == pytest.approx(9.5)
    assert with_it.uplinked_s == pytest.approx(10.0)


def test_fixed_slices_do_not_feel_it(tmp_path):
    """Who has a slice of the band alone is not slower."""
    access = {"access": {"kind": "fixed", "slice_share": 1.0}}
    assert spoken(tmp_path, NEAR_A, **access).ended.iloc[0].uplinked_s == pytest.approx(9.5)


def test_users_of_one_band_hear_it(tmp_path):
    """Under NOMA without cancellation, two users at 20 dB have log2(1 + 100 / 101) bit/s/Hz each."""
    radio = {"access": {"kind": "noma", "sic": False}, "max_efficiency_bps_hz": None}
    run = spoken(tmp_path, NEAR_A, 5e6, **radio)
    alone_bps, beside_bps = 1e6 * np.log2(101), 1e6 * np.log2(1 + 100 / 101)
    bundle = run.uplinked.iloc[0]
    assert bundle.time_s - bundle.began_s == pytest.approx(5e5 / beside_bps)
    left_bit = 5e6 - 0.5 * alone_bps - 5e5
    assert run.ended.iloc[0].uplinked_s == pytest.approx(9.0 + 5e5 / beside_bps + left_bit / alone_bps)


def test_the_cause_is_the_shared_cell(tmp_path):
    """What the message cost the task is counted as the sharing of the cell, to the second."""
    with Trace.open(spoken(tmp_path, NEAR_A).run) as trace:
        parts = attribute_delay(trace, "true").iloc[0]
    assert parts.shared_cell_s == pytest.approx(0.5)
    assert parts.sending_s == pytest.approx(1.0)


def _legs(up):
    """A leg of weight 1 and one of weight 0.5, each 4 s long, in cells 0 and 1; bundles at 1..2 in both."""
    return Legs(
        task=np.array([0, 1]),
        up=np.array([up, up]),
        site=np.array([0, 1]),
        begin_s=np.array([0.0, 0.0]),
        silent_s=np.zeros(2),
        grant_s=np.zeros(2),
        end_s=np.array([4.0, 4.0]),
        share=np.array([1.0, 0.5]),
        repeated=np.zeros(2, np.bool_),
        bundles=Bundles(np.array([0, 1]), np.array([1.0, 1.0]), np.array([2.0, 2.0])),
    )


@pytest.mark.parametrize(("up", "lone_s"), [(True, [3.0 + 1.0 / 2.0, 0.5 * (3.0 + 1.0 / 1.5)]), (False, [4.0, 2.0])])
def test_lone_time_by_hand(up, lone_s):
    """A bundle counts as weight 1 while it is on the air, in uplinks only."""
    times = airtime(_legs(up), Radio(), 2, up=up)
    np.testing.assert_allclose(times.lone_s, lone_s, rtol=1e-12)
    np.testing.assert_allclose(times.air_s, [4.0, 4.0])


def test_a_bundle_is_as_long_as_its_messages_one_by_one(tmp_path):
    """At 1 and 0.5 bit/s/Hz two messages of 0.1 Mbit take 0.1 s and 0.2 s, so their bundle takes 0.3 s."""
    slow_m = (1e4 / (2**0.5 - 1)) ** 0.5
    paths = {"a": [NEAR_A] * 5, "b": [(0.0, float(slow_m))] * 5}
    twin = {"sync": {"kind": "periodic", "period_s": 2.0, "staggered": False}}
    run = mirrored(tmp_path, paths, twin, duration_s=4.0, radio={"min_snr_db": -20.0})
    first = run.uplinked.iloc[0]
    assert first.time_s - first.began_s == pytest.approx(0.3, rel=1e-4)


def test_messages_pile_up_in_a_cell_that_is_too_slow(tmp_path):
    """Bundles that outlast a tick go on beside the next ones, through ticks and moves; the late ones change nothing."""
    paths = {"a": [(0.0, 10.0 + k) for k in range(13)]}
    run = mirrored(tmp_path, paths, {"message_bit": 1.5e6, "sync": {"kind": "periodic"}}, duration_s=12.0)
    assert run.uplinked.began_s.is_monotonic_increasing
    assert (run.uplinked.time_s - run.uplinked.began_s).max() > 3.0
    assert run.last.sent == 12
    assert run.last.received < 12
