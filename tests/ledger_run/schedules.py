"""Random schedules: stakes, faults, partitions and delays drawn from a seed."""

import hashlib
from collections.abc import Callable
from functools import cache

import numpy as np
from adversary import Colludes, Silent, twin_of
from network import Network, Partition

from cosim.kernel.rng import stream
from cosim.ledger.faults import Equivocates, ProposesInvalid, VotesTwice
from cosim.ledger.participant import Participant, Rules, StepTimeouts
from cosim.ledger.poqks import Rotation
from cosim.ledger.tendermint import Validator

HEIGHTS = 5
VALIDATORS = 7
UNTIL_S = 300.0
TIMEOUTS = {0.02: StepTimeouts(0.03, 0.015, 0.015, 0.01), 0.3: StepTimeouts(0.3, 0.15, 0.15, 0.1)}
"""By mean jitter [s]: about the delay of a message, so that many rounds fail."""
Credits = tuple[tuple[int, ...], ...]


def digest_of(value: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(value).digest()


def is_valid(value: bytes) -> bool:
    """All but what a faulty validator has spoilt."""
    return not value.startswith(b"bad/")


def spoilt(value: bytes) -> bytes:
    """An invalid value."""
    return b"bad/" + value


def in_turn(credits_of: Credits) -> Callable[[int, int], int]:
    """Weighted round robin, one turn a height."""
    rotations = [Rotation.fresh(len(credits_of[0]))]
    for stakes in credits_of:
        rotations.append(rotations[-1].advanced(stakes))
    return cache(lambda height, round_: rotations[height].proposer(credits_of[height], round_))


def rules(number: int, proposer: Callable[[int, int], int]) -> Rules[bytes]:
    """What validator `number` goes by."""
    return Rules(proposer, lambda height, round_: f"{height}/{round_}/{number}".encode(), is_valid, digest_of)


def draw_credits(rng: np.random.Generator, changing: bool) -> Credits:
    """Credits per height; if changing, validators join and leave and stakes move at every height."""
    first = rng.integers(50, 1000, VALIDATORS)
    rows = []
    for _ in range(HEIGHTS):
        moved = rng.integers(1, 1000, VALIDATORS) * (rng.random(VALIDATORS) < 0.8) if changing else first
        rows.append(tuple(int(each) for each in (moved if moved.any() else first)))
    return tuple(rows)


def draw_faulty(rng: np.random.Generator, credits_of: Credits, above_half: bool) -> tuple[int, ...]:
    """Faulty validators: less than a third of the stake at every height, or just more than half at the first."""
    faulty: list[int] = []
    for number in rng.permutation(VALIDATORS).tolist():
        with_it = [*faulty, number]
        stake = [sum(row[each] for each in with_it) for row in credits_of]
        if above_half:
            faulty = with_it
            if 2 * stake[0] > sum(credits_of[0]):
                break
        elif all(3 * held < sum(row) for held, row in zip(stake, credits_of, strict=True)):
            faulty = with_it
    return tuple(sorted(faulty))


def draw_partitions(rng: np.random.Generator, jitter_s: float) -> tuple[Partition, ...]:
    """Up to two partitions of some twenty message delays."""
    partitions = []
    for _ in range(int(rng.integers(0, 3))):
        start_s = float(rng.uniform(0.0, 20.0 * jitter_s))
        length_s = float(rng.uniform(5.0 * jitter_s, 40.0 * jitter_s))
        group = rng.permutation(VALIDATORS)[: int(rng.integers(1, 4))].tolist()
        partitions.append(Partition(start_s, start_s + length_s, tuple(group)))
    return tuple(partitions)


def faulty_one(kind: str, honest: Validator[bytes], team: tuple[int, ...]) -> Participant[bytes]:
    """A faulty validator of one kind; it is the network that makes one slow."""
    return {
        "silent": lambda: Silent(honest),
        "slow": lambda: honest,
        "equivocates": lambda: Equivocates(honest, twin_of),
        "votes_twice": lambda: VotesTwice(honest),
        "invalid": lambda: ProposesInvalid(honest, spoilt),
        "colludes": lambda: Colludes(honest, team),
    }[kind]()


KINDS = ("silent", "slow", "equivocates", "votes_twice", "invalid", "colludes")


def random_network(
    seed: int,
    jitter_s: float,
    kinds: tuple[str, ...] = KINDS,
    above_half: bool = False,
    machine: type[Validator[bytes]] = Validator,
    proposer_of: Callable[[Credits], Callable[[int, int], int]] = in_turn,
) -> tuple[Network, tuple[int, ...]]:
    """The network of a seed and its faulty validators; without kinds there are none."""
    rng = stream(seed, "test.schedule")
    credits_of = draw_credits(rng, changing=seed % 3 == 0)
    faulty = draw_faulty(rng, credits_of, above_half) if kinds else ()
    partitions = draw_partitions(rng, jitter_s)
    proposer = proposer_of(credits_of)
    participants: list[Participant[bytes]] = []
    slow_s = {}
    for number in range(VALIDATORS):
        honest = machine(number, rules(number, proposer), TIMEOUTS[jitter_s])
        kind = kinds[int(rng.integers(len(kinds)))] if number in faulty else ""
        participants.append(faulty_one(kind, honest, faulty) if kind else honest)
        if kind == "slow":
            slow_s[number] = 5 * jitter_s
    watched = [number for number in range(VALIDATORS) if number not in faulty]
    return Network(participants, credits_of, watched, jitter_s, seed, partitions, slow_s=slow_s), faulty
