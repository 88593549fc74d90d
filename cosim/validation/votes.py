"""Random schedules of the vote: stakes, liars, silence, loss, delays, partitions and restarts until a time T.

From T on a set of honest validators with more than two thirds of the stake is connected. An outcome says how long they
then took to decide the height that not all of them had decided; `cosim.ledger.liveness` how long they may take. The
validators are those of a run; what carries their messages is a queue of events instead of wires and hosts.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Final, TypeAlias

import numpy as np

from cosim.kernel.rng import stream
from cosim.ledger.committee import draw_committee, seated_stake
from cosim.ledger.faults import Equivocates, ProposesInvalid, VotesTwice
from cosim.ledger.liveness import decision_bound_s
from cosim.ledger.messages import Broadcast, Decide, Message, Output, Schedule, Send, Timeout
from cosim.ledger.participant import Participant, Rules, StepTimeouts
from cosim.ledger.poqks import Rotation
from cosim.ledger.tendermint import Validator

HEIGHTS: Final = 3
_PAUSE_S: Final = 0.05
"""From a decision to the next height."""
_UNTIL_S: Final = 400.0
_BAD: Final = b"bad/"
_TWIN: Final = b"twin/"

Lying: TypeAlias = Callable[[Validator[bytes], tuple[int, ...]], Participant[bytes]]
"""Makes a liar of an honest validator and the numbers of all liars."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time [start, end) in which a disturbance hits some validators."""

    start_s: float
    end_s: float
    numbers: tuple[int, ...]

    def holds(self, now_s: float, number: int) -> bool:
        """Return whether it hits a validator now."""
        return self.start_s <= now_s < self.end_s and number in self.numbers

    def parts(self, now_s: float, sender: int, receiver: int) -> bool:
        """Return whether, as a partition, it lies between two validators now.

        Args:
            now_s: the time.
            sender: one validator.
            receiver: the other one.
        """
        return self.start_s <= now_s < self.end_s and (sender in self.numbers) != (receiver in self.numbers)


@dataclass(frozen=True, slots=True)
class Disturbances:
    """What is drawn for a schedule, beside its liars."""

    credits: tuple[int, ...]
    timeouts: StepTimeouts
    delay_s: float
    """Longest delay of a message on its way."""
    settled_s: float
    """T: from then on the connected validators hear each other."""
    loss: float
    """Share of the messages that are lost before T."""
    silences: tuple[Span, ...]
    slowness: tuple[tuple[Span, float], ...]
    """Each with the time for which messages are held back."""
    partitions: tuple[Span, ...]
    stops: tuple[Span, ...]
    liars: tuple[int, ...]
    connected: tuple[int, ...]
    seats: int | None = None
    """Size of the committees; None: all vote."""
    salt: bytes = b""
    """What stands for the blocks before, from which committees are drawn."""

    def votes(self, height: int) -> tuple[int, ...]:
        """Return the credits that vote at a height."""
        if self.seats is None:
            return self.credits
        previous = sha256_of(self.salt + str(height).encode())
        return seated_stake(self.credits, draw_committee(self.credits, self.seats, previous, height))


@dataclass(frozen=True, slots=True)
class VoteOutcome:
    """What became of a schedule."""

    conflicts: int
    """Heights at which two honest validators decided differently."""
    waited_s: float | None
    """Time from T, or from a later beginning of the height, to the decision; None if all was decided before T."""
    bound_s: float
    finished: bool
    """Whether all connected validators decided all heights in the end."""

    @property
    def ratio(self) -> float:
        """Time to the decision over the bound; 0 without a claim, infinite if it never came."""
        if self.waited_s is None:
            return 0.0
        return self.waited_s / self.bound_s


