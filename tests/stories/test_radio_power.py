"""A vehicle's radio has one power, whatever it sends at once.

The usual task sends 1 Mbit with 1 W in 1 s where the cell is its own; at 0 dB two powers of a half are felt.
"""

from math import log2

import pytest
from crafted import CraftedRun
from physics import seen
from stories import FAR, NEAR_A, Told, sites, tell

from cosim.audit.verify import verify
from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.reader import Trace

PATH = {"a": [NEAR_A] * 31, "b": [NEAR_A] * 31}
TWO = [(0.5, "a"), (0.5, "a")]
EDGE = {"a": [(0.0, 100.0)] * 31, "b": [(0.0, 110.0)] * 31}
"""At 0 dB from A."""
OPEN = {"max_efficiency_bps_hz": None, "min_snr_db": -20.0}
SIDELINK = {"range_m": 80.0, "bandwidth_hz": 1e6, "path_loss": {"kind": "power_law", "gain_at_1m_db": 0.0}}


def energy_j(story, *tasks):
    """Of the radios for some tasks."""
    return sum(story.number(task, "transmit_j") for task in tasks)


@pytest.mark.parametrize(("power", "both_j"), [("per_radio", 2.0), ("per_transfer", 4.0)])
def test_two_uploads_in_one_ofdma_cell(tmp_path, power, both_j):
    """They share the band for 2 s and end at once; 1 W for 2 s is all that the radio draws, unless each has its own."""
    story = tell(tmp_path, PATH, TWO, radio={"power": power})
    assert [story.number(task, "uplinked_s") for task in (0, 1)] == pytest.approx([2.5, 2.5])
    assert energy_j(story, 0, 1) == pytest.approx(both_j)


def test_two_uploads_in_slices(tmp_path):
    """Slices are not heard less, and are paid half each."""
    access = {"kind": "fixed", "slice_share": 0.5}
    story = tell(tmp_path, PATH, TWO, radio={"access": access})
    assert [story.number(task, "uplinked_s") for task in (0, 1)] == pytest.approx([2.5, 2.5])
    assert energy_j(story, 0, 1) == pytest.approx(2.0)


def test_two_uploads_in_one_noma_cell(tmp_path):
    """Each has half of the power over the whole band: with SIC log2(1 + 1/2 / (1 + 1/2)) and log2(1 + 1/2) Mbit/s."""
    radio = {**OPEN, "access": {"kind": "noma"}}
    story = tell(tmp_path, EDGE, TWO, radio=radio)
    fast, slow = log2(1.5), log2(1 + 0.5 / 1.5)
    first_s = 1.0 / fast
    last_s = first_s + (1.0 - slow * first_s)  # then alone with 1 W, at 1 Mbit/s
    assert sorted(story.number(task, "uplinked_s") - 0.5 for task in (0, 1)) == pytest.approx([first_s, last_s])
    assert energy_j(story, 0, 1) == pytest.approx(last_s)


@pytest.mark.parametrize("access", ["ofdma", "noma"])
@pytest.mark.parametrize("second_s", [0.9, 1.0, 1.3])
def test_an_upload_that_was_alone_shares_it_from_then_on(tmp_path, access, second_s):
    """1 Mbit alone, then beside another: together 1 Mbit/s at 0 dB, whichever access, so 2 s and 2 J in all."""
    radio = {**OPEN, "access": {"kind": access}}
    story = tell(tmp_path, EDGE, [(0.5, "a"), (second_s, "a")], radio=radio)
    assert max(story.number(task, "uplinked_s") for task in (0, 1)) == pytest.approx(2.5)
    assert energy_j(story, 0, 1) == pytest.approx(2.0)


def test_an_upload_that_was_alone_beside_a_transfer_to_a_neighbour(tmp_path):
    """0.4 s alone with the whole power, half of it while the neighbour is sent to, then the whole for the rest."""
    paths = {"a": [(0.0, 100.0)] * 31, "b": [(0.0, 150.0)] * 31}
    tasks = [(0.5, "a"), (0.9, "a")]
    story = tell(tmp_path, paths, tasks, Told(["A", "b"]), radio={**OPEN, "sidelink": SIDELINK})
    side_s = 1.0 / log2(1 + 4.0 / 2.0)
    rest_s = 0.6 - side_s * log2(1.5)
    assert story.number(1, "uplinked_s") == pytest.approx(0.9 + side_s)
    assert story.number(0, "uplinked_s") == pytest.approx(0.9 + side_s + rest_s)
    assert story.number(0, "transmit_j") == pytest.approx(0.4 + 0.5 * side_s + rest_s)


def test_cells_and_sidelink_share_it(tmp_path):
    """An upload and a transfer to a neighbour halve each other's power; the rest has all of it from that instant on.

    The upload is at 0 dB: log2(1 + 1/2) Mbit/s beside the other. The neighbour is heard 6 dB above the noise,
    and is sent 1 Mbit at log2(1 + 4/2).
    """
    paths = {"a": [(0.0, 100.0)] * 31, "b": [(0.0, 150.0)] * 31}
    story = tell(tmp_path, paths, TWO, Told(["A", "b"]), radio={**OPEN, "sidelink": SIDELINK})
    side_s = 1.0 / log2(1 + 4.0 / 2.0)
    up_s = side_s + (1.0 - side_s * log2(1.5))
    assert story.number(1, "uplinked_s") - 0.5 == pytest.approx(side_s)
    assert story.number(0, "uplinked_s") - 0.5 == pytest.approx(up_s)
    assert story.number(0, "transmit_j") == pytest.approx(0.5 * side_s + (up_s - side_s))
    ours = [story.number(1, "uplinked_s"), story.number(0, "uplinked_s"), story.number(0, "transmit_j")]
    seen(ours, [0.5 + side_s, 0.5 + up_s, 0.5 * side_s + (up_s - side_s)])


