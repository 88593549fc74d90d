"""Two equal users send at once over the whole band of one cell (S3 eq 13).

Both are heard at 0 dB: signal = noise = 1.
  without SIC  both at log2(1 + 1 / (1 + 1)) = 0.585 bit/s/Hz
  with SIC     the one decoded first as before, the other, alone then, at log2(1 + 1) = 1 bit/s/Hz
"""

from math import log2

import pytest
from stories import sites, tell

AT_0_DB = (0.0, 100.0)
PATHS = {"a": [AT_0_DB] * 11, "b": [AT_0_DB] * 11}
TASKS = [(0.5, "a"), (0.5, "b")]
DISTURBED = log2(1.5)


def noma(tmp_path, sic, paths=PATHS, **radio):
    """1 Mbit from each of two users, without a cap."""
    air = {"access": {"kind": "noma", "sic": sic}, "max_efficiency_bps_hz": None, "min_snr_db": -20.0, **radio}
    return tell(tmp_path, paths, TASKS, sites=sites(A=0), radio=air)


def test_without_sic_both_disturb_each_other(tmp_path):
    """Without SIC both users have the same low rate and end together."""
    story = noma(tmp_path, sic=False)
    for task in (0, 1):
        assert story.number(task, "uplinked_s") == pytest.approx(0.5 + 1.0 / DISTURBED)


def test_with_sic_the_second_is_clean(tmp_path):
    """With SIC one of them sends as if alone and ends first; the other then has the air for itself."""
    story = noma(tmp_path, sic=True)
    assert story.of("uplinked")[0] == "1.5 uplinked 1 A"
    left_bit = 1e6 * (1.0 - DISTURBED)
    assert story.number(0, "uplinked_s") == pytest.approx(1.5 + left_bit / 1e6)


def test_sic_decodes_the_stronger_first(tmp_path):
    """Of a 0 dB and a 6.02 dB user the stronger is disturbed by the weaker, which is clean.

    a at 50 m: 4 / (1 + 1), so log2(3) = 1.585; b at 100 m: log2(2) = 1
    """
    story = noma(tmp_path, sic=True, paths={"a": [(0.0, 50.0)] * 11, "b": [AT_0_DB] * 11})
    assert story.number(0, "uplinked_s") == pytest.approx(0.5 + 1.0 / log2(3.0))
    assert story.number(1, "uplinked_s") == pytest.approx(1.5)


def test_orthogonal_users_share_the_band(tmp_path):
    """OFDMA gives each of the same two users half the band at log2(1 + 1): both end after 2 s."""
    story = tell(tmp_path, PATHS, TASKS, radio={"max_efficiency_bps_hz": None, "min_snr_db": -20.0})
    assert story.of("uplinked") == ["2.5 uplinked 0 A", "2.5 uplinked 1 A"]
