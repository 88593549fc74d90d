"""Blocks come at their times whatever validators do: silent, slow and lying ones, partitions, joining and leaving.

Each message between two sites takes 0.2 s, the work of a block nothing: a height that begins at t is final at t + 0.6.
Heights begin at multiples of 2 s. A round without a proposal ends 1 s + 0.2 s + 0.2 s + 0.5 s after it began: time-out,
prevotes and precommits for nothing, time-out.
"""

from dataclasses import replace

import pytest
from secured import LEDGER, WIRE
from stories import NEAR_A, Told, merged, sites, tell

from cosim.trace.store.reader import Trace

NEAR = {"a": [NEAR_A] * 15}
FOUR = sites(A=0.0, B=1000.0, C=2000.0, D=3000.0)
QUICK = {"input_bit": 1e5, "output_bit": 1e5, "cycles": 1e8}
"""0.3 s in all."""


def ledger(**changes):
    """The usual ledger with changes."""
    return merged(LEDGER, changes)


def vote(folder, *arrivals, policy="A", duration_s=7.0, **changes):
    """A run with four validators, A to D, and a vehicle at A."""
    return tell(
        folder,
        NEAR,
        arrivals,
        policy,
        ledger=ledger(**changes),
        backhaul=WIRE,
        sites=FOUR,
        duration_s=duration_s,
        decisions={"knobs": ["target", "proposer"]},
    )


def fault(kind, validator, **more):
    """Section of a validator that misbehaves."""
    return {"faults": [{"kind": kind, "validator": validator, **more}]}


def stakes(story, height):
    """What StakeChanged says of a height, by validator."""
    return [fact.split(maxsplit=3)[3] for fact in story.of("StakeChanged") if fact.split()[2] == str(height)]


def test_blocks_hold_what_sites_did(tmp_path):
    """A task that ended is sealed half an interval before a block, proposed with it and final after three messages.

    A has served it and earns a credit; the height after is proposed by the next validator.
    """
    story = vote(tmp_path, (0.25, "a", QUICK))
    assert story.of("TaskEnded", "BatchSealed", "BlockProposed", "BatchCommitted", "BlockCommitted")[:6] == [
        "0.55 TaskEnded 0 COMPLETED through A",
        "1 BatchSealed A 0 with 1 records",
        "2 BlockProposed 1.0 A 1 batches",
        "2.6 BatchCommitted 1 A 0 with 1 records",
        "2.6 BlockCommitted 1.0 A 1 records",
        "4 BlockProposed 2.0 B 0 batches",
    ]
    assert sorted(story.of("VoteCast")[:8]) == [
        "2 VoteCast 1.0 A PREVOTE yes",
        "2.2 VoteCast 1.0 B PREVOTE yes",
        "2.2 VoteCast 1.0 C PREVOTE yes",
        "2.2 VoteCast 1.0 D PREVOTE yes",
        "2.4 VoteCast 1.0 A PRECOMMIT yes",
        "2.4 VoteCast 1.0 B PRECOMMIT yes",
        "2.4 VoteCast 1.0 C PRECOMMIT yes",
        "2.4 VoteCast 1.0 D PRECOMMIT yes",
    ]
    assert stakes(story, 2) == ["A 1001 earned 1", "B 1000", "C 1000", "D 1000"]


def test_a_full_block_does_not_wait(tmp_path):
    """A site that seals each record at the next tick: with the eighth batch, as many as 512 B hold, a height begins."""
    arrivals = [(0.25 + 0.5 * n, "a", QUICK) for n in range(8)]
    story = vote(tmp_path, *arrivals, block={"interval_s": 20.0, "batch_records": 1, "capacity_byte": 512})
    assert [fact.split()[0] for fact in story.of("BatchSealed")] == ["1", "2", "2", "3", "3", "4", "4", "5"]
    assert story.of("BlockProposed", "BlockCommitted") == [
        "5 BlockProposed 1.0 A 8 batches",
        "5.6 BlockCommitted 1.0 A 8 records",
    ]


def test_a_silent_proposer_costs_a_round(tmp_path):
    """Nobody hears A's proposal: after the time-outs B proposes in round 1, and the next height follows at once."""
    story = vote(tmp_path, **fault("silent", "A"))
    assert story.of("BlockProposed", "BlockCommitted") == [
        "3.9 BlockProposed 1.1 B 0 batches",
        "4.5 BlockCommitted 1.1 B 0 records",
        "4.5 BlockProposed 2.0 B 0 batches",
        "5.1 BlockCommitted 2.0 B 0 records",
        "6 BlockProposed 3.0 C 0 batches",
        "6.6 BlockCommitted 3.0 C 0 records",
    ]


