"""Two cells on one channel disturb each other.

A (0)            B (300)
|                |
a at 100 m       b at 100 m      each hears its own cell at 0 dB and is heard in the other 10 dB lower
"""

from math import log2

import pytest
from stories import sites, tell

PATHS = {"a": [(0.0, 100.0)] * 11, "b": [(300.0, 100.0)] * 11}
TASKS = [(0.5, "a", {"input_bit": 4e6}), (0.5, "b", {"input_bit": 4e6})]
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