def test_uploads_to_two_sites_share_it(tmp_path):
    """Straight to two sites at once: half of the power goes to each, and the last has all of it when the other ends."""
    paths = {"a": [(0.0, 100.0)] * 31}
    story = tell(
        tmp_path, paths, [(0.5, "a", {"input_bit": 2e6}), (0.5, "a")], Told(["A", "B"]),
        sites=sites(A=0, B=100), radio={**OPEN, "association": "target"},
    )  # fmt: skip
    second_s = 1.0 / log2(1 + 0.5 / 2.0)  # B is 3 dB weaker
    first_s = second_s + (2.0 - second_s * log2(1.5))
    assert story.number(1, "uplinked_s") - 0.5 == pytest.approx(second_s)
    assert story.number(0, "uplinked_s") - 0.5 == pytest.approx(first_s)
    assert energy_j(story, 0, 1) == pytest.approx(first_s)


@pytest.mark.parametrize("power_w", [[1.5, 0.5], [0.5, 0.2], [2.0, 2.0]])
def test_the_largest_chosen_power_is_the_radios(tmp_path, power_w):
    """P is the larger of the usual power and the largest chosen; powers that add up to less are left alone."""
    story = tell(
        tmp_path, PATH, TWO, Told("A", power_w=power_w),
        radio={"max_vehicle_power_w": 2.0}, decisions={"knobs": ["target", "power"]},
    )  # fmt: skip
    spent_w = min(sum(power_w), max(1.0, *power_w))
    assert energy_j(story, 0, 1) == pytest.approx(2.0 * spent_w)


def test_two_vehicles_have_a_radio_each(tmp_path):
    """Uploads of two vehicles at once cost each the whole power."""
    story = tell(tmp_path, PATH, [(0.5, "a"), (0.5, "b")])
    assert energy_j(story, 0) == energy_j(story, 1) == pytest.approx(2.0)


def test_what_waits_for_coverage_takes_no_power(tmp_path):
    """While neither is in a cell nothing is drawn; back in one, both share it again."""
    paths = {"a": [NEAR_A, NEAR_A, FAR, NEAR_A, NEAR_A, *[NEAR_A] * 30]}
    story = tell(tmp_path, paths, TWO, radio={"outage_s": 3.0})
    assert story.number(0, "uplinked_s") == pytest.approx(3.5)
    assert energy_j(story, 0, 1) == pytest.approx(2.0)


def test_the_audit_sees_a_radio_that_draws_too_much(tmp_path):
    """Twice the energy of two uploads at once breaks the law, one joule more than the power allows; half is sound."""
    story = tell(tmp_path, PATH, TWO)
    for factor, broken in ((0.5, False), (1.0, False), (1.01, True), (2.0, True)):
        with Trace.open(story.run) as trace:
            crafted = CraftedRun(tmp_path / str(factor))

            def dearer(fact, rows, factor=factor):
                if fact is TaskEnded:
                    rows["transmit_j"] *= factor

            crafted.copy(trace, dearer)
            crafted.close(trace.scenario, trace.scenario.duration_s)
        found = [one.why for one in verify(tmp_path / str(factor)).findings]
        assert [why.startswith("vehicle 0 sent from t=0.5 to 2.5 s with") for why in found] == [True] * broken


def test_the_audit_spares_radios_of_per_transfer(tmp_path):
    """S1's eq 15 counts each transfer with the whole power, and the audit knows that."""
    story = tell(tmp_path, PATH, TWO, radio={"power": "per_transfer"})
    assert energy_j(story, 0, 1) == pytest.approx(4.0)


def test_a_transfer_that_is_alone_after_a_handover_has_it_all(tmp_path):
    """Two uploads halve it in NOMA; one is dropped while both change cells, and the other goes on with all of it.

    At 0 dB from either site: log2(1 + (1/2) / (1 + 1/2)) Mbit/s from 0.5 to 2, nothing to 2.5, then 1 Mbit/s.
    """
    path = {"a": [(0.0, 100.0)] * 2 + [(1e3, 100.0)] * 29}
    tasks = [(0.5, "a", {"input_bit": 2e6, "deadline_s": deadline_s}) for deadline_s in (1.75, 30.0)]
    access = {"kind": "noma", "sic": False}
    story = tell(
        tmp_path, path, tasks, "B", sites=sites(A=0, B=1e3), tasks={"on_deadline": "drop"},
        radio={**OPEN, "access": access, "handover": {"interruption_s": 0.5}},
    )  # fmt: skip
    left_mbit = 2.0 - 1.5 * log2(1 + 0.5 / 1.5)
    assert story.number(1, "uplinked_s") == pytest.approx(2.5 + left_mbit, abs=0.01)
