"""Along trees the vote meets the same silence, loss, stops and partitions as directly, and goes on at the same times.

As in `test_ledger`: a message takes 0.2 s and no time for its bits, so that both ways arrive at the same instants.
"""

import pytest
from effort import rest_long
from stories import NEAR_A, Story, tell
from test_ledger import FOUR, fault, ledger, vote
from test_vote_goes_on import disturbed

VOTE = ("BlockProposed", "BlockCommitted", "BatchCommitted", "EvidenceCommitted", "StakeChanged")


def told(story: Story, *kinds: str) -> list[str]:
    """What is said of blocks, stakes and these kinds, in order of time and text."""
    return [fact for _, fact in sorted((float(fact.split()[0]), fact) for fact in story.of(*VOTE, *kinds))]


def vote_over(folder, backhaul, duration_s, **changes) -> Story:
    """The usual vote over other wires."""
    folder.mkdir(exist_ok=True)
    return tell(
        folder,
        {"a": [NEAR_A] * 15},
        (),
        "A",
        ledger=ledger(**changes),
        backhaul=backhaul,
        sites=FOUR,
        duration_s=duration_s,
        decisions={"knobs": ["target", "proposer"]},
    )


@pytest.mark.parametrize("seed", rest_long(range(30), 1))
def test_disturbances_are_the_same(tmp_path, seed: int):
    """Drawn faults and partitions give the same proposals, votes and blocks at the same times, either way.

    A message takes 0.1946 s, so that none arrives at the instant of a time-out. Which copies are lost is drawn in the
    order in which they leave, which is any at one instant: without loss here. What a partition has held back arrives
    at one instant in any order, and whoever was behind may vote in one round more: votes are compared without one.
    """
    plan, settled_s = disturbed(seed)
    plan.pop("loss", None)
    star = {"kind": "star", "bandwidth_bps": 1e15, "latency_s": 0.0973}
    direct, tree = (
        vote_over(tmp_path / way, star, settled_s + 4.0, dissemination=way, **plan) for way in ("direct", "tree")
    )
    kinds = () if "partitions" in plan else ("VoteCast",)
    assert told(direct, *kinds)
    assert told(tree, *kinds) == told(direct, *kinds)


@pytest.mark.parametrize("way", ["direct", "tree"])
def test_everything_lost_is_said_again_either_way(tmp_path, way: str):
    """Nothing of what leaves in [2.0, 2.5) arrives: A's block is said again at 2.5, and final 0.6 s later."""
    story = vote(tmp_path, duration_s=4.0, loss=1.0, loss_start_s=2.0, loss_end_s=2.5, dissemination=way)
    assert story.of("BlockCommitted")[0] == "3.1 BlockCommitted 1.0 A 0 records"


def test_a_partition_is_healed_for_all_at_once(tmp_path):
    """A's block of 2.0 reaches B at 2.2, and C and D 0.2 s after the partition has healed at 2.5."""
    parted = {"partitions": [{"side": ["A", "B"], "start_s": 1.0, "end_s": 2.5}]}
    story = vote(tmp_path, duration_s=5.0, dissemination="tree", **parted)
    prevotes = [fact.split()[:4] for fact in story.of("VoteCast") if fact.endswith("PREVOTE yes")]
    first = {name: min(float(when) for when, _, _, who in prevotes if who == name) for name in "ABCD"}
    assert first == {"A": 2.0, "B": 2.2, "C": 2.7, "D": 2.7}


def test_who_is_silent_still_passes_messages_on(tmp_path):
    """With B silent in a row of four sites, the block of A still goes through B's wires: all decide as without B."""
    row = {"kind": "mesh", "neighbours": 1, "bandwidth_bps": 1e15, "latency_s": 0.05}
    story = vote_over(tmp_path, row, 5.0, dissemination="tree", **fault("silent", "B"))
    assert story.of("BlockCommitted")[0].split()[1:4] == ["BlockCommitted", "1.0", "A"]
    assert not [fact for fact in story.of("VoteCast") if fact.split()[3] == "B"]
