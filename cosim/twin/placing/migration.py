"""The choice of twins that move to another host, and its cost: state over the backhaul, downtime, hysteresis.

S5 places twins once and S2 (section V, figure 10) names migrations without equations; the live copy follows the
pre-copy scheme of Clark et al., "Live migration of virtual machines", NSDI 2005.
"""

from dataclasses import dataclass

import numpy as np

from cosim.scenario.twin_placement import Migration
from cosim.twin.placing.model import PlacementProblem, Room
from cosim.types import NOWHERE, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Copy:
    """The cost of copying twins' states over otherwise idle wires; arrays of one shape."""

    sent_bit: FloatArray
    """Bits of all rounds together."""
    transfer_s: FloatArray
    """Time from the decision until the last bit has arrived."""
    downtime_s: FloatArray
    """Time in which the twin stands still: the last copy, and its restart."""


@dataclass(frozen=True, slots=True)
class Moves:
    """A decision about every twin, (U,) each; the numbers of `copy` are 0 for twins that do not move."""

    assignment: IntArray
    """Hosts once all moves are done."""
    moved: BoolArray
    """Whether the twin stood elsewhere before; one that stood nowhere is made anew, and has not moved."""
    saving_s: FloatArray
    """Waiting time that the wanted host saves over the horizon; NaN where no other host is wanted."""
    price_s: FloatArray
    """Cost of the move there, in the same seconds; NaN likewise."""
    copy: Copy


def copy_state(
    state_bit: FloatArray, latency_s: FloatArray, per_bit_s: FloatArray, dirty_bps: float, rounds: int, restart_s: float
) -> Copy:
    """Return time and bits of a move in `rounds` copies while the twin goes on, and a last one while it stands still.

    With rho = dirty rate x time per bit, each copy is rho times the one before: S (1 - rho^(n+1)) / (1 - rho) bits in
    all after n rounds, S rho^n of them while the twin stands still. Where rho >= 1 the state changes faster than it is
    copied: rounds would only add traffic, so the twin stands still for one whole copy. The latency counts once.

        >>> wire = np.array([0.01]), np.array([1e-8])
    >>> copy = copy_state(np.array([8e6]), *wire, dirty_bps=1e7, rounds=1, restart_s=0.05)
        >>> copy.sent_bit.tolist(), copy.downtime_s.round(3).tolist()  # 8 Mbit, then the 0.8 Mbit that have changed
        ([8800000.0], [0.068])

    Args:
        state_bit: S, size of the state.
        latency_s: one way between the hosts.
        per_bit_s: time that each bit adds on the way (`Topology.per_bit_s`); the wires' other load is left out.
        dirty_bps: how fast the state changes.
        rounds: n; 0 stops the twin at once.
        restart_s: from the last bit until the twin answers.
    """
    rho = dirty_bps * per_bit_s
    live = np.where(rho < 1.0, rounds, 0)
    factor = np.sum([np.where(live >= step, rho**step, 0.0) for step in range(rounds + 1)], axis=0)
    last = np.where(live > 0, rho**rounds, 1.0)
    return Copy(
        sent_bit=state_bit * factor,
        transfer_s=latency_s + state_bit * factor * per_bit_s,
        downtime_s=latency_s + state_bit * last * per_bit_s + restart_s,
    )


