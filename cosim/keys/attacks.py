"""Attacks on QKD links, as numbers: shares of intercepted pulses, and times of fibre cuts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from cosim.keys.layout import KeyLayout
from cosim.scenario.keys import Eavesdropper, FibreCut, KeyAttack
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Interception:
    """An intercept-resend attack: an eavesdropper measures and resends a share of a link's pulses for a time."""

    link: int
    start_s: float
    end_s: float
    share: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A fibre cut: a link carries no pulses for a time."""

    link: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Attacks:
    """All attacks of a run on QKD links, which are named by their numbers in the layout."""

    interceptions: tuple[Interception, ...]
    cuts: tuple[Cut, ...]

    def intercepted(self, links: int, start_s: float, end_s: float) -> FloatArray:
        """Return the mean share of each link's pulses that is intercepted in a slot, (links,), in [0, 1].

        Several eavesdroppers at one link each take their share of what passes: 1 - (1 - a)(1 - b). A slot that is
        attacked for a part of its length counts with the mean of the share over the slot.

        Args:
            links: number of links in the layout.
            start_s: beginning of the slot.
            end_s: end of the slot, after `start_s`.
        """
        passed = np.ones(links)
        for attack in self.interceptions:
            overlap_s = min(end_s, attack.end_s) - max(start_s, attack.start_s)
            if overlap_s > 0.0:
                passed[attack.link] *= 1.0 - min(1.0, overlap_s / (end_s - start_s)) * attack.share
        return 1.0 - passed


def plan_attacks(attacks: Iterable[KeyAttack], layout: KeyLayout) -> Attacks:
    """Return the scenario's attacks with the links that they name resolved to numbers.

    Raises:
        InputError: an attack names a link that the layout does not have.
    """
    interceptions: list[Interception] = []
    cuts: list[Cut] = []
    for k, attack in enumerate(attacks):
        link = layout.link(attack.ends, f"keys.attacks[{k}].ends")
        match attack:
            case Eavesdropper(start_s=start_s, end_s=end_s, share=share):
                interceptions.append(Interception(link, start_s, end_s, share))
            case FibreCut(start_s=start_s, end_s=end_s):
                cuts.append(Cut(link, start_s, end_s))
            case _:
                assert_never(attack)
    return Attacks(tuple(interceptions), tuple(cuts))
