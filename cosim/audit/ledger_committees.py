"""The committees of a run: how often faulty validators held a third of one, beside the computed probability."""

from dataclasses import dataclass
from typing import Final

from cosim.ledger.committee import faulty_third, holds_a_third
from cosim.trace.store.reader import Trace

_HEIGHTS: Final = 50
"""Most heights whose stakes the probability is computed with."""
_DRAWS: Final = 2_000
"""Committees that are drawn for each of them, where stakes are unequal."""


@dataclass(frozen=True, slots=True)
class CommitteeShare:
    """The committees of a chain against its faulty validators, which `ledger.faults` names, whatever they do."""

    seats: int
    """`ledger.committee`."""
    heights: int
    """Number of committees drawn."""
    faulty: int
    """Number of validators that the scenario has misbehave at some time."""
    third: int
    """Number of committees in which they held at least a third of the stake."""
    probability: float
    """Mean over the heights of the probability of that, by the stakes of each."""
    law: str
    """`hypergeometric` where all stakes were equal, `simulated` where some were not."""


def committee_share(trace: Trace) -> CommitteeShare | None:
    """Return how the committees of a run were composed; None where all validators vote.

    Stakes of up to 50 heights, spread evenly, are looked at; where they are unequal 2,000 seeded committees are drawn
    for each, so that the probability has a standard error of at most 0.0016 for a long run.
    """
    plan = trace.scenario.ledger
    if plan is None or plan.committee is None:
        return None
    names = [fault.validator for fault in plan.faults]
    sites = trace.sql("SELECT validator, name FROM validator_deployed JOIN site_deployed USING (site)")
    faulty = frozenset(sites.validator[sites.name.isin(names)].tolist())
    committees = dict(
        trace.sql("SELECT height, validators FROM committee_drawn ORDER BY height").itertuples(index=False, name=None)
    )
    stakes: dict[int, dict[int, int]] = {}
    for height, validator, held in trace.sql("SELECT height, validator, credits FROM stake_changed").itertuples(
        index=False, name=None
    ):
        stakes.setdefault(height, {})[validator] = held
    known = [height for height in committees if height in stakes]
    third = sum(holds_a_third(stakes[height], _numbers(committees[height]), faulty) for height in known)
    looked_at = known[:: max(1, -(-len(known) // _HEIGHTS))]
    by_number = [[stakes[height].get(each, 0) for each in range(len(sites))] for height in looked_at]
    chances = [faulty_third(held, faulty, plan.committee, _DRAWS) for held in by_number]
    equal = all(len({held for held in stake if held}) <= 1 for stake in by_number)
    probability = sum(chances) / len(chances) if chances else 0.0
    law = "hypergeometric" if equal else "simulated"
    return CommitteeShare(plan.committee, len(known), len(faulty), third, probability, law)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))
