"""A small deterministic network of validators: exponential delays, partitions that delay, one heap of events."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from cosim.kernel.rng import stream
from cosim.ledger.messages import (
    Accuse,
    Broadcast,
    ConflictingMessages,
    Decide,
    Message,
    Output,
    Schedule,
    Send,
    Timeout,
)
from cosim.ledger.participant import Participant

BASE_S = 0.002
"""Delay of every message before jitter."""
PAUSE_S = 0.005
"""From a decision to the next height."""


@dataclass(frozen=True, slots=True)
class Partition:
    """While it lasts, messages between `group` and the rest wait for its end."""

    start_s: float
    end_s: float
    group: tuple[int, ...]

    def delayed_s(self, now_s: float, sender: int, receiver: int) -> float:
        """When a message can leave."""
        cut = self.start_s <= now_s < self.end_s and (sender in self.group) != (receiver in self.group)
        return self.end_s if cut else now_s


class Network:
    """Carries messages and time-outs between participants until all watched ones have decided all heights."""

    def __init__(
        self,
        participants: Sequence[Participant[bytes]],
        credits_of: Sequence[tuple[int, ...]],
        watched: Sequence[int],
        jitter_s: float,
        seed: int,
        partitions: Sequence[Partition] = (),
        start_s: Sequence[float] | None = None,
        slow_s: Mapping[int, float] | None = None,
    ) -> None:
        self.participants = participants
        self.credits_of = credits_of
        self.watched = tuple(watched)
        self.jitter_s = jitter_s
        self.slow_s = slow_s or {}
        self.partitions = tuple(sorted(partitions, key=lambda each: each.start_s))
        self.decisions: list[dict[int, bytes]] = [{} for _ in participants]
        self.rounds: list[dict[int, int]] = [{} for _ in participants]
        self.accusations: list[tuple[int, ConflictingMessages[bytes]]] = []
        self.now_s = 0.0
        self.sent = 0
        self._rng = stream(seed, "test.network")
        self._draws: list[float] = []
        self._order = count()
        self._left = len(self.watched) * len(credits_of)
        self._events: list[tuple[float, int, int, Message[bytes] | Timeout | int]] = []
        self._hash = hashlib.sha256()
        for number in range(len(participants)):
            self._push(start_s[number] if start_s else 0.0, number, 0)

    def run(self, until_s: float) -> bool:
        """Whether all watched participants decided all heights by then."""
        while self._left and self._events and self._events[0][0] <= until_s:
            self.now_s, _, number, event = heappop(self._events)
            who = self.participants[number]
            if isinstance(event, int):
                self._carry(number, who.begin(event, self.credits_of[event]))
            elif isinstance(event, Timeout):
                self._carry(number, who.timeout(event))
            else:
                self._carry(number, who.receive(event))
        return self._left == 0

    def conflicts(self) -> int:
        """Heights at which two watched participants decided differently."""
        heights = range(len(self.credits_of))
        decided = [[self.decisions[each].get(height) for each in self.watched] for height in heights]
        return sum(len({digest for digest in row if digest is not None}) > 1 for row in decided)

    @property
    def trace_hash(self) -> str:
        """Of all decisions in their order, with times and certificates."""
        return self._hash.hexdigest()

    def accused(self) -> list[int]:
        """The accused, sorted."""
        return sorted({evidence.offender for _, evidence in self.accusations})

    def _push(self, time_s: float, number: int, event: Message[bytes] | Timeout | int) -> None:
        heappush(self._events, (time_s, next(self._order), number, event))

    def _carry(self, number: int, outputs: list[Output[bytes]]) -> None:
        for output in outputs:
            if isinstance(output, Broadcast):
                for other in range(len(self.participants)):
                    if other != number:
                        self._send(number, other, output.message)
            elif isinstance(output, Send):
                self._send(number, output.receiver, output.message)
            elif isinstance(output, Schedule):
                self._push(self.now_s + output.delay_s, number, output.timeout)
            elif isinstance(output, Decide):
                self._decided(number, output)
            elif isinstance(output, Accuse) and number in self.watched:
                self.accusations.append((number, output.evidence))

    def _send(self, sender: int, receiver: int, message: Message[bytes]) -> None:
        leaves_s = self.now_s + self.slow_s.get(sender, 0.0)
        for partition in self.partitions:
            leaves_s = partition.delayed_s(leaves_s, sender, receiver)
        if not self._draws:
            self._draws = self._rng.exponential(self.jitter_s, 512).tolist()
        arrives_s = leaves_s + BASE_S + self._draws.pop()
        self.sent += 1
        self._push(arrives_s, receiver, message)

    def _decided(self, number: int, decide: Decide[bytes]) -> None:
        assert decide.height not in self.decisions[number]
        self.decisions[number][decide.height] = decide.digest
        self.rounds[number][decide.height] = decide.round
        self._hash.update(f"{self.now_s!r}/{number}/{decide.height}/{decide.round}/{decide.certificate}".encode())
        if number in self.watched:
            self._left -= 1
        if decide.height + 1 < len(self.credits_of):
            self._push(self.now_s + PAUSE_S, number, decide.height + 1)
