"""CPU time of a run by layer: nested exclusive timers on the CPU clock of the process.

The layers are joined to a run as it is composed: methods at their borders are wrapped, and the clock is one that looks
whose each event is. A run without a profile has none of that. Rows that are recorded one by one count with their
recorder; wires, processors and their events count with the layer that waits for them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from heapq import heappop
from time import process_time
from typing import Any, Final

from simpy.core import StopSimulation

from cosim.assembly import Assembly
from cosim.journey import Journey
from cosim.kernel.clock import URGENT, Clock, Life, Wait
from cosim.kernel.fluid import Fluid
from cosim.mobility.source import MobilitySource
from cosim.trace.store.writer import FactWriter

LAYERS: Final[Mapping[str, str]] = {
    "start": "imports, scenario, and making the run",
    "SUMO": "SUMO inside this process, with its way to mobility.begin_s",
    "positions": "frames of positions, out of SUMO or a recording",
    "radio": "survey, cells, interference, sidelink",
    "release": "tasks that are drawn and released",
    "observation": "what policies are shown",
    "policy": "decisions",
    "stories": "tasks under way, with wires and processors",
    "keys": "QKD links, pools, routes, keys granted",
    "ledger": "records, batches, votes, blocks, with their wires and processors",
    "twin": "mirror, forecasts, placement",
    "parts": "parts of packages and users, and processes on the clock",
    "trace": "samples, batches of rows, Parquet files",
    "figures": "key figures and the picture",
    "profile": "this profile itself, an estimate",
    "other": "what is none of these",
}
"""Layers in the order in which they are shown, and what each holds."""

_MODULES: Final = (
    ("cosim.keys", "keys"),
    ("cosim.ledger", "ledger"),
    ("cosim.twin", "twin"),
    ("cosim.radio", "radio"),
    ("cosim.offload", "stories"),
    ("cosim.sampling", "trace"),
    ("cosim.mobility", "positions"),
    ("cosim.tasks", "release"),
    ("cosim", "other"),
)
_ROUNDS: Final = 2000


class CpuProfile:
    """CPU time of this process by layer, each moment counted once, for the innermost layer.

    >>> profile = CpuProfile()
    >>> with profile.within("figures"):
    ...     total = sum(range(100_000))
    >>> spent_s = profile.spent_s()
    >>> spent_s["figures"] > 0.0, list(spent_s) == list(LAYERS)
    (True, True)
    """

    def __init__(self, began_s: float | None = None) -> None:
        """Begin in the layer `start`.

        Args:
            began_s: CPU time of this process from which on it counts, by `time.process_time`; None: now.
        """
        now_s = process_time()
        self._layer, self._since_s = "start", now_s
        self._spent_s, self._borders = dict.fromkeys(LAYERS, 0.0), dict.fromkeys(LAYERS, 0)
        crossing = self.timed("profile", int)
        for _ in range(_ROUNDS):
            crossing()
        self._since_s = process_time()
        measured_s = self._since_s - now_s
        self._border_s = measured_s / (2 * _ROUNDS)
        """What crossing the border of a layer costs."""
        self._borders = dict.fromkeys(LAYERS, 0)
        self._spent_s = dict.fromkeys(LAYERS, 0.0) | {"profile": measured_s}
        self._spent_s["start"] = 0.0 if began_s is None else now_s - began_s

    def switch(self, layer: str) -> str:
        """Count for another layer from now on, and return the one before."""
        before = self._layer
        if layer != before:
            now_s = process_time()
            self._spent_s[before] += now_s - self._since_s
            self._borders[before] += 1
            self._borders[layer] += 1
            self._layer, self._since_s = layer, now_s
        return before

    @contextmanager
    def within(self, layer: str) -> Iterator[None]:
        """Count for a layer within a `with` block."""
        before = self.switch(layer)
        try:
            yield
        finally:
            self.switch(before)

    def timed(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and counts for a layer."""
        switch = self.switch

        def counted(*values: Any, **named: Any) -> Any:
            before = switch(layer)
            try:
                return function(*values, **named)
            finally:
                switch(before)

        return counted

    def wrap(self, owner: object, layer: str, *names: str) -> None:
        """Let methods of an object count for a layer.

        Args:
            owner: the object; its class is left as it is.
            layer: one of `LAYERS`.
            names: names of its methods.
        """
        for name in names:
            setattr(owner, name, self.timed(layer, getattr(owner, name)))

    def spent_s(self) -> dict[str, float]:
        """Return CPU seconds by layer so far; their sum is what the process has used since the profile began.

        What crossing the border of a layer costs is taken from both layers and stands in `profile`.
        """
        now_s = process_time()
        self._spent_s[self._layer] += now_s - self._since_s
        self._since_s = now_s
        found = dict(self._spent_s)
        for layer, crossed in self._borders.items():
            own_s = min(found[layer], 0.5 * crossed * self._border_s)
            found[layer] -= own_s
            found["profile"] += own_s
        return found


