"""The seam between a run and its parts: what is called when vehicles move, tasks come, samples are due, the run ends.

A part is a section of behaviour that a scenario may have or not: sidelink, keys, ledger, twin, or one that a package
brings. It gets recorders for the facts that it states and the things that it uses (`cosim.assembly.PartContext`), never
the simulation. Between its hooks it lives by waits, timers and SimPy processes on the run's clock.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from cosim.decision import Action
from cosim.mobility.source import MobilityFrame
from cosim.tasks.source import Releases


class Part:
    """Base of the parts of a run; a subclass overrides the hooks that it wants, the others are never called.

    At each tick, an urgent event at `n * step_s`, the frame's vehicles have moved and their radio is known. Then part
    by part, in the order of `cosim.assembly`: `tick`, and `leave` if vehicles are gone. After all parts, tasks are
    released: `released`. At a decision epoch `turned`, before the stories of its tasks begin. `sample` comes at each
    multiple of `trace.sample_s` after 0 and at the end, after everything else at that instant, and `finish` once, when
    every task has ended. What the hooks are given is shared: nobody may change it.
    """

    def tick(self, frame: MobilityFrame, tick: int) -> None:
        """Vehicles have moved; `frame.entered` are new."""

    def leave(self, gone: Collection[int]) -> None:
        """These vehicles are not on the map any more, in order of number."""

    def released(self, releases: Releases) -> None:
        """Tasks will be released before the next tick, at their own times."""

    def turned(self, action: Action) -> None:
        """A policy has decided: its options, and as it gave them the knobs that the scenario hands over, else None."""

    def sample(self, frame: MobilityFrame) -> None:
        """State running totals as they are now; `frame` is the last tick's."""

    def finish(self) -> None:
        """The run is over: state what is still open."""


def hooks(parts: Sequence[Part], name: str) -> list[Callable[..., Any]]:
    """The methods of that name, in order of the parts, of those that override it."""
    return [getattr(part, name) for part in parts if getattr(type(part), name) is not getattr(Part, name)]