def test_a_slow_proposer_costs_its_delay(tmp_path):
    """A says everything 0.3 s late: the others vote as soon as they hear its proposal, and do not need its votes."""
    story = vote(tmp_path, **fault("slow", "A", delay_s=0.3, end_s=3.0))
    assert story.of("BlockCommitted") == [
        "2.9 BlockCommitted 1.0 A 0 records",
        "4.6 BlockCommitted 2.0 B 0 records",
        "6.6 BlockCommitted 3.0 C 0 records",
    ]


def test_an_equivocating_proposer_is_slashed(tmp_path):
    """A proposes two blocks, the next block carries the evidence, and half of A's stake is burned.

    C hears at 2.4 votes for a block that it does not know and passes its own on; so do the others, and at 2.6 it has
    both. C asks at 2.7, 0.5 s after its prevote; B and D send it their quorum of prevotes, one of them A's, and it has
    A's other prevote: found as well, but for one height A is slashed once.
    """
    story = vote(tmp_path, **fault("equivocate", "A"))
    assert story.of("BlockProposed")[:2] == ["2 BlockProposed 1.0 A 0 batches"] * 2
    assert story.of("OffenceFound", "EvidenceCommitted") == [
        "2.6 OffenceFound 1.0 A TWO_PROPOSALS by C",
        "3.1 OffenceFound 1.0 A TWO_VOTES by C",
        "4.8 EvidenceCommitted 2 A TWO_PROPOSALS at 1.0",
        "6.6 EvidenceCommitted 3 A TWO_VOTES at 1.0",
    ]
    assert stakes(story, 2) == ["A 1000", "B 1000", "C 1000", "D 1000"]
    assert stakes(story, 3) == ["A 500 slashed 500", "B 1000", "C 1000", "D 1000"]
    assert stakes(story, 4) == ["A 500", "B 1000", "C 1000", "D 1000"]
    with Trace.open(story.run) as trace:
        blocks = trace.sql("SELECT burned FROM block_committed ORDER BY height")
    assert blocks.burned.tolist() == [0, 500, 500]


def test_a_double_voter_is_slashed(tmp_path):
    """D votes twice in height 1, and no more: found as both votes have arrived, slashed by the next block."""
    story = vote(tmp_path, **fault("double_vote", "D", end_s=3.0))
    assert story.of("OffenceFound") == ["2.4 OffenceFound 1.0 D TWO_VOTES by A"]
    assert story.of("EvidenceCommitted") == ["4.6 EvidenceCommitted 2 D TWO_VOTES at 1.0"]
    assert stakes(story, 3) == ["A 1000", "B 1000", "C 1000", "D 500 slashed 500"]


def test_an_invalid_proposal_pays_the_others(tmp_path):
    """A's block does not check: all vote for none, B's block of the next round carries the evidence, and A pays.

    Its penalty of 50, times its quarter of the stake, is 12 credits: 4 to each of the others. 3.1 = 2 + 0.2 for the
    proposal, 0.2 for each vote, and the time-out of 0.5.
    """
    story = vote(tmp_path, **fault("invalid", "A", end_s=3.0), credits={"penalty": 50})
    assert story.of("OffenceFound", "EvidenceCommitted", "BlockCommitted")[:3] == [
        "2.2 OffenceFound 1.0 A INVALID_PROPOSAL by B",
        "3.7 EvidenceCommitted 1 A INVALID_PROPOSAL at 1.0",
        "3.7 BlockCommitted 1.1 B 0 records",
    ]
    assert story.of("BlockProposed")[1] == "3.1 BlockProposed 1.1 B 0 batches"
    assert stakes(story, 2) == ["A 988 settled -12", "B 1004 settled 4", "C 1004 settled 4", "D 1004 settled 4"]


def test_a_proposer_is_paid_and_pays_the_voters(tmp_path):
    """Its reward of 400 from the treasury, times its quarter of the stake, less a fee of 12 that the voters share.

    It is paid with the next block, which names the voters of this one.
    """
    story = vote(tmp_path, credits={"producer": 400, "voters": 48})
    assert stakes(story, 2) == ["A 1000", "B 1000", "C 1000", "D 1000"]
    assert stakes(story, 3)[0] == "A 1088 settled 88"
    with Trace.open(story.run) as trace:
        block = trace.sql("SELECT voters, treasury FROM block_committed WHERE height = 2")
    assert block.treasury[0] == 100_000 - 100
    voters = {int(number) for number in block.voters[0].split()}
    assert len(voters) >= 3
    assert sum(int(fact.split()[1]) for fact in stakes(story, 3)) == 4100


def test_a_partition_without_a_quorum_stops_blocks(tmp_path):
    """Two against two: nothing is final until the partition heals, then the next round decides.

    At 5.7 all that was held back is there: two prevotes for A's block and two for none. Time-out at 6.2, precommits for
    nothing are there at 6.4, time-out at 6.9, and B's proposal is final at 7.5.
    """
    story = vote(tmp_path, partitions=[{"start_s": 1.0, "end_s": 5.5, "side": ["A", "B"]}], duration_s=9.0)
    assert story.of("ValidatorsParted", "BlockProposed", "BlockCommitted") == [
        "1 ValidatorsParted begins A B | C D",
        "2 BlockProposed 1.0 A 0 batches",
        "5.5 ValidatorsParted heals A B | C D",
        "6.9 BlockProposed 1.1 B 0 batches",
        "7.5 BlockCommitted 1.1 B 0 records",
        "8 BlockProposed 2.0 B 0 batches",
        "8.6 BlockCommitted 2.0 B 0 records",
    ]