def layer_of_module(name: str) -> str:
    """Return the layer of the code of a module; what is not of cosim is a user's or a package's."""
    return next((layer for start, layer in _MODULES if name == start or name.startswith(f"{start}.")), "parts")


class LayeredClock(Clock):
    """A clock whose events count for the layers whose they are."""

    def __init__(self, profile: CpuProfile) -> None:
        super().__init__()
        self._profile = profile
        self._layers: dict[object, str] = {}
        """Layers of classes, and of the code of stories."""

    def every(self, step_s: float, action: Callable[[int], None], first: int = 0, priority: int = URGENT) -> None:
        """Call `action(n)` at `n * step_s`, counted for the layer of its owner; see `Clock.every`.

        Args:
            step_s: time between two calls.
            action: called with n.
            first: n of the first call.
            priority: order among the actions of that time.
        """
        super().every(step_s, self._profile.timed(self._of(action), action), first, priority)

    def advance(self) -> None:
        """Run until an action halts the clock."""
        queue, switch, of = self._queue, self._profile.switch, self._of
        before = switch("other")
        try:
            while queue:
                self.now, _, _, action = heappop(queue)
                switch(of(action))
                action()
        except StopSimulation:
            return
        finally:
            switch(before)

    def _of(self, action: Callable[..., Any]) -> str:
        """Return the layer of an action: that of its owner; for wires, processors and pauses that of who waits."""
        wait: Any = None
        while isinstance(action, partial):
            wait = wait or next((value for value in action.args if isinstance(value, Wait)), None)
            action = action.func
        owner = getattr(action, "__self__", None)
        if owner is None:
            return layer_of_module(getattr(action, "__module__", None) or "cosim")
        if isinstance(owner, Clock):  # an event of SimPy
            return "parts"
        layer = self._by_class(owner)
        if layer != "other":
            return layer
        if isinstance(owner, Fluid):
            wait = owner.next_flow()
        elif isinstance(owner, Wait):
            wait = owner
        waiting = getattr(getattr(wait, "resume", None), "__self__", None)
        return layer if waiting is None else self._by_story(waiting)

    def _by_class(self, owner: object) -> str:
        kind = type(owner)
        layer = self._layers.get(kind)
        if layer is None:
            self._layers[kind] = layer = layer_of_module(kind.__module__)
        return layer

    def _by_story(self, waiting: object) -> str:
        frame = getattr(waiting.story, "gi_frame", None) if isinstance(waiting, Life) else None
        if frame is None:
            return self._by_class(waiting)
        layer = self._layers.get(frame.f_code)
        if layer is None:
            self._layers[frame.f_code] = layer = layer_of_module(frame.f_globals["__name__"])
        return layer


def profiled_facts(profile: CpuProfile | None, facts: FactWriter) -> FactWriter:
    """Return a writer that counts for `trace`, except for rows that are recorded one by one; the same object."""
    if profile is not None:
        profile.wrap(facts, "trace", "tick", "close")
        batch, timed = facts.batch, partial(profile.timed, "trace")
        setattr(facts, "batch", lambda fact: timed(batch(fact)))  # noqa: B010 - of the object, not of its class
    return facts


def profile_run(profile: CpuProfile, run: Assembly, source: MobilitySource) -> None:
    """Let the core of a run, its source of traffic and what stories use of its parts count for their layers.

    Args:
        profile: where CPU time is counted.
        run: core and parts.
        source: source of traffic.
    """
    context = run.context
    link = getattr(source, "link", None)
    profile.wrap(source, "positions", "advance")
    if link is not None:
        profile.wrap(link, "SUMO", "step")
    profile.wrap(run.channel, "radio", "tick", "uplink", "downlink", "carry_up", "stop", "coverage")
    if context.transport.sidelink is not None:
        profile.wrap(context.transport.sidelink, "radio", "tick", "send")
    profile.wrap(run.offloading, "stories", "begin", "refuse", "end_all")
    run.offloading.life = _layered(profile)
    if context.keys is not None:
        profile.wrap(context.keys, "keys", "request", "request_pair")
    if context.log is not None:
        profile.wrap(context.log, "ledger", "offload", "key_block", "key_fill")
    for part in run.parts:
        if layer_of_module(type(part).__module__) == "twin":  # what radio and wires hand to it
            profile.wrap(part.mirror, "twin", "apply")  # type: ignore[attr-defined]
            if part.forecaster is not None:  # type: ignore[attr-defined]
                profile.wrap(part.forecaster, "twin", "observe")  # type: ignore[attr-defined]


def _layered(profile: CpuProfile) -> type[Journey]:
    """Return the life of a task that counts for `stories` whenever it goes on."""
    switch = profile.switch

    class LayeredJourney(Journey):
        def resume(self, over: Wait) -> None:
            before = switch("stories")
            try:
                super().resume(over)
            finally:
                switch(before)

    return LayeredJourney