def drawn(rng: np.random.Generator, credits: tuple[int, ...] | None = None) -> Disturbances:  # noqa: A002
    """Return the disturbances of a schedule; liars and those never heard have less than a third of the stake.

    Args:
        rng: draws them.
        credits: of the validators; None: 4 to 7 of them are drawn.
    """
    members = int(rng.integers(4, 8)) if credits is None else len(credits)
    held = credits or tuple(rng.integers(50, 1000, members).tolist() if rng.random() < 0.7 else [1] * members)
    settled_s = float(rng.uniform(0.0, 8.0))
    order = rng.permutation(members).tolist()
    liars = _below(held, order, sum(held) / 3.0) if rng.random() < 0.6 else ()
    rest = [number for number in order if number not in liars]
    unheard = _below(held, rest, sum(held) / 3.0 - sum(held[each] for each in liars)) if rng.random() < 0.4 else ()
    connected = tuple(sorted(number for number in rest if number not in unheard))
    vote_s = 0.5

    def spans(most: int, size: Callable[[], int]) -> tuple[Span, ...]:
        found = []
        for _ in range(int(rng.integers(0, most + 1))):
            start_s, end_s = sorted(rng.uniform(0.0, settled_s, 2).tolist())
            found.append(Span(start_s, end_s, tuple(rng.permutation(members)[: size()].tolist())))
        return tuple(found)

    def some() -> int:
        return int(rng.integers(1, members + 1))

    until_now = Span(0.0, settled_s, tuple(rng.permutation(members)[: some()].tolist()))
    for_ever = Span(0.0, float("inf"), unheard)
    silences = (*spans(3, some), *((until_now,) if rng.random() < 0.5 else ()), for_ever)
    slowness = tuple((span, float(rng.uniform(0.1, 3.0))) for span in spans(2, some))
    timeouts = StepTimeouts(float(rng.uniform(0.5, 1.5)), vote_s, vote_s, float(rng.uniform(0.0, 0.5)))
    loss = float(rng.uniform(0.0, 1.0)) if rng.random() < 0.6 else 0.0
    delay_s = float(rng.uniform(0.01, 0.25)) * vote_s
    partitions, stops = spans(2, some), spans(3, lambda: 1)
    return Disturbances(
        held, timeouts, delay_s, settled_s, loss, silences, slowness, partitions, stops, tuple(sorted(liars)), connected
    )


def _below(held: tuple[int, ...], order: list[int], most: float) -> tuple[int, ...]:
    """Return the first validators in this order that have less than `most` credits together."""
    found: list[int] = []
    for number in order:
        if sum(held[each] for each in found) + held[number] < most:
            found.append(number)
    return tuple(found)


def sha256_of(value: bytes) -> bytes:
    """Return SHA-256 of a value."""
    return hashlib.sha256(value).digest()


def twin_of(value: bytes) -> bytes:
    """Return the other value of a pair; the twin of a twin is the first."""
    return value.removeprefix(_TWIN) if value.startswith(_TWIN) else _TWIN + value


def liar_of(rng: np.random.Generator) -> Lying:
    """Return a maker of liars of all sorts."""
    sorts: tuple[Callable[[Validator[bytes]], Participant[bytes]], ...] = (
        lambda honest: Equivocates(honest, twin_of),
        VotesTwice,
        lambda honest: ProposesInvalid(honest, lambda value: _BAD + value),
    )
    return lambda honest, _team: sorts[int(rng.integers(len(sorts)))](honest)


