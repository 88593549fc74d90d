"""Two cells on one channel disturb each other.

A (0)            B (300)
|                |
a at 100 m       b at 100 m      each hears its own cell at 0 dB and is heard in the other 10 dB lower
"""

from math import log2

import pytest
from stories import Told, sites, tell

PATHS = {"a": [(0.0, 100.0)] * 11, "b": [(300.0, 100.0)] * 11}
TASKS = [(0.5, "a", {"input_bit": 4e6}), (0.5, "b", {"input_bit": 4e6})]
SLICES = {"kind": "fixed", "slice_share": 0.1}
OPEN = {"max_efficiency_bps_hz": None, "min_snr_db": -20.0}


def uplinked_s(tmp_path, interference):
    """End of both uplinks."""
    radio = {**OPEN, "interference": interference}
    story = tell(tmp_path, PATHS, TASKS, "A", sites=sites(A=0, B=300), radio=radio)
    return [story.number(task, "uplinked_s") for task in (0, 1)]


def test_without_interference(tmp_path):
    """Off, the two cells do not know each other: log2(1 + 1) = 1 Mbit/s each."""
    assert uplinked_s(tmp_path, False) == pytest.approx([4.5, 4.5])


def test_with_interference(tmp_path):
    """On, each rate falls by the other's power over the share of the past tick in which it was sent.

    0.5 to 1: nothing was sent before: 1 bit/s/Hz
    1 to 2:   half of the past tick:   log2(1 + 1 / 1.05)
    from 2:   all of the past tick:    log2(1 + 1 / 1.10)
    """
    sent_bit = 0.5e6 + 1e6 * log2(1 + 1 / 1.05)
    end_s = 2.0 + (4e6 - sent_bit) / (1e6 * log2(1 + 1 / 1.1))
    assert uplinked_s(tmp_path, True) == pytest.approx([end_s, end_s])


# --- how many send, how loud, and for whom ----------------------------------------------------------------------------

CARS = {"victim": [(0.0, 100.0)] * 40, **{f"near-b-{n}": [(300.0, 100.0)] * 40 for n in range(4)}}
"""Heard by A: the victim at 0 dB, each of the others at -10 dB."""


def rate_bps_hz(tmp_path, senders, access, power_w=1.0, slice_share=1.0):
    """Rate of an upload to A from 5 s on beside uploads to B that go on from 0.5 s, over the victim's band."""
    arrivals = [(0.5, f"near-b-{n}", {"input_bit": 1e9}) for n in range(senders)]
    arrivals.append((5.0, "victim", {"input_bit": 2e6 * slice_share}))
    knobs = {"power_w": [*[power_w] * senders, 1.0]}
    story = tell(
        tmp_path, CARS, arrivals, Told("A", **knobs), sites=sites(A=0, B=300), duration_s=20.0,
        radio={**OPEN, "interference": True, "access": access, "max_vehicle_power_w": 2.0},
        decisions={"knobs": ["target", "power"]}, tasks={"classes": [{"name": "usual", "deadline_s": 100.0}]},
    )  # fmt: skip
    task = senders
    return 2.0 / (story.number(task, "uplinked_s") - story.number(task, "uplink_s"))


@pytest.mark.parametrize("senders", [0, 1, 2, 4])
@pytest.mark.parametrize(
    ("access", "louder"),
    [({"kind": "ofdma"}, lambda n: min(n, 1)), ({"kind": "noma"}, lambda n: n), (SLICES, lambda n: 0.1 * n)],
    ids=["ofdma", "noma", "fixed"],
)
def test_as_many_are_heard_as_send(tmp_path, access, louder, senders):
    """A full OFDMA cell is as loud as one sender, n NOMA senders n times, n slices of ten a tenth of that."""
    slice_share = 0.1 if access is SLICES else 1.0
    rate = rate_bps_hz(tmp_path, senders, access, slice_share=slice_share)
    assert rate == pytest.approx(log2(1 + 1 / (1 + 0.1 * louder(senders))))


@pytest.mark.parametrize("power_w", [0.1, 1.0, 2.0])
def test_less_power_disturbs_less(tmp_path, power_w):
    """The power that a policy chooses is what others hear."""
    rate = rate_bps_hz(tmp_path, 1, {"kind": "ofdma"}, power_w)
    assert rate == pytest.approx(log2(1 + 1 / (1 + 0.1 * power_w)))


def test_who_sends_straight_to_the_target_is_heard_around_it(tmp_path):
    """Cars beside B that send to A's host share A's cell with the victim, and disturb B instead of A."""
    arrivals = [(0.5, "near-b-0", {"input_bit": 1e9}), (5.0, "near-b-1", {"input_bit": 2e6})]
    story = tell(
        tmp_path, CARS, arrivals, Told(["A", "B"]), sites=sites(A=0, B=300), duration_s=20.0,
        radio={**OPEN, "interference": True, "association": "target"},
        tasks={"classes": [{"name": "usual", "deadline_s": 100.0}]},
    )  # fmt: skip
    sent_s = story.number(1, "uplinked_s") - story.number(1, "uplink_s")
    assert sent_s == pytest.approx(2.0 / log2(1 + 1 / (1 + 1)))
