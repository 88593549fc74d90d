"""The audit of keys: a sound run passes, and each broken law is found."""

from pathlib import Path
from typing import Any

import pytest
from substrate import NAN, Broken, change, facts, named, not_named, side_by_side, without, write

from cosim.audit.verify import verify
from cosim.trace.facts.keys import (
    KeyBlockDistilled,
    KeyLinkChanged,
    KeyLinkDeployed,
    KeyPoolSampled,
    TaskKeyed,
    VehicleKeysFilled,
    VehicleKeysSampled,
)
from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.layout import kind_name
from cosim.types import KeyState, Phase, Status

pytestmark = pytest.mark.usefixtures("unhashed")

BROKEN: list[Broken] = [
    (KeyPoolSampled, 5, {"lost_bit": 501}, "its generated_bit is not used_bit + lost_bit + stored_bit"),
    (KeyPoolSampled, 5, {"generated_bit": 3600, "stored_bit": 1988}, "initial_bit and the bits of its link's blocks"),
    (KeyPoolSampled, 9, {"used_bit": 10, "stored_bit": 4990}, "a running total is smaller than before"),
    (KeyPoolSampled, -1, {"used_bit": 1745, "stored_bit": 8755}, "is not what tasks and vehicles were given"),
    (KeyPoolSampled, 3, {"link": 7}, "its link is no deployed link"),
    (KeyLinkDeployed, 0, {"capacity_bit": 2000}, "its pool holds more than its capacity"),
    (KeyLinkDeployed, 0, {"to_node": 0}, "it joins a node with itself"),
    (KeyLinkDeployed, 0, {"to_node": 9}, "its to_node is no node"),
    (KeyBlockDistilled, 2, {"stored_bit": 501}, "it stored more bits than it has"),
    (KeyBlockDistilled, 2, {"bit": 499, "stored_bit": 499}, "initial_bit and the bits of its link's blocks"),
    (KeyBlockDistilled, 2, {"qber": 1.5}, "its qber is no error rate"),
    (KeyLinkChanged, 0, {"state": 3}, "its state is unknown"),
    (VehicleKeysFilled, 0, {"bit": 601}, "its filled_bit is not the sum of the fillings so far"),
    (VehicleKeysFilled, 0, {"hops": 2}, "is not what tasks and vehicles were given"),
    (VehicleKeysFilled, 0, {"node": 2}, "its node is no deployed node"),
    (VehicleKeysSampled, 4, {"lost_bit": 1}, "its filled_bit is not used_bit + lost_bit + stored_bit"),
    (VehicleKeysSampled, -1, {"used_bit": 577, "stored_bit": 623}, "the last used_bit is not what tasks drew"),
    (TaskKeyed, 0, {"up_bit": 255}, "the last used_bit is not what tasks drew"),
    (TaskKeyed, 0, {"up_asked_s": 1.9}, "its decided_s is after its up_asked_s"),
    (TaskKeyed, 0, {"up_keyed_s": 1.9}, "its up_asked_s is after its up_keyed_s"),
    (TaskKeyed, 0, {"up_keyed_s": 3.1}, "its up_keyed_s is after its uplink_s"),
    (TaskKeyed, 0, {"down_asked_s": 3.9}, "its executed_s is after its down_asked_s"),
    (TaskKeyed, 0, {"down_keyed_s": 4.6}, "its down_keyed_s is after its downlink_s"),
    (TaskKeyed, 0, {"up_asked_s": NAN}, "it has up_keyed_s without up_asked_s"),
    (TaskKeyed, 1, {"up_hops": 1}, "it has up_bit or up_hops without up_keyed_s"),
    (TaskKeyed, 2, {"down_asked_s": 9.0}, "it asks for a key without executed_s"),
    (TaskKeyed, 0, {"vehicle": 1}, "its vehicle or end is not that of its task"),
    (TaskKeyed, 0, {"task": 77}, "its task has not ended"),
    (TaskKeyed, 0, {"task": 1}, "its task has such a row already"),
    (TaskKeyed, 0, {"state": KeyState.REFUSED}, "it is REFUSED and did not end in phase KEY"),
    (TaskKeyed, 0, {"state": KeyState.DOWNGRADED}, "it is DOWNGRADED and no transfer went without a key"),
    (TaskKeyed, 1, {"state": KeyState.DRAWN}, "it is DRAWN and a transfer went without a key"),
    (TaskKeyed, 2, {"state": KeyState.DRAWN}, "it ended waiting for a key and is not REFUSED"),
    (TaskKeyed, 2, {"up_asked_s": NAN}, "it has NO_KEY without waiting for a key"),
    (TaskEnded, 2, {"phase": Phase.DECISION}, "it has NO_KEY outside of phase KEY"),
    (TaskEnded, 5, {"phase": Phase.KEY, "status": Status.NO_KEY}, "it has NO_KEY and was not refused a key"),
]


def test_a_sound_run_with_keys_and_a_ledger_passes(tmp_path: Path) -> None:
    """A run whose bits, credits, blocks and hosts add up has no findings, with the ledger's work in its hosts."""
    report = verify(write(tmp_path / "run", facts()))
    assert report.ok, report.lines


@pytest.mark.parametrize("broken", side_by_side(BROKEN))
def test_broken_laws_of_the_keys_are_found_side_by_side(tmp_path: Path, broken: list[Broken]) -> None:
    """Of several rows that each contradict another each is named; the long run breaks one law at a time."""
    assert not_named(tmp_path / "run", broken) == []


@pytest.mark.long
@pytest.mark.parametrize(("kind", "number", "columns", "why"), BROKEN)
def test_a_broken_law_of_the_keys_is_found(
    tmp_path: Path, kind: type, number: int, columns: dict[str, Any], why: str
) -> None:
    """A row of the keys that contradicts another is named with the reason."""
    assert named(write(tmp_path / "run", change(facts(), kind, number, **columns)), why)


def test_a_refusal_without_its_row_is_found(tmp_path: Path) -> None:
    """A task that ended for want of a key and has no row of its keys is named."""
    report = verify(write(tmp_path / "run", without(facts(), TaskKeyed, 2)))
    assert [finding.kind for finding in report.findings] == [kind_name(TaskEnded)]
