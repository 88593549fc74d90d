"""Faults hold exactly from start to end, within a height too, and what was not heard is said again after 0.5 s.

As in `test_ledger`: a message takes 0.2 s, work nothing; heights begin at multiples of 2 s, a time-out for a proposal
is 1 s, for a vote 0.5 s, each 0.5 s longer from round to round.
"""

from typing import Any

import pytest
from effort import rest_long
from stories import Story
from test_ledger import fault, vote

from cosim.kernel.rng import stream
from cosim.ledger.liveness import decision_bound_s
from cosim.ledger.participant import StepTimeouts

TIMEOUTS = StepTimeouts(1.0, 0.5, 0.5, 0.5)
FOUR = "ABCD"
DELAY_S = 0.2


def of(story: Story, kind: str) -> list[tuple[float, list[str]]]:
    """Times and words of the facts of one kind."""
    return [(float(fact.split()[0]), fact.split()[2:]) for fact in story.of(kind)]


def test_half_of_the_stake_is_silent_for_a_moment(tmp_path):
    """C and D cannot say their votes until 2.3; they say them again at 2.9, and B decides with them at 3.1.

    They prevoted at 2.2 and precommitted at 2.4, so that the repetition is due 0.5 s after the later.
    """
    silent = [{"kind": "silent", "validator": name, "start_s": 2.0, "end_s": 2.3} for name in "CD"]
    story = vote(tmp_path, faults=silent)
    assert story.of("BlockCommitted")[:2] == [
        "3.1 BlockCommitted 1.0 A 0 records",
        "4.6 BlockCommitted 2.0 B 0 records",
    ]
    assert [when for when, words in of(story, "VoteCast") if words[:2] == ["1.0", "C"]] == [2.4, 2.9, 2.9]


@pytest.mark.parametrize(("start_s", "end_s", "final_s"), [(2.0, 2.5, 3.1), (2.0, 2.1, 3.1), (1.0, 2.0, 2.6)])
def test_everything_is_lost_for_a_moment(tmp_path, start_s: float, end_s: float, final_s: float):
    """Nothing of what leaves in [start, end) arrives: A's block of 2.0 is said again at 2.5, and final 0.6 s later."""
    story = vote(tmp_path, duration_s=4.0, loss=1.0, loss_start_s=start_s, loss_end_s=end_s)
    assert story.of("BlockProposed", "BlockCommitted")[:2] == [
        "2 BlockProposed 1.0 A 0 batches",
        f"{final_s} BlockCommitted 1.0 A 0 records",
    ]


def test_three_restart_with_what_they_have_signed(tmp_path):
    """B, C and D stop after their prevotes and before anybody has a quorum of precommits: back, they say the same."""
    stops = [{"kind": "restart", "validator": name, "start_s": 2.3, "end_s": 2.9} for name in "BCD"]
    story = vote(tmp_path, faults=stops)
    said = [(when, words[2:]) for when, words in of(story, "VoteCast") if words[:2] == ["1.0", "B"]]
    assert said == [(2.2, ["PREVOTE", "yes"]), (2.9, ["PREVOTE", "yes"]), (3.1, ["PRECOMMIT", "yes"])]
    assert story.of("BlockCommitted")[0] == "3.3 BlockCommitted 1.0 A 0 records"
    assert story.of("OffenceFound") == []


def test_a_stop_ends_time_outs(tmp_path):
    """A is silent: C and D give its proposal up at 3.0, and B, which was down until 2.5, has waited 1 s anew at 3.5."""
    faults = [
        {"kind": "silent", "validator": "A", "start_s": 2.0, "end_s": 6.0},
        {"kind": "restart", "validator": "B", "start_s": 2.3, "end_s": 2.5},
    ]
    story = vote(tmp_path, duration_s=4.0, faults=faults)
    said = [(words[1], when) for when, words in of(story, "VoteCast") if words[2:] == ["PREVOTE", "no"]]
    assert {name: min(when for other, when in said if other == name) for name in "BCD"} == {
        "B": 3.5,
        "C": 3.0,
        "D": 3.0,
    }


def test_what_is_held_back_stays_with_one_that_is_down(tmp_path):
    """A's block would leave at 2.3, 0.3 s late, but A is down then: it leaves when A is back at 2.4."""
    faults = [
        {"kind": "slow", "validator": "A", "start_s": 2.0, "end_s": 2.1, "delay_s": 0.3},
        {"kind": "restart", "validator": "A", "start_s": 2.2, "end_s": 2.4},
    ]
    story = vote(tmp_path, duration_s=4.0, faults=faults)
    assert of(story, "BlockProposed")[0][0] == 2.4