def test_a_partition_with_a_quorum_goes_on(tmp_path):
    """Three without the fourth go on; as the partition heals it hears all that it missed and votes with them again."""
    story = vote(tmp_path, partitions=[{"start_s": 1.0, "end_s": 5.5, "side": ["D"]}])
    assert story.of("BlockCommitted") == [
        "2.6 BlockCommitted 1.0 A 0 records",
        "4.6 BlockCommitted 2.0 B 0 records",
        "6.6 BlockCommitted 3.0 C 0 records",
    ]
    votes = [fact for fact in story.of("VoteCast") if " D " in fact]
    assert votes[0] == "3 VoteCast 1.0 D PREVOTE no"
    assert [fact for fact in votes if "3" < fact < "5.7"] == [
        f"{when} VoteCast 1.0 D PREVOTE no" for when in ("3", "3.5", "4", "4.5", "5", "5.5")
    ]
    assert votes[-2:] == ["6.2 VoteCast 3.0 D PREVOTE yes", "6.4 VoteCast 3.0 D PRECOMMIT yes"]


def test_validators_join_and_leave_at_heights(tmp_path):
    """D votes and proposes from height 3 on, with credits made for it; A's are burned as it leaves at height 4."""
    moves = [{"height": 3, "validator": "D", "action": "join"}, {"height": 4, "validator": "A", "action": "leave"}]
    story = vote(tmp_path, validators=["A", "B", "C"], membership=moves, duration_s=11.0)
    assert stakes(story, 2)[3] == "D 0"
    assert stakes(story, 3)[3] == "D 1000 joined 1000"
    assert stakes(story, 4)[0] == "A 0 joined -1000"
    assert [fact.split()[3] for fact in story.of("BlockCommitted")] == ["A", "B", "C", "D", "B"]
    heights = {name: {fact.split()[2] for fact in story.of("VoteCast") if f" {name} " in fact} for name in "AD"}
    assert heights == {"A": {"1.0", "2.0", "3.0"}, "D": {"3.0", "4.0", "5.0"}}


@pytest.mark.parametrize(("rule", "on"), [("max_stake", False), ("weighted_round_robin", True), ("sortition", True)])
def test_the_richest_is_silent(tmp_path, rule, on):
    """By the paper's rule the richest proposes in every round: silent, it stops the chain; others go on."""
    story = vote(tmp_path, proposer=rule, duration_s=13.0, **fault("silent", "A"))
    assert bool(story.of("BlockCommitted")) == on
    assert not any(" A " in fact for fact in story.of("BlockProposed"))


class Asks(Told):
    """Asks at each decision for the proposer of the next height."""

    def __init__(self, site):
        super().__init__("A")
        self._site = site

    def decide(self, observation):
        """As told, with the wish."""
        assert observation.stake.tolist() == [1000] * 4 or observation.time_s > 2.6
        return replace(super().decide(observation), proposer=self._site)


def test_a_policy_asks_for_a_proposer(tmp_path):
    """The site that the policy names proposes the next height to begin, and only that one."""
    story = vote(tmp_path, (0.25, "a", QUICK), policy=Asks(3))
    assert story.of("BlockProposed") == [
        "2 BlockProposed 1.0 D 1 batches",
        "4 BlockProposed 2.0 B 0 batches",
        "6 BlockProposed 3.0 C 0 batches",
    ]


def test_a_proposer_that_was_asked_for_is_silent(tmp_path):
    """If the site that was asked for says nothing, the one that is elected takes over at the time-out."""
    story = vote(tmp_path, (0.25, "a", QUICK), policy=Asks(3), **fault("silent", "D"))
    assert story.of("BlockProposed", "BlockCommitted")[:2] == [
        "3.9 BlockProposed 1.1 A 1 batches",
        "4.5 BlockCommitted 1.1 A 1 records",
    ]


def test_a_wish_that_is_not_handed_over(tmp_path):
    """Without the knob nobody hears whom the policy asks for, and a note says so."""
    policy = Asks(3)
    story = tell(
        tmp_path, NEAR, [(0.25, "a", QUICK)], policy, ledger=ledger(), backhaul=WIRE, sites=FOUR, duration_s=3.0
    )
    assert story.of("BlockProposed") == ["2 BlockProposed 1.0 A 1 batches"]
    assert [note for note in policy.simulation.notes() if "interference" not in note] == [
        "the policy turned proposer, which decisions.knobs does not hand over; add proposer to it"
    ]