def migrate(
    problem: PlacementProblem,
    current: IntArray,
    wanted: IntArray,
    must: BoolArray,
    state_bit: FloatArray,
    uses_hz: FloatArray,
    latency_s: FloatArray,
    per_bit_s: FloatArray,
    rule: Migration | None,
) -> Moves:
    """Return which twins go to the hosts that a policy wants for them.

    A twin that is used `uses_hz` times a second saves uses_hz x horizon x (cost here - cost there) seconds of waiting.
    Its move costs uses_hz x downtime^2 / 2 (uses that come while it stands still wait for half of that, on average)
    plus the transfer's time by `wire_weight`. It goes if saving > (1 + margin) x price. A twin that has to leave saves
    infinitely much: one that `must`, or whose host is no longer allowed (eq 26, or no place).

    The most profitable go first, and only into room that is there before any twin has left: during a move the twin
    holds its place at both ends, so that eq 23 and 24 hold at every moment. Two twins on full hosts therefore never
    swap, and a chain of moves takes as many decisions as it has links. A twin that a policy wants nowhere, or on a host
    that is not allowed or not reached, stays.

    Twins in transit must not be given: leave out their rows, and take what they hold off `places` and `compute_hz` of
    both hosts.

    Args:
        problem: the costs now; `cost_s` is what one use of the twin takes.
        current: (U,) hosts now, NOWHERE for a twin not yet made: it is made at the wanted host, without a transfer.
        wanted: (U,) hosts by a policy.
        must: (U,) twins that go at any price, for example those that a full host hands on (`tiers.pick_twins`).
        state_bit: (U,) size of each twin's state.
        uses_hz: (U,) how often each twin is queried or synchronised.
        latency_s: (H, H) one way between hosts; inf where there is no way.
        per_bit_s: (H, H) likewise.
        rule: section of the scenario; None: twins stay where they are, new ones are made.
    """
    users = np.arange(len(current))
    new = (current == NOWHERE) & (wanted != NOWHERE)
    saving_s, price_s = np.full((2, len(current)), np.nan)
    movers = np.zeros(len(current), dtype=bool)
    copy = _nothing(len(current))
    if rule is not None:
        known = (current != NOWHERE) & (wanted != NOWHERE) & (wanted != current) & problem.allowed[users, wanted]
        rows = np.flatnonzero(known & np.isfinite(latency_s[current, wanted] + per_bit_s[current, wanted]))
        here, there = current[rows], wanted[rows]
        between = (latency_s[here, there], per_bit_s[here, there])
        part = copy_state(state_bit[rows], *between, rule.dirty_bps, rule.precopy_rounds, rule.restart_s)
        leave = must[rows] | ~problem.allowed[rows, here]
        here_s = np.where(leave, 0.0, problem.cost_s[rows, here])
        gain_s = uses_hz[rows] * rule.horizon_s * (here_s - problem.cost_s[rows, there])
        saving_s[rows] = np.where(leave, np.inf, gain_s)
        price_s[rows] = uses_hz[rows] * part.downtime_s**2 / 2.0 + rule.wire_weight * part.transfer_s
        movers[rows] = saving_s[rows] > (1.0 + rule.margin) * price_s[rows]
        copy = _spread(part, rows, len(current))
    assignment, moved = _admit(problem, current, wanted, new, movers, saving_s - price_s)
    return Moves(assignment, moved, saving_s, price_s, _masked(copy, moved))


def _admit(
    problem: PlacementProblem,
    current: IntArray,
    wanted: IntArray,
    new: BoolArray,
    movers: BoolArray,
    profit_s: FloatArray,
) -> tuple[IntArray, BoolArray]:
    """Place new twins in row order, then movers by profit, into room that holds for those that have not left yet."""
    assignment, moved = current.copy(), np.zeros(len(current), dtype=bool)
    room = Room(problem, current)
    rows = np.flatnonzero(movers)
    by_profit = rows[np.argsort(-profit_s[rows], kind="stable")]
    for user in np.concatenate([np.flatnonzero(new), by_profit]).tolist():
        host = int(wanted[user])
        if room.hosts(user)[host]:
            room.take(user, host)
            assignment[user] = host
            moved[user] = movers[user]
    return assignment, moved


def _spread(part: Copy, rows: IntArray, count: int) -> Copy:
    """Return the same numbers at the rows of their twins."""
    whole = _nothing(count)
    whole.sent_bit[rows] = part.sent_bit
    whole.transfer_s[rows] = part.transfer_s
    whole.downtime_s[rows] = part.downtime_s
    return whole


def _nothing(count: int) -> Copy:
    return Copy(np.zeros(count), np.zeros(count), np.zeros(count))


def _masked(copy: Copy, kept: BoolArray) -> Copy:
    return Copy(
        np.where(kept, copy.sent_bit, 0.0),
        np.where(kept, copy.transfer_s, 0.0),
        np.where(kept, copy.downtime_s, 0.0),
    )