def test_one_that_is_down_begins_its_height_later(tmp_path):
    """D is down from before height 1 until 3.0, asks at 3.5, and with the answer at 3.9 is in time for height 2."""
    story = vote(tmp_path, **fault("restart", "D", start_s=1.0, end_s=3.0))
    assert story.of("BlockCommitted")[:2] == [
        "2.6 BlockCommitted 1.0 A 0 records",
        "4.6 BlockCommitted 2.0 B 0 records",
    ]
    assert next((when, words) for when, words in of(story, "VoteCast") if words[1] == "D") == (
        4.2,
        ["2.0", "D", "PREVOTE", "yes"],
    )


@pytest.mark.parametrize(
    ("start_s", "end_s", "twice"), rest_long([(2.4, 2.5, [2.4]), (2.25, 2.4, []), (2.3, 2.5, [2.4])], 2)
)
def test_a_fault_holds_within_a_height(tmp_path, start_s: float, end_s: float, twice: list[float]):
    """D votes twice at 2.4 if its fault holds then."""
    story = vote(tmp_path, **fault("double_vote", "D", start_s=start_s, end_s=end_s))
    cast = [when for when, words in of(story, "VoteCast") if words[1] == "D" and words[0] == "1.0"]
    assert [when for when in sorted(set(cast)) if cast.count(when) > 1] == twice
    assert (story.of("OffenceFound") != []) == bool(twice)


@pytest.mark.parametrize(("start_s", "end_s", "first_s"), [(2.0, 2.1, 2.3), (1.0, 2.0, 2.0)])
def test_one_is_slow_until_its_fault_ends(tmp_path, start_s: float, end_s: float, first_s: float):
    """What A says at 2.0 leaves 0.3 s later if A is slow then: the start is within the fault, the end is not."""
    story = vote(tmp_path, duration_s=4.0, **fault("slow", "A", start_s=start_s, end_s=end_s, delay_s=0.3))
    assert of(story, "BlockProposed")[0][0] == first_s


def test_an_invalid_block_is_repeated_as_it_was_signed(tmp_path):
    """A's block does not check and is all that A ever signs in that round, also when its fault is over: one offence."""
    story = vote(tmp_path, duration_s=5.0, **fault("invalid", "A", start_s=1.0, end_s=2.1))
    assert [fact.split()[3:5] for fact in story.of("OffenceFound")] == [["A", "INVALID_PROPOSAL"]]


def disturbed(seed: int) -> tuple[dict[str, Any], float]:
    """Faults, loss and partitions of a seed, and when the last of them ends."""
    rng = stream(seed, "test.disturbed")
    ends_s = [2.0]

    def span() -> dict[str, float]:
        start_s = float(rng.uniform(1.0, 8.0))
        ends_s.append(start_s + float(rng.uniform(0.05, 4.0)))
        return {"start_s": start_s, "end_s": ends_s[-1]}

    faults: list[dict[str, Any]] = [
        {"kind": str(rng.choice(["silent", "slow", "restart"])), "validator": FOUR[int(rng.integers(4))], **span()}
        for _ in range(int(rng.integers(1, 6)))
    ]
    if rng.random() < 0.5:
        faults.append({"kind": str(rng.choice(["equivocate", "double_vote", "invalid"])), "validator": "A", **span()})
    plan: dict[str, Any] = {"faults": faults, "credits": {"producer": 0, "voters": 0, "penalty": 0, "slash_percent": 0}}
    if rng.random() < 0.5:
        plan["partitions"] = [{"side": list(FOUR[: int(rng.integers(1, 4))]), **span()}]
    if rng.random() < 0.5:
        lost = span()
        plan |= {"loss": float(rng.uniform(0.1, 1.0)), "loss_start_s": lost["start_s"], "loss_end_s": lost["end_s"]}
    return plan, max(ends_s) + 1.0  # what a slow one said last is on its way for its delay of 1 s


@pytest.mark.parametrize("seed", rest_long(range(60)))
def test_a_run_goes_on_within_the_bound(tmp_path, seed: int):
    """After the last disturbance of a run the open block is final within the bound, and nobody is accused wrongly."""
    plan, settled_s = disturbed(seed)
    story = vote(tmp_path, duration_s=settled_s + 15.0, **plan)
    final = of(story, "BlockCommitted")
    when, words = next((when, words) for when, words in final if when > settled_s)
    height = words[0].split(".")[0]
    heard = [(cast_s, *map(int, words[0].split("."))) for cast_s, words in of(story, "VoteCast")]
    before = [round_ for cast_s, at, round_ in heard if at == int(height) and cast_s <= settled_s]
    begins_s = settled_s if before else 2.0 * (settled_s // 2.0 + 1.0)
    assert when - begins_s <= decision_bound_s(TIMEOUTS, max(before, default=0), 0, DELAY_S)
    lying = {one["validator"] for one in plan["faults"] if one["kind"] in ("equivocate", "double_vote", "invalid")}
    assert {words[1] for _, words in of(story, "OffenceFound")} <= lying
    assert len({words[0].split(".")[0] for _, words in final}) == len(final)
