"""A vehicle goes from one cell to the next while it sends.

A (0)                     B (150)
|---- heard to 100 ----|
      |---- heard from 50 ----|
car:  40 at ticks 0 and 1, then 110
"""

from collections.abc import Sequence
from typing import Any

import pytest
from physics import seen
from stories import sites, tell

from cosim.radio.cell import OrthogonalCell
from cosim.radio.channel import Channel

CROSSING = [(40.0, 0.0)] * 2 + [(110.0, 0.0)] * 9
TASK = [(0.5, "a", {"input_bit": 4e6})]


def test_uplink_goes_on_in_the_new_cell(tmp_path):
    """A handover stops the uplink for exactly the interruption time, and nothing is sent twice.

    0.5 to 2 in A: 1.5 of 4 Mbit; nothing to 2.25; 2.5 Mbit in B to 4.75.
    """
    story = tell(
        tmp_path, {"a": CROSSING}, TASK, "B", sites=sites(A=0, B=150), radio={"handover": {"interruption_s": 0.25}}
    )
    assert story.facts == [
        "0 VehicleEntered a",
        "0 CellChanged a -->A",
        "0.5 TaskReleased 0 a",
        "0.5 TaskDecided 0 EDGE B",
        "0.5 uplink 0",
        "2 CellChanged a A->B",
        "2 TransferMoved 0 UPLINK A->B 2500000 bit left",
        "4.75 uplinked 0 B",
        "4.75 queued 0",
        "4.75 started 0",
        "5.75 executed 0",
        "5.75 downlink 0",
        "6.25 TaskEnded 0 COMPLETED through B",
    ]
    assert story.number(0, "handovers") == 1
    assert story.number(0, "transmit_j") == pytest.approx(4.0)  # 4 s on the air at 1 W, not 4.25
    seen([story.number(0, name) for name in ("uplinked_s", "time_s", "transmit_j")], [4.75, 6.25, 4.0])


def test_uplink_starts_again_in_the_new_cell(tmp_path):
    """With `restart` the whole input is sent over the new cell, and both attempts are paid."""
    handover = {"interruption_s": 0.25, "transfer": "restart"}
    story = tell(tmp_path, {"a": CROSSING}, TASK, "B", sites=sites(A=0, B=150), radio={"handover": handover})
    assert story.about(0)[:3] == [
        "0.5 uplink 0",
        "2 TransferMoved 0 UPLINK A->B 4000000 bit left",
        "6.25 uplinked 0 B",
    ]
    assert story.number(0, "transmit_j") == pytest.approx(5.5)


@pytest.mark.parametrize(("hysteresis_db", "changes"), [(3.0, []), (1.0, ["2 CellChanged a A->B"])])
def test_hysteresis_keeps_the_old_cell(tmp_path, hysteresis_db, changes):
    """At 80 m from A and 70 m from B the new cell is 1.16 dB stronger: it is taken below that hysteresis only."""
    path = [(40.0, 0.0)] * 2 + [(80.0, 0.0)] * 9
    handover = {"hysteresis_db": hysteresis_db}
    story = tell(tmp_path, {"a": path}, TASK, sites=sites(A=0, B=150), radio={"handover": handover})
    assert story.of("CellChanged")[1:] == changes


def test_hysteresis_does_not_keep_a_cell_that_is_not_heard(tmp_path):
    """However large the hysteresis, a cell that has fallen silent is left."""
    handover = {"hysteresis_db": 60.0}
    story = tell(tmp_path, {"a": CROSSING}, TASK, "B", sites=sites(A=0, B=150), radio={"handover": handover})
    assert story.of("CellChanged")[1:] == ["2 CellChanged a A->B"]


def test_a_second_handover_within_the_interruption(tmp_path):
    """Back and forth within one interruption: it starts anew at each handover and the transfer is never lost.

    0.5 to 2 in A: 1.5 of 4 Mbit; the interruptions from 2 and from 3 end at 4.5; 2.5 Mbit in A to 7.
    """
    there_and_back = [(40.0, 0.0)] * 2 + [(110.0, 0.0)] + [(40.0, 0.0)] * 8
    handover = {"interruption_s": 1.5}
    story = tell(tmp_path, {"a": there_and_back}, TASK, sites=sites(A=0, B=150), radio={"handover": handover})
    assert story.about(0)[:4] == [
        "0.5 uplink 0",
        "2 TransferMoved 0 UPLINK A->B 2500000 bit left",
        "3 TransferMoved 0 UPLINK B->A 2500000 bit left",
        "7 uplinked 0 A",
    ]
    assert story.number(0, "handovers") == 2


def test_a_newcomer_shares_the_new_cell(tmp_path):
    """A transfer that arrives by handover shares the band of the cell with those who are there already.

    a sends 1.5 of 4 Mbit in A to 2; b sends 1.5 of 2 Mbit in B to 2; then both at half the rate: b ends at 3, a has
    2 Mbit left and ends at 5.
    """
    paths = {"a": CROSSING, "b": [(150.0, 10.0)] * 11}
    arrivals = [(0.5, "a", {"input_bit": 4e6}), (0.5, "b", {"input_bit": 2e6})]
    story = tell(tmp_path, paths, arrivals, "B", sites=sites(A=0, B=150))
    assert story.of("uplinked") == ["3 uplinked 1 B", "5 uplinked 0 B"]


@pytest.mark.parametrize("transfer", ["continue", "restart"])
@pytest.mark.parametrize("interruption_s", [0.0, 0.25, 1.5])
@pytest.mark.parametrize("power", ["per_radio", "per_transfer"])
def test_transfers_change_their_cells_together_as_one_by_one(tmp_path, monkeypatch, transfer, interruption_s, power):
    """Vehicles with several transfers each, from A to B, back and out of coverage: the same facts in either way."""
    paths = {
        "a": [(40.0, 0.0)] * 2 + [(110.0, 0.0)] * 3 + [(40.0, 0.0)] * 8,
        "b": [(45.0, 0.0)] * 2 + [(110.0, 0.0)] * 2 + [(400.0, 0.0)] * 2 + [(110.0, 0.0)] * 7,
        "c": [(110.0, 0.0)] * 3 + [(40.0, 0.0)] * 10,
    }
    tasks = [(0.125 * number, "abc"[number % 3], {"input_bit": 1e5 * (1 + number)}) for number in range(1, 16)]
    radio = {
        "handover": {"interruption_s": interruption_s, "transfer": transfer}, "power": power, "interference": True,
        "outage_s": 5.0,
    }  # fmt: skip

    def facts(name: str) -> list[str]:
        (tmp_path / name).mkdir()
        return sorted(tell(tmp_path / name, paths, tasks, "B", sites=sites(A=0, B=150), radio=radio).facts)

    together = facts("together")
    assert len([fact for fact in together if "TransferMoved" in fact]) > 20
    move, withdraw_all, start_all = Channel._move, OrthogonalCell.withdraw_all, OrthogonalCell.start_all

    def each(whole: Any) -> Any:
        def one_by_one(self: object, items: Sequence[object]) -> None:
            for item in items:
                whole(self, (item,))

        return one_by_one

    monkeypatch.setattr(Channel, "_move", each(move))
    monkeypatch.setattr(OrthogonalCell, "withdraw_all", each(withdraw_all))
    monkeypatch.setattr(OrthogonalCell, "start_all", each(start_all))
    assert facts("one") == together