class VotingSchedule:
    """A vote on a few heights under disturbances."""

    def __init__(self, plan: Disturbances, rng: np.random.Generator, lying: Lying) -> None:
        """Make the validators.

        Args:
            plan: the disturbances.
            rng: draws delays and losses.
            lying: makes the liars.
        """
        self.plan = plan
        self._rng = rng
        self._draws: list[float] = []
        members = range(len(plan.credits))
        rotations = [Rotation.fresh(len(plan.credits))]
        self.votes = [plan.votes(height) for height in range(HEIGHTS)]
        for held in self.votes:
            rotations.append(rotations[-1].advanced(held))
        turns: dict[tuple[int, int], int] = {}

        def proposer(height: int, round_: int) -> int:
            if (height, round_) not in turns:
                turns[height, round_] = rotations[height].proposer(self.votes[height], round_)
            return turns[height, round_]

        def rules(number: int) -> Rules[bytes]:
            return Rules(
                proposer,
                lambda height, round_: f"{height}/{round_}/{number}".encode(),
                lambda value: not value.startswith(_BAD),
                sha256_of,
            )

        self.machines = [Validator(number, rules(number), plan.timeouts) for number in members]
        self.participants: list[Participant[bytes]] = [
            lying(machine, plan.liars) if machine.number in plan.liars else machine for machine in self.machines
        ]
        self.honest = tuple(number for number in members if number not in plan.liars)
        self.decided: list[dict[int, tuple[float, bytes]]] = [{} for _ in members]
        self.began_s: list[dict[int, float]] = [{} for _ in members]
        self.now_s = 0.0
        self._lives = [0 for _ in members]
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._left = len(plan.connected) * HEIGHTS
        self._open = (0, 0)
        for number in members:
            self._at(0.0, partial(self._begin, number, 0))
        for span in plan.stops:
            for number in span.numbers:
                self._at(span.end_s, partial(self._restart, number))
        self._at(plan.settled_s, self._settle)

    def run(self) -> VoteOutcome:
        """Run until all connected validators have decided all heights, and return what became of it."""
        settled_s = self.plan.settled_s
        while self._events and (self._left or self.now_s < settled_s) and self._events[0][0] <= _UNTIL_S:
            self.now_s, _, event = heappop(self._events)
            event()
        height, round_ = self._open
        unheard = len(self.plan.credits) - len(self.plan.connected)
        bound_s = decision_bound_s(self.plan.timeouts, round_, unheard, self.plan.delay_s)
        return VoteOutcome(self._conflicts(), self._waited_s(height), bound_s, not self._left)

    def _waited_s(self, height: int) -> float | None:
        if height == HEIGHTS:
            return None
        connected = self.plan.connected
        if not all(height in self.decided[each] for each in connected):
            return float("inf")
        late = [each for each in connected if self.decided[each][height][0] >= self.plan.settled_s]
        from_s = max(self.plan.settled_s, *(self.began_s[each][height] for each in late))
        return max(self.decided[each][height][0] for each in late) - from_s

    def _conflicts(self) -> int:
        rows = [[self.decided[each].get(height) for each in self.honest] for height in range(HEIGHTS)]
        return sum(len({found[1] for found in row if found is not None}) > 1 for row in rows)

    def _at(self, time_s: float, action: Callable[[], None]) -> None:
        heappush(self._events, (time_s, next(self._order), action))

    def _settle(self) -> None:
        """Note the first height that not all connected validators have decided, and the latest round of it."""
        connected = self.plan.connected
        height = min(len(self.decided[each]) for each in connected)
        rounds = [self.machines[each].round for each in connected if self.machines[each].height == height]
        self._open = height, max([0, *rounds])

    def _down(self, number: int) -> bool:
        return any(span.holds(self.now_s, number) for span in self.plan.stops)

    def _begin(self, number: int, height: int) -> None:
        if not self._down(number) and height not in self.began_s[number]:
            self.began_s[number][height] = self.now_s
            self._carry(number, self.participants[number].begin(height, self.votes[height]))

    def _restart(self, number: int) -> None:
        if not self._down(number):
            self._lives[number] += 1
            self._carry(number, self.participants[number].restart())
            if len(self.decided[number]) < HEIGHTS:
                self._begin(number, len(self.decided[number]))

    def _receive(self, number: int, message: Message[bytes]) -> None:
        if not self._down(number):
            self._carry(number, self.participants[number].receive(message))

    def _time_out(self, number: int, timeout: Timeout, life: int) -> None:
        if life == self._lives[number] and not self._down(number):
            self._carry(number, self.participants[number].timeout(timeout))

    def _carry(self, number: int, outputs: list[Output[bytes]]) -> None:
        for output in outputs:
            if isinstance(output, Broadcast):
                for other in range(len(self.participants)):
                    if other != number:
                        self._send(number, other, output.message)
            elif isinstance(output, Send):
                self._send(number, output.receiver, output.message)
            elif isinstance(output, Schedule):
                due = partial(self._time_out, number, output.timeout, self._lives[number])
                self._at(self.now_s + output.delay_s, due)
            elif isinstance(output, Decide):
                self._decide(number, output)

    def _send(self, sender: int, receiver: int, message: Message[bytes]) -> None:
        plan, now_s = self.plan, self.now_s
        leaves_s = now_s + sum(held_s for span, held_s in plan.slowness if span.holds(now_s, sender))
        if any(span.holds(leaves_s, sender) for span in (*plan.silences, *plan.stops)):
            return
        while any(span.parts(leaves_s, sender, receiver) for span in plan.partitions):
            leaves_s = max(span.end_s for span in plan.partitions if span.parts(leaves_s, sender, receiver))
        if len(self._draws) < 2:
            self._draws = self._rng.random(1024).tolist()
        if leaves_s < plan.settled_s and self._draws.pop() < plan.loss:
            return
        arrives_s = leaves_s + plan.delay_s * (0.2 + 0.8 * self._draws.pop())
        self._at(arrives_s, partial(self._receive, receiver, message))

    def _decide(self, number: int, decide: Decide[bytes]) -> None:
        self.decided[number][decide.height] = (self.now_s, decide.digest)
        self._left -= number in self.plan.connected
        if decide.height + 1 < HEIGHTS:
            self._at(self.now_s + _PAUSE_S, partial(self._begin, number, decide.height + 1))


def outcome(seed: int, lying: Lying | None = None) -> VoteOutcome:
    """Return what became of the schedule of a seed, with liars of all sorts or, if given, these."""
    rng = stream(seed, "validation.votes")
    plan = drawn(rng)
    return VotingSchedule(plan, rng, liar_of(rng) if lying is None else lying).run()
