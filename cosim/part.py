"""The interface between a run and its parts: hooks for movement, task releases, decisions, samples and the end.

A part is a section of behaviour that a scenario may have or not: sidelink, keys, ledger, twin, or one that a package
brings. It is given recorders for its facts and the things that it uses (`cosim.assembly.PartContext`), never the
simulation. Between its hooks it lives by waits, timers and SimPy processes on the run's clock.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from cosim.decision import Action
from cosim.mobility.source import MobilityFrame
from cosim.tasks.source import Releases


class Part:
    """Base class of the parts of a run. A subclass overrides the hooks that it needs; the others are never called.

    At each tick, an urgent event at `n * step_s`, the frame's vehicles have moved and their radio conditions are known.
    Then `tick` is called part by part, in the order of `cosim.assembly`, followed by the part's `leave` if vehicles
    have left. After all parts, tasks are released: `released`. At a decision epoch `turned` is called before the
    stories of its tasks begin. `sample` is called at each multiple of `trace.sample_s` after 0 and at the end, after
    everything else at that instant, and `finish` once, when every task has ended. Arguments are shared between parts
    and must not be changed.

        >>> import cosim
        >>> class ReleaseCounter(cosim.Part):
        ...     def __init__(self, context):
        ...         self.tasks = 0
        ...     def released(self, releases):
        ...         self.tasks += len(releases)
        >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
        >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder, parts=[ReleaseCounter])
        >>> epoch = run.advance()
        >>> run.part(ReleaseCounter).tasks >= len(epoch.observation)
        True
        >>> run.close()
    """

    def tick(self, frame: MobilityFrame, tick: int) -> None:
        """Take in the positions of a tick; `frame.entered` lists the vehicles that are new."""

    def leave(self, gone: Collection[int]) -> None:
        """Take in the numbers of vehicles that have left the map, ascending."""

    def released(self, releases: Releases) -> None:
        """Take in the tasks that will be released before the next tick, each at its own time."""

    def turned(self, action: Action) -> None:
        """Take in the decisions of an epoch: options, and the knobs that the scenario hands over (else None)."""

    def sample(self, frame: MobilityFrame) -> None:
        """Record running totals as they are now; `frame` is that of the last tick."""

    def finish(self) -> None:
        """Record what is still open at the end of the run."""


def hooks(parts: Sequence[Part], name: str) -> list[Callable[..., Any]]:
    """Return the hooks of that name, in the order of the parts, of those parts that override it."""
    return [getattr(part, name) for part in parts if getattr(type(part), name) is not getattr(Part, name)]
