"""Time-outs that fit the network: what the slowest way between two validators takes, with the bits that share it.

    way    = sum over the wires between two validators of latency + copies x bits / rate, + verification
    vote_s = max(0.5 s, 4 way),   propose_s = max(1 s, 8 way + making)

for the longest such way of two messages: the largest there can be, a full block of which the proof of lock has all
seats, on its own, and a vote that all with a seat cast at the same moment. Copies are those on the same wire: whoever
shares a wire with so many bits has crossed it by the time that they take together. A quarter of `vote_s` is what
`cosim.ledger.liveness.decision_bound_s` allows a message. Verification and making are those of a full block on the
slowest host when it has nothing else to do. Left out: tasks, keys and batches on wires and hosts.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import nlargest
from typing import Final

from cosim.compute import Host
from cosim.ledger.block import BATCH_BYTE, HEADER_BYTE, VOTER_BYTE
from cosim.ledger.messages import Proposal, RoundStep, Vote
from cosim.ledger.participant import StepTimeouts
from cosim.ledger.signature import FIGURES
from cosim.scenario.ledger import Ledger
from cosim.transport import Wires

PROPOSE_S: Final = 1.0
VOTE_S: Final = 0.5
"""Shortest time-outs that are derived."""
_WAYS: Final = 4.0
"""Messages one after the other that fit into the time-out of a vote."""


def fitted_timeouts(plan: Ledger, wires: Wires, hosts: Mapping[int, Host]) -> StepTimeouts:
    """Return the time-outs of a scenario, derived from the network where the scenario gives none; see the module.

    Args:
        plan: the scenario's `ledger`.
        wires: wires between sites.
        hosts: processors of the validators by site.
    """
    given = plan.timeouts
    propose_s, vote_s = given.propose_s, given.vote_s
    if propose_s is None or vote_s is None:
        block_bit, batches = _full_block(plan, len(hosts))
        core_hz = min(host.core_hz for host in hosts.values())
        check_cycles = plan.cost.cycles_per_check
        if check_cycles is None:
            check_cycles = float(FIGURES[plan.signature].verify_cycles)
        verify_s = (8 * HEADER_BYTE / plan.cost.checked_bit + batches) * check_cycles / core_hz
        way_s = longest_way_s(plan, wires, tuple(hosts), block_bit) + verify_s
        if propose_s is None:
            make_s = plan.cost.density_cycles_per_bit * block_bit / core_hz
            propose_s = max(PROPOSE_S, 2.0 * _WAYS * way_s + make_s)
        if vote_s is None:
            vote_s = max(VOTE_S, _WAYS * way_s)
    return StepTimeouts(propose_s, vote_s, vote_s, given.growth_s)


def _full_block(plan: Ledger, validators: int) -> tuple[float, int]:
    """Return the size in bits of a block of full capacity with all votes of the block before, and its batches."""
    seats = _seats(plan, validators)
    signatures_bit = (1 + seats) * FIGURES[plan.signature].size_bit
    batches = max(1, (plan.block.capacity_byte - HEADER_BYTE) // BATCH_BYTE)
    return float(8 * (plan.block.capacity_byte + VOTER_BYTE * seats) + signatures_bit), batches


def _seats(plan: Ledger, validators: int) -> int:
    return validators if plan.committee is None else min(plan.committee, validators)


def longest_way_s(plan: Ledger, wires: Wires, sites: tuple[int, ...], block_bit: float) -> float:
    """Return the time of the slowest message between two validators, without the work on it.

    Args:
        plan: the scenario's `ledger`: seats, signature, and whether messages to all go directly or along trees.
        wires: wires between sites.
        sites: sites of the validators.
        block_bit: size of the largest block with its signatures.
    """
    signature_bit, seats = FIGURES[plan.signature].size_bit, _seats(plan, len(sites))
    vote = Vote(RoundStep.PREVOTE, 0, 0, None, 0)
    vote_bit = float(vote.size_bit(signature_bit))
    proposal = Proposal(0, 0, b"", None, 0, (vote,) * seats, 0)
    largest_bit = block_bit + proposal.size_bit(signature_bit)
    routes = {(start, end): wires.route(start, end) for start in sites for end in sites if start != end}
    copies: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for (start, _end), route in routes.items():
        for hop in route:
            copies[hop][start] += 1
    if plan.dissemination == "tree":
        copies = {hop: Counter(dict.fromkeys(counts, 1)) for hop, counts in copies.items()}
    per_bit_s, latency_s = {}, {}
    for hop in copies:
        medium, latency_s[hop] = wires.wire(*hop)
        per_bit_s[hop] = 1.0 / medium.unit_rate
    votes = {hop: sum(nlargest(seats, counts.values())) for hop, counts in copies.items()}
    longest_s = 0.0
    for (start, _end), route in routes.items():
        fixed_s = sum(latency_s[hop] for hop in route)
        alone_s = largest_bit * sum(copies[hop][start] * per_bit_s[hop] for hop in route)
        together_s = vote_bit * sum(votes[hop] * per_bit_s[hop] for hop in route)
        longest_s = max(longest_s, fixed_s + max(alone_s, together_s))
    return longest_s
