"""A run from one decision epoch to the next: traffic moves, parts follow, tasks are released, a policy decides."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import fields, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from cosim.assembly import Maker, assemble, make_parts
from cosim.decision import Action, DecisionEpoch, Observation, Policy
from cosim.errors import InputError, RunError
from cosim.journey import Decision
from cosim.kernel.clock import LAST, Clock, quiet_collector
from cosim.mobility.connect import connect
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.source import MobilityFrame, MobilitySource
from cosim.part import Part, hooks
from cosim.profiling import CpuProfile, LayeredClock, layer_of_module, profile_run, profiled_facts
from cosim.radio.interference import interference_note
from cosim.scenario.schema import Scenario
from cosim.scenario.sense import Shown, Stand, sense_notes
from cosim.scenario.traffic import LibsumoMobility, TraciMobility
from cosim.tasks.source import Releases, Task, as_tasks, picked, task_source
from cosim.trace.facts.run import (
    TaskDecided,
    TaskReleased,
    TeleportEnded,
    TeleportStarted,
    VehicleEntered,
    VehicleLeft,
    VehicleMoved,
)
from cosim.trace.store.writer import FactWriter, NullWriter
from cosim.types import AnyArray, FloatArray, Status, read_only
from cosim.user_code import KeptProcess, failure_of

P = TypeVar("P", bound=Part)
_KNOBS = {
    "share": "share",
    "power_w": "power",
    "cpu_share": "cpu_share",
    "detector": "detector",
    "proposer": "proposer",
}
_SHOWN = ("option", "share", "power_w", "cpu_share", "detector")
_RELEASED = tuple(field.name for field in fields(TaskReleased))


class Simulation:
    """One run: `advance` returns the next decision epoch, `decide` answers it, and `run` does both until the end.

        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
        >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder)
        >>> epochs = 0
        >>> while (epoch := run.advance()) is not None:
        ...     run.decide(cosim.Action(option=epoch.observation.expected_s.argmin(axis=1)))
        ...     epochs += 1
        >>> epochs > 0, run.clock.now
        (True, 2.0)
        >>> run.close()

    Attributes:
        scenario: scenario of the run.
        clock: simulated time; SimPy processes can be started on it.
        facts: where facts are recorded.
        source: source of traffic.
        tasks: source of tasks.
        parts: all parts, in the order of their hooks.
        sites: sites by number, with positions in m.
        channel: radio cells and transfers.
        context: what a process on the clock may use.
    """

    def __init__(
        self,
        scenario: Scenario,
        facts: FactWriter | None = None,
        folder: Path = Path(),
        source: MobilitySource | None = None,
        parts: Iterable[Maker] = (),
        at_end: Callable[[Observation], None] | None = None,
        profile: CpuProfile | None = None,
    ) -> None:
        """Build a run.

        Args:
            scenario: scenario of the run.
            facts: where facts are recorded; nowhere by default.
            folder: folder that relative paths of the scenario start from.
            source: source of traffic instead of the scenario's own.
            parts: makers of more parts, called with a `cosim.assembly.PartContext`; their hooks come last. A kind of
                fact that they record must belong to a package (`cosim.subjects`).
            at_end: called when the duration is over, with the observation of the tasks that still wait for a decision
                then, if any do: of the state before they and the tasks on their way are cut off. It changes nothing.
            profile: where CPU time is counted by layer; None: it is not.

        Raises:
            InputError: the scenario names something that does not exist.
            RunError: the source of traffic failed.
        """
        self.scenario = scenario
        self.clock = clock = Clock() if profile is None else LayeredClock(profile)
        self.facts = facts = profiled_facts(profile, facts or NullWriter())
        self._profile = profile
        self.source = source or self._connected(folder)
        try:
            self._run = assemble(clock, scenario, folder, self.source, facts)
            self.tasks = task_source(scenario.tasks, scenario.seed, folder)
            self._register()
            makers = list(parts)
            made = make_parts(self._run.context, makers)
            self._packages = _packages(made[: len(made) - len(makers)])
            self.parts = (*self._run.parts, *made)
        except BaseException:
            self.source.close()
            raise
        self.sites = self._run.sites
        self.channel = self._run.channel
        self.context = self._run.context
        """What a process on the clock may use."""
        self._waiting = self._run.waiting
        self._on_tick = [(self._hooks([part], "tick"), self._hooks([part], "leave")) for part in self.parts]
        self._on_release = self._hooks(self.parts, "released")
        self._on_turn = self._hooks(self.parts, "turned")
        self._on_sample = self._hooks(self.parts, "sample")
        self._epoch: DecisionEpoch | None = None
        self._decided: dict[str, AnyArray] | None = None
        self._content: tuple[bytes, ...] = ()
        self._drawn: deque[Releases] = deque()
        """Tasks of the coming ticks, by tick."""
        self._over = False
        self._at_end = at_end
        self._ignored: dict[str, str] = {}
        self._frame: MobilityFrame
        self._off_road: frozenset[int] = frozenset()
        self._record_entry = facts.recorder(VehicleEntered)
        self._record_left = facts.batch(VehicleLeft)
        self._record_teleport = facts.batch(TeleportStarted)
        self._record_back = facts.batch(TeleportEnded)
        self._record_positions = facts.batch(VehicleMoved)
        self._record_releases = facts.batch(TaskReleased)
        self._record_decisions = facts.batch(TaskDecided)
        if profile is not None:
            profile_run(profile, self._run, self.source)
            for layer, name in (("release", "_release"), ("stories", "_start"), ("observation", "_shown")):
                profile.wrap(self, layer, name)

    def _connected(self, folder: Path) -> MobilitySource:
        """Return the scenario's own source of traffic; SUMO drives up to where the run begins."""
        scenario, profile = self.scenario, self._profile
        driven = "SUMO" if isinstance(scenario.mobility, LibsumoMobility | TraciMobility) else "positions"
        with nullcontext() if profile is None else profile.within(driven):
            return connect(scenario.mobility, scenario.map, folder, scenario.seed, scenario.duration_s)

    def _hooks(self, parts: Sequence[Part], name: str) -> list[Callable[..., Any]]:
        """Return the hooks of that name of the parts that override it, each counted for its part's layer."""
        found, profile = hooks(parts, name), self._profile
        if profile is None:
            return found
        return [profile.timed(layer_of_module(type(hook.__self__).__module__), hook) for hook in found]  # type: ignore[attr-defined]

    def _register(self) -> None:
        """Register ticks, samples, decisions and the end with the clock."""
        scenario, clock = self.scenario, self.clock
        clock.every(scenario.mobility.step_s, self._tick)
        clock.every(scenario.trace.sample_s, self._sample, first=1, priority=LAST)
        if scenario.decisions.kind == "periodic":
            clock.every(scenario.decisions.period_s, self._decide_due, first=1, priority=LAST)
        clock.at(scenario.duration_s, self._finish, priority=LAST + 1)

    # --- the loop --------------------------------------------------------------------------------------------------

    def advance(self) -> DecisionEpoch | None:
        """Run to the next epoch at which tasks wait and return it; None when the scenario's duration is over.

        Raises:
            RuntimeError: the epoch before has not been answered.
        """
        if self._epoch is not None:
            raise RuntimeError("this epoch waits for decide()")
        if not self._over:
            self._guarded(self.clock.advance)
        return self._epoch

    @property
    def exhausted(self) -> bool:
        """Whether it is known that no task is released any more, at no later time either, were the duration longer."""
        return self.tasks.exhausted(self.clock.now)

    def true_observation(self) -> Observation:
        """Return the epoch's observation of the true state, as with `decisions.observation: truth`.

        Raises:
            RuntimeError: no epoch waits for a decision.
        """
        if self._decided is None or self._epoch is None:
            raise RuntimeError("no epoch waits for a decision")
        if self._run.true_observer is self._run.observer:
            return self._epoch.observation
        return self._run.true_observer.observe(self.clock.now, self._decided)

    def decide(self, action: Action) -> None:
        """Answer the epoch that waits; its tasks set out when the clock goes on.

        Raises:
            RuntimeError: no epoch waits for a decision.
            WrittenError: the epoch's observation is not as it was.
        """
        self._answer(action, repeated=False)

    def repeat(self, action: Action) -> None:
        """Answer the epoch that waits with what was carried out before: its options and knobs hold as they stand.

        Unlike in `decide`, `decisions.knobs` takes none of them away.

        Raises:
            RuntimeError: no epoch waits for a decision.
        """
        self._answer(action, repeated=True)

    def run(
        self,
        policy: Policy,
        progress: Callable[[float], None] | None = None,
        past: Callable[[Observation], Action | None] | None = None,
    ) -> None:
        """Run to the end under a policy.

        Args:
            policy: answers each epoch.
            progress: called with the simulated time in s at each epoch.
            past: gives the decision of an epoch that is to be repeated, None where the policy is asked.
        """
        decide = policy.decide if self._profile is None else self._profile.timed("policy", policy.decide)
        with quiet_collector():
            if self._profile is not None:
                self._profile.switch("other")
            while (epoch := self.advance()) is not None:
                if progress is not None:
                    progress(epoch.time_s)
                repeated = None if past is None else past(epoch.observation)
                if repeated is not None:
                    self.repeat(repeated)
                else:
                    self.decide(decide(epoch.observation))

    def part(self, kind: type[P]) -> P:
        """Return the part of that class.

        Raises:
            LookupError: the run has none.
        """
        for part in self.parts:
            if isinstance(part, kind):
                return part
        raise LookupError(f"this run has no {kind.__name__}; give its section in the scenario")

    def notes(self) -> Iterator[str]:
        """Yield remarks for the user about the run that no fact records."""
        told = interference_note(self.scenario.radio, len(self.sites))
        if told is not None:
            yield told
        if isinstance(self.source, RecordedMobility):
            yield from self.source.notes
        edge = self.scenario.compute.edge.cores
        stands = [Stand(one.name, one.x_m, one.y_m, edge if one.cores is None else one.cores) for one in self.sites]
        yield from sense_notes(self.scenario, Shown(stands))
        for name, knob in sorted(self._ignored.items()):
            yield f"the policy turned {name}, which decisions.knobs does not hand over; add {knob} to it"
        if self.tasks.dropped:
            yield f"{self.tasks.dropped} arrivals were left out: their vehicles were not on the map at the time"

    def close(self) -> None:
        """Close the source of traffic; may be called twice."""
        self.source.close()

    def _answer(self, action: Action, *, repeated: bool) -> None:
        if self._decided is None or self._epoch is None:
            raise RuntimeError("no epoch waits for a decision")
        columns, observation = self._decided, self._epoch.observation
        observation.check_content(self._content)
        self._decided = self._epoch = None
        if not repeated:
            action = self._handed_over(action, observation)
        self._guarded(self._start, as_tasks(columns), observation, action)

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """Take a step, in which an error out of the part of a package, or of its processes, is one line."""
        if not self._packages:
            step(*arguments)
            return
        try:
            with KeptProcess():
                step(*arguments)
        except (InputError, RunError):
            raise
        except (Exception, SystemExit) as error:
            told = failure_of(self._packages, self.clock.now, error)
            if told is None:
                raise
            raise told from error

    # --- what happens at a tick ------------------------------------------------------------------------------------

    def _tick(self, tick: int) -> None:
        now = self.clock.now
        frame = self.source.advance(tick).read_only()
        self._frame = frame
        for entry in frame.entered:
            self._record_entry(now, *entry)
        self._run.vehicle_hosts.enter([entry.number for entry in frame.entered])
        if len(frame.left):
            self._record_left(time_s=now, vehicle=frame.left)
        # Radio before the parts: their hooks read the serving sites of this tick.
        self.channel.tick(frame.numbers, frame.xy_m, frame.left, tick, frame.coming_m)
        gone = MappingProxyType(dict.fromkeys(frame.left.tolist()))  # in order, quick to look up, not to be changed
        for ticks, leaves in self._on_tick:
            for hook in ticks:
                hook(frame, tick)
            for hook in leaves if gone else ():
                hook(gone)
        self._run.vehicle_hosts.leave(gone)
        for task in self._waiting.drop(frame.left):
            self._run.offloading.refuse(task, Status.LEFT, now)
        self._teleports(frame)
        if self.facts.records and self.scenario.trace.positions and len(frame.numbers):
            self._tell_positions(frame)
        self._release(frame, tick)
        self.facts.tick(now)

    def _tell_positions(self, frame: MobilityFrame) -> None:
        self._record_positions(
            time_s=self.clock.now,
            vehicle=frame.numbers,
            x_m=frame.xy_m[:, 0],
            y_m=frame.xy_m[:, 1],
            speed_mps=frame.speed_mps,
            site=self.channel.air.serving,
        )

    def _teleports(self, frame: MobilityFrame) -> None:
        on_road = frame.on_road
        if np.count_nonzero(on_road) == len(on_road) and not self._off_road:
            return
        off_road = frozenset(frame.numbers[~on_road].tolist())
        started = np.array(sorted(off_road - self._off_road), np.int64)
        ended = np.array(sorted((self._off_road - off_road).intersection(frame.numbers.tolist())), np.int64)
        if len(started):
            self._record_teleport(time_s=frame.time_s, vehicle=started)
        if len(ended):
            self._record_back(time_s=frame.time_s, vehicle=ended)
        self._off_road = off_road

    def _release(self, frame: MobilityFrame, tick: int) -> None:
        self.tasks.enter(frame.entered)
        if self._drawn and (frame.entered or len(frame.left)):
            raise RunError(
                f"the source of traffic gave positions beyond {frame.time_s:g} s of vehicles that now change"
            )
        if not self._drawn:
            # While vehicles neither come nor go, the tasks of many ticks are drawn at once.
            coming = 0 if frame.coming_m is None else len(frame.coming_m)
            ends = (min((tick + k) * self.source.step_s, self.scenario.duration_s) for k in range(coming + 2))
            instants_s = list(dict.fromkeys(ends))
            if len(instants_s) < 2:
                return
            self._drawn.extend(self.tasks.draw_all(frame, instants_s))
        releases = self._drawn.popleft()
        if not len(releases):
            return
        for hook in self._on_release:
            hook(releases)
        if self.facts.records:
            self._record_releases(**{name: getattr(releases, name) for name in _RELEASED})
        self._waiting.add(releases)
        if self.scenario.decisions.kind == "per_task":
            for time_s in np.unique(releases.time_s).tolist():
                self.clock.at(time_s, partial(self._decide_due, 0), LAST)

    # --- what happens at an epoch ----------------------------------------------------------------------------------

    def _decide_due(self, _: int) -> None:
        """Halt the clock for a decision if tasks wait."""
        count = self._waiting.due(self.clock.now)
        if not count:
            return
        columns, expired = self._in_time(self._waiting.take(count))
        for task in expired:
            self._run.offloading.refuse(task, Status.EXPIRED, task.deadline_s)
        if not len(columns["task"]):
            return
        self._decided = columns
        self._epoch = DecisionEpoch(self.clock.now, self._shown(columns))
        self.clock.halt()

    def _shown(self, columns: dict[str, AnyArray]) -> Observation:
        """Return the observation of the tasks to be decided, of which it keeps the content."""
        observation = self._run.observer.observe(self.clock.now, columns)
        used = self.facts.records or "target" not in self.scenario.decisions.knobs  # after the decision
        self._content = observation.content(expected=used)
        return observation

    def _in_time(self, columns: dict[str, AnyArray]) -> tuple[dict[str, AnyArray], list[Task]]:
        """Return the columns of the tasks that are still to be decided, and the tasks whose deadline dropped them."""
        if self.scenario.tasks.on_deadline != "drop":
            return columns, []
        in_time = columns["deadline_s"] > self.clock.now
        return picked(columns, in_time), as_tasks(picked(columns, ~in_time))

    def _start(self, tasks: list[Task], observation: Observation, action: Action) -> None:
        count, option = len(tasks), action.option
        share = _knob(action.share, count, 1.0, 1.0)
        cpu_share = _knob(action.cpu_share, count, 1.0, 1.0)
        power_w = _knob(action.power_w, count, self.scenario.radio.vehicle_power_w, observation.max_power_w)
        if self._on_turn:
            shown = _copied(action)
            for hook in self._on_turn:
                hook(shown)
        place = np.arange(0, observation.tier.size, observation.tier.shape[1]) + option  # in the flattened tables
        tier, target = observation.tier.take(place), observation.target.take(place)
        now = self.clock.now
        if self.facts.records:
            self._record_decisions(
                time_s=now,
                task=observation.task,
                tier=tier,
                target=target,
                share=share,
                power_w=power_w,
                cpu_share=cpu_share,
                expected_s=observation.expected_s.take(place),
                alone_bps=observation.alone_bps.take(place),
                clean_bps=observation.clean_bps.take(place),
            )
        columns = (tier.tolist(), target.tolist(), share, power_w, cpu_share)
        # tuple.__new__ skips the Python call of a NamedTuple's own constructor.
        choices = map(partial(tuple.__new__, Decision), zip(repeat(now), *columns, strict=False))
        self._run.offloading.begin(tasks, choices)

    def _handed_over(self, action: Action, observation: Observation) -> Action:
        """Return the action with the options taken, and without the knobs that the scenario does not hand over.

        `notes` reports the knobs that are left out.
        """
        knobs = self.scenario.decisions.knobs
        option = np.asarray(action.option, np.int64) if "target" in knobs else observation.expected_s.argmin(axis=1)
        ignored = [name for name, knob in _KNOBS.items() if knob not in knobs and getattr(action, name) is not None]
        if not ignored and option is action.option:
            return action
        self._ignored.update((name, _KNOBS[name]) for name in ignored)
        nothing: dict[str, Any] = dict.fromkeys(ignored)
        return replace(action, option=option, **nothing)

    # --- the end ---------------------------------------------------------------------------------------------------

    def _sample(self, _: int) -> None:
        for hook in self._on_sample:
            hook(self._frame)

    def _finish(self) -> None:
        """End the run: tasks that are still alive are in flight."""
        now = self.clock.now
        if (now / self.scenario.trace.sample_s) % 1.0:
            self._sample(0)
        columns = self._waiting.take(len(self._waiting))
        if self._at_end is not None:
            waiting, _ = self._in_time(columns)
            if len(waiting["task"]):
                self._at_end(self._run.observer.observe(now, waiting))
        self._run.offloading.end_all()
        for task in as_tasks(columns):
            self._run.offloading.refuse(task, Status.IN_FLIGHT, now)
        for hook in self._hooks(self.parts, "finish"):
            hook()
        self._over = True
        self.clock.halt()


def _packages(parts: Iterable[Part]) -> dict[str, str]:
    """Return what each package brings to the run, by its name."""
    return {type(part).__module__.partition(".")[0]: f"part {type(part).__name__}" for part in parts}


def _copied(action: Action) -> Action:
    """Return an action with arrays that nobody can write; a policy may write its own again."""
    given = {name: getattr(action, name) for name in _SHOWN}
    arrays: dict[str, Any] = {name: read_only(np.array(one)) for name, one in given.items() if one is not None}
    return replace(action, **arrays)


def _knob(given: FloatArray | None, count: int, default: float, most: float) -> list[float]:
    """Return the values of a knob, kept in (0, most]; the default where the policy does not turn it."""
    return [default] * count if given is None else clip_knob(given, most).tolist()


def clip_knob(given: FloatArray, most: float) -> FloatArray:
    """Return the values of a knob, kept in (0, most]."""
    kept: FloatArray = np.minimum(np.maximum(np.asarray(given, float), 1e-6 * most), most)
    return kept
