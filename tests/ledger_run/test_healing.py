"""Partitions that heal, validators that start late, join, leave or lie, in whole networks."""

from network import Network, Partition
from schedules import TIMEOUTS, faulty_one, in_turn, rules

from cosim.ledger.messages import Proposal, Vote
from cosim.ledger.tendermint import Validator

JITTER_S = 0.02


def network(credits_of, faults=None, partitions=(), start_s=None) -> Network:
    """Validators with the given credits per height; faults by number."""
    proposer = in_turn(credits_of)
    machines = [Validator(number, rules(number, proposer), TIMEOUTS[JITTER_S]) for number in range(len(credits_of[0]))]
    faults = faults or {}
    everybody = [
        faulty_one(faults[each.number], each, tuple(faults)) if each.number in faults else each for each in machines
    ]
    watched = [each.number for each in machines if each.number not in faults]
    slow_s = {number: 0.1 for number, kind in faults.items() if kind == "slow"}
    return Network(everybody, credits_of, watched, JITTER_S, 1, partitions, start_s, slow_s)


def test_minority_catches_up_after_healing():
    """A quorum goes on during a partition, a half without one does not, and healing brings all to the end."""
    many = network(((1,) * 4,) * 10, partitions=[Partition(0.0, 30.0, (3,))])
    assert not many.run(29.0)
    assert [len(decided) for decided in many.decisions] == [10, 10, 10, 0]
    assert many.run(60.0)
    halves = network(((1,) * 4,) * 10, partitions=[Partition(0.0, 30.0, (2, 3))])
    assert not halves.run(29.9)
    assert [len(decided) for decided in halves.decisions] == [0, 0, 0, 0]
    assert halves.run(90.0)
    assert many.conflicts() == halves.conflicts() == 0


def test_late_starter_comes_up():
    """One that starts when all heights are decided asks its way to the last one."""
    late = network(((1,) * 4,) * 10, start_s=(0.0, 0.0, 0.0, 30.0))
    assert late.run(60.0)
    assert len(late.decisions[3]) == 10
    assert late.conflicts() == 0


def test_members_change_between_heights():
    """Validators that leave follow, those that join vote and propose from their first height on."""
    old, new = (5, 5, 5, 5, 0, 0, 0), (0, 0, 0, 5, 5, 5, 5)
    changing = network((old, old, new, new, new, new, old))
    assert changing.run(60.0)
    assert changing.conflicts() == 0
    proposers = [int(changing.participants[0].decided[height].value.split(b"/")[2]) for height in range(7)]
    assert all((old if height in (0, 1, 6) else new)[proposer] for height, proposer in enumerate(proposers))


def test_equivocating_proposer_is_caught_by_both_kinds_of_evidence():
    """One that shows two proposals is accused of them although no honest validator was shown both."""
    lying = network(((3, 3, 3, 1, 3, 3, 3),) * 8, faults={3: "equivocates"})
    assert lying.run(60.0)
    assert lying.accused() == [3]
    assert any(isinstance(evidence.first, Proposal) for _, evidence in lying.accusations)


def test_double_voter_is_caught():
    """One that votes twice is accused of votes by every honest validator."""
    lying = network(((3, 3, 3, 3),) * 2, faults={2: "votes_twice"})
    assert lying.run(60.0)
    assert {accuser for accuser, _ in lying.accusations} == {0, 1, 3}
    assert all(isinstance(evidence.first, Vote) for _, evidence in lying.accusations)
    assert lying.accused() == [2]


def test_invalid_proposals_only_cost_rounds():
    """No invalid value is decided, and its proposer's turns go to the next round."""
    spoiling = network(((3, 3, 3, 3),) * 8, faults={2: "invalid"})
    assert spoiling.run(60.0)
    assert max(spoiling.rounds[0].values()) > 0
    values = [spoiling.participants[0].decided[height].value for height in range(8)]
    assert not any(value.startswith(b"bad/") for value in values)


def test_silent_and_slow_are_waited_for_no_longer_than_the_time_outs():
    """With one silent or slow of four, all heights are decided and nobody is accused."""
    for kind in ("silent", "slow"):
        held_up = network(((3, 3, 3, 3),) * 8, faults={2: kind})
        assert held_up.run(60.0)
        assert held_up.accused() == []
