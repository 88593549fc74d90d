"""Who gets in and who has to go: bounds of connections, tried with random visitors against a plain list."""

import random

import pytest
from effort import seeds

from cosim.etsi014.admission import Admission, Visitor, peer_of


class Door:
    """An admission with a list of who is inside, oldest first, to compare it with."""

    def __init__(self, most: int, most_unknown: int) -> None:
        self.admission = Admission(most, most_unknown)
        self.inside: list[Visitor] = []
        self.dropped: list[Visitor] = []

    def enter(self, peer: str) -> Visitor:
        """One more."""
        visitor = Visitor(peer, lambda: self.dropped.append(visitor))
        self.admission.enter(visitor)
        self.inside = [one for one in self.inside if one not in self.dropped]
        self.inside.append(visitor)
        return visitor

    def unknown(self, peer: str) -> list[Visitor]:
        """Of a peer."""
        return [one for one in self.inside if one.peer == peer and one.sae is None]


@pytest.mark.parametrize("seed", seeds(200, least=20))
def test_no_bound_is_exceeded_and_a_newcomer_is_never_dropped(seed: int):
    """In any order of events bounds hold, one at most goes for one that comes, and known ones go last."""
    draw = random.Random(seed)
    most, most_unknown = draw.randint(1, 12), draw.randint(1, 6)
    door = Door(most, most_unknown)
    for _ in range(300):
        before = list(door.inside)
        event = draw.random()
        if event < 0.6 or not before:
            door.dropped.clear()
            new = door.enter(draw.choice("pqr"))
            assert new not in door.dropped
            assert len(door.dropped) <= 1
            for gone in door.dropped:
                assert len(before) == most or len([v for v in before if v.peer == new.peer]) >= most_unknown
                assert gone.sae is None or not any(one.sae is None for one in before)
                assert gone.sae is not None or gone == next(v for v in before if v.peer == gone.peer and v.sae is None)
        elif event < 0.8:
            door.admission.recognise(draw.choice(before), draw.choice("abc"))
        else:
            gone = draw.choice(before)
            for _ in range(draw.randint(1, 2)):
                door.admission.leave(gone)
            door.inside.remove(gone)
            door.admission.recognise(gone, "a")
        assert len(door.admission) == len(door.inside) <= most
        assert all(len(door.unknown(peer)) <= most_unknown for peer in "pqr")


def test_who_opens_many_pushes_out_his_own():
    """With one peer's 5 and another's 1 inside of 6, a third's comes in for the oldest of the five."""
    door = Door(6, 6)
    quiet = door.enter("quiet")
    greedy = [door.enter("greedy") for _ in range(5)]
    door.enter("third")
    door.enter("greedy")
    assert door.dropped == greedy[:2]
    assert quiet in door.inside


def test_among_known_ones_the_longest_without_a_request_goes():
    """If all have authenticated, the SAE with most connections loses the one whose last request is longest ago."""
    door = Door(4, 4)
    a, *b = [door.enter("p") for _ in range(4)]
    door.admission.recognise(a, "a")
    for visitor in (*b, b[0]):
        door.admission.recognise(visitor, "b")
    door.enter("q")
    assert door.dropped == [b[1]]


def test_a_subnet_of_addresses_is_one_peer():
    """IPv6 addresses of a /64 count together, IPv4 ones alone, in either notation."""
    assert peer_of("2001:db8::1") == peer_of("2001:db8::ffff:1") != peer_of("2001:db8:0:1::1")
    assert peer_of("::ffff:127.0.0.1") == peer_of("127.0.0.1") != peer_of("127.0.0.2")
