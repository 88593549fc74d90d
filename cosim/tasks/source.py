"""The tasks of a run: drawn at each tick, the same under every policy, and kept until they are decided.

Arrivals, classes, sizes and semantics have a stream each, and no decision of a policy moves any of them: one map,
demand and seed give one set of tasks.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cosim.distributions import Columns, draw
from cosim.errors import RunError
from cosim.kernel.rng import stream
from cosim.mobility.source import Entry, MobilityFrame
from cosim.plugins import make_plugin
from cosim.scenario.section import Distribution
from cosim.scenario.work import Arrivals, FileArrivals, PluginArrivals, Semantic, TaskClass, Tasks
from cosim.tasks.arrivals import SIZES, ArrivalProcess, Arrived, Fleet
from cosim.tasks.arrivals_file import read_arrivals
from cosim.tasks.arrivals_poisson import PoissonProcess
from cosim.tasks.semantic import priority_score, queue_priority, sent_bit, sent_share, worked_cycles
from cosim.types import AnyArray, BoolArray, FloatArray, IntArray, read_only
from cosim.user_code import GuardedObject

_MEANINGS = ("efficiency", "vehicle_accuracy", "edge_accuracy")
_WHOLE = Semantic(
    efficiency=1.0,
    vehicle_accuracy=1.0,
    edge_accuracy=1.0,
    min_efficiency=1.0,
    priority_weight=0.0,
    urgency_weight=-1.0,
)
"""A class without semantics: everything is sent and worked, and the earliest deadline goes first."""


class Task(NamedTuple):
    """One task, as its story knows it."""

    task: int
    """Task number."""
    vehicle: int
    """Number of its vehicle."""
    task_class: int
    """Index in tasks.classes."""
    released_s: float
    """Simulated time of release."""
    deadline_s: float
    """Absolute deadline."""
    input_bit: float
    """Bits to be sent, D sigma_ij."""
    output_bit: float
    """Bits of the result."""
    cycles: float
    """s_c."""
    vehicle_cycles: float
    """Cycles in a vehicle, s_c sigma_i."""
    edge_cycles: float
    """Cycles at a site or in the cloud, s_c sigma_j."""
    priority: float
    """Priority in a queue, larger first."""


@dataclass(frozen=True, slots=True)
class Releases:
    """The tasks of an interval in order of release, (n,) each: the fact TaskReleased, and what models make of it."""

    time_s: FloatArray
    """Times of release."""
    task: IntArray
    """Task numbers, ascending."""
    vehicle: IntArray
    """Numbers of their vehicles."""
    task_class: IntArray
    """Index in tasks.classes."""
    deadline_s: FloatArray
    """Absolute deadlines."""
    input_bit: FloatArray
    """Bits of the data, D, before semantic extraction."""
    output_bit: FloatArray
    """Bits of the results."""
    cycles: FloatArray
    """s_c."""
    priority: FloatArray
    """Priority in a queue, larger first."""
    efficiency: FloatArray
    """sigma_ij, share of the data that is sent."""
    vehicle_accuracy: FloatArray
    """sigma_i, factor on the cycles in a vehicle."""
    edge_accuracy: FloatArray
    """sigma_j, factor on the cycles at a site or in the cloud."""
    sent_bit: FloatArray
    """Bits of the data after semantic extraction."""
    vehicle_cycles: FloatArray
    """Cycles in a vehicle, s_c sigma_i."""
    edge_cycles: FloatArray
    """Cycles at a site or in the cloud, s_c sigma_j."""

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self.time_s)

    def stored(self) -> dict[str, AnyArray]:
        """Return the columns of `Task`, by name."""
        return {
            "task": self.task,
            "vehicle": self.vehicle,
            "task_class": self.task_class,
            "released_s": self.time_s,
            "deadline_s": self.deadline_s,
            "input_bit": self.sent_bit,
            "output_bit": self.output_bit,
            "cycles": self.cycles,
            "vehicle_cycles": self.vehicle_cycles,
            "edge_cycles": self.edge_cycles,
            "priority": self.priority,
        }


def as_tasks(columns: Mapping[str, AnyArray]) -> list[Task]:
    """Return a tuple for each task of `Releases.stored`; built without a Python call for each."""
    rows = [columns[name].tolist() for name in Task._fields]
    return list(map(partial(tuple.__new__, Task), zip(*rows, strict=True)))


def picked(columns: Mapping[str, AnyArray], rows: BoolArray) -> dict[str, AnyArray]:
    """Return some rows of columns; read-only."""
    return {name: read_only(values[rows]) for name, values in columns.items()}


class TaskSource:
    """Draws class and sizes of each arrival, and numbers the tasks.

    Args:
        classes: section `tasks.classes` of the scenario.
        process: when and where tasks arrive.
        seed: seed of the run.
    """

    dropped: int
    """Number of arrivals so far whose vehicle was not on the map."""

    def __init__(self, classes: Sequence[TaskClass], process: ArrivalProcess, seed: int) -> None:
        self.dropped = 0
        self._process = process
        self._classes = classes
        self._sizes = _ByClass({name: [getattr(one, name) for one in classes] for name in SIZES})
        semantics = [one.semantic or _WHOLE for one in classes]
        self._meanings = _ByClass({name: [getattr(one, name) for one in semantics] for name in _MEANINGS})
        self._floor = np.array([one.min_efficiency for one in semantics])
        self._weight = np.array([one.priority_weight for one in semantics])
        self._urgency = np.array([one.urgency_weight for one in semantics])
        self._choice_rng = stream(seed, "task-classes")
        self._size_rng = stream(seed, "task-sizes")
        self._semantic_rng = stream(seed, "semantic")
        self._next_task = 0
        self._type_names: list[str] = []
        self._type_index: dict[str, int] = {}
        self._reach = np.zeros((0, len(classes)))  # (types, classes): cumulated class shares, 0 where a type has none
        self._type_of: IntArray = np.full(1024, -1)  # by vehicle number

    def enter(self, entries: Iterable[Entry]) -> None:
        """Register vehicles that have entered; must be called before `draw` with their first frame."""
        entries = tuple(entries)
        for entry in entries:
            while entry.number >= len(self._type_of):
                self._type_of = np.concatenate([self._type_of, np.full(len(self._type_of), -1)])
            self._type_of[entry.number] = self._type(entry.vehicle_type)
        self._process.enter(entries)

    def draw(self, frame: MobilityFrame, start_s: float, end_s: float) -> Releases:
        """Return the tasks that the vehicles of `frame` release in [start_s, end_s).

        A vehicle whose type may release no class releases nothing.

        Args:
            frame: vehicles on the map.
            start_s: begin of the interval.
            end_s: its end.

        Raises:
            RunError: the arrival process broke its contract (times out of order or interval, unknown vehicles).
        """
        return self.draw_all(frame, (start_s, end_s))[0]

    def draw_all(self, frame: MobilityFrame, instants_s: Sequence[float]) -> list[Releases]:
        """Return the tasks of several intervals in which the same vehicles are on the map: as `draw` for each in turn.

        Args:
            frame: vehicles on the map.
            instants_s: begin of the first interval, and the end of each, ascending.

        Raises:
            RunError: as `draw`.
        """
        fleet = Fleet(frame.numbers, read_only(self._type_of[frame.numbers]), tuple(self._type_names))
        drawn = [_kept(self._process.draw(fleet, start_s, end_s)) for start_s, end_s in pairwise(instants_s)]
        arrived = drawn[0] if len(drawn) == 1 else _joined(drawn)
        interval = np.arange(len(drawn)).repeat([len(one.time_s) for one in drawn])
        types = self._checked_types(arrived, interval, np.array(instants_s))
        self.dropped += arrived.dropped
        task_class = self._choose(arrived, types)
        able = task_class >= 0
        if np.count_nonzero(able) < len(able):
            given = {name: values[able] for name, values in arrived.given.items()}
            arrived = Arrived(arrived.time_s[able], arrived.vehicle[able], given=given)
            task_class, interval = task_class[able], interval[able]
        return self._released(arrived, task_class, np.bincount(interval, minlength=len(drawn)))

    def exhausted(self, now_s: float) -> bool:
        """Return whether it is known that no task comes at or after now_s; vehicles may still enter."""
        tell = getattr(self._process, "exhausted", None)
        return tell is not None and bool(tell(now_s))

    def _type(self, name: str) -> int:
        """Return the index of a vehicle type; a new one gets its class shares."""
        if name not in self._type_index:
            self._type_index[name] = len(self._type_names)
            self._type_names.append(name)
            shares = [c.weight if c.vehicle_types is None or name in c.vehicle_types else 0.0 for c in self._classes]
            reach = np.cumsum(shares)
            row = reach / reach[-1] if reach[-1] > 0 else np.zeros(len(shares))
            self._reach = np.vstack([self._reach, row])
        return self._type_index[name]

    def _choose(self, arrived: Arrived, types: IntArray) -> IntArray:
        """Return the class of each arrival: as given, or drawn by weight among those of its vehicle type; -1: none."""
        reach = self._reach.take(types, axis=0)  # (n, classes)
        drawn: IntArray = (reach[:, -1] > 0.0) - 1
        if len(self._classes) > 1:
            place = (self._choice_rng.random(len(reach))[:, None] >= reach[:, :-1]).sum(axis=1)
            drawn = np.where(drawn == 0, place, -1)
        if arrived.task_class is None:
            return drawn
        return np.where(arrived.task_class >= 0, arrived.task_class, drawn)

    def _released(self, arrived: Arrived, task_class: IntArray, counts: IntArray) -> list[Releases]:
        """Return the tasks of each interval.

        Args:
            arrived: the arrivals of all intervals.
            task_class: (n,) their classes.
            counts: numbers of arrivals by interval, n together.
        """
        size = self._sizes.draw(task_class, counts, self._size_rng)
        for name, given in arrived.given.items():
            size[name] = np.where(np.isnan(given), size[name], given)
        meaning = self._meanings.draw(task_class, counts, self._semantic_rng)
        deadline_s = arrived.time_s + size["deadline_s"]
        score = priority_score(size["cycles"], self._weight.take(task_class))
        first = self._next_task
        self._next_task += len(task_class)
        cycles, efficiency = size["cycles"], sent_share(meaning["efficiency"], self._floor.take(task_class))
        vehicle_accuracy, edge_accuracy = meaning["vehicle_accuracy"], meaning["edge_accuracy"]
        columns: dict[str, AnyArray] = {
            "time_s": arrived.time_s,
            "task": np.arange(first, self._next_task),
            "vehicle": arrived.vehicle,
            "task_class": task_class,
            "deadline_s": deadline_s,
            "input_bit": size["input_bit"],
            "output_bit": size["output_bit"],
            "cycles": cycles,
            "priority": queue_priority(score, deadline_s, self._urgency.take(task_class)),
            "efficiency": efficiency,
            "vehicle_accuracy": vehicle_accuracy,
            "edge_accuracy": edge_accuracy,
            "sent_bit": sent_bit(size["input_bit"], efficiency),
            "vehicle_cycles": worked_cycles(cycles, vehicle_accuracy),
            "edge_cycles": worked_cycles(cycles, edge_accuracy),
        }
        kept = [read_only(columns[name]) for name in Releases.__slots__]
        ends = np.cumsum(counts).tolist()
        return [Releases(*[values[begin:end] for values in kept]) for begin, end in pairwise((0, *ends))]

    def _checked_types(self, arrived: Arrived, interval: IntArray, instants_s: FloatArray) -> IntArray:
        """Return the vehicle type of each arrival, once times and vehicles are known to be right.

        Args:
            arrived: the arrivals, n.
            interval: (n,) interval of each.
            instants_s: begin of the first interval, and the end of each.

        Raises:
            RunError: they are not.
        """
        time_s, vehicle = arrived.time_s, arrived.vehicle
        right = (time_s >= instants_s.take(interval)) & (time_s < instants_s.take(interval + 1))
        right[1:] &= time_s[1:] >= time_s[:-1]
        if np.count_nonzero(right) < len(right):
            start_s, end_s = instants_s[interval[right.argmin()] :][:2]
            raise RunError(f"tasks.arrivals gave times out of order or outside [{start_s:g}, {end_s:g}) s; correct it")
        types = self._type_of.take(vehicle, mode="clip")
        known = (vehicle >= 0) & (vehicle < len(self._type_of)) & (types >= 0)
        if np.count_nonzero(known) < len(known):
            start_s = instants_s[interval[known.argmin()]]
            raise RunError(f"tasks.arrivals gave a vehicle that is not on the map at {start_s:g} s; correct it")
        return types


def _kept(arrived: Arrived) -> Arrived:
    """Return arrivals with arrays of their own: the process may write its own again."""
    chosen = None if arrived.task_class is None else np.array(arrived.task_class)
    given = {name: np.array(values) for name, values in arrived.given.items()}
    return Arrived(np.array(arrived.time_s), np.array(arrived.vehicle), chosen, given, arrived.dropped)


def _joined(parts: Sequence[Arrived]) -> Arrived:
    """Return the arrivals of several intervals; values that one of them leaves to be drawn are -1 or NaN."""
    chosen = None
    if any(part.task_class is not None for part in parts):
        chosen = np.concatenate(
            [np.full(len(part.time_s), -1) if part.task_class is None else part.task_class for part in parts]
        )
    given = {
        name: np.concatenate([part.given.get(name, np.full(len(part.time_s), np.nan)) for part in parts])
        for name in dict.fromkeys(name for part in parts for name in part.given)
    }
    return Arrived(
        np.concatenate([part.time_s for part in parts]),
        np.concatenate([part.vehicle for part in parts]),
        chosen,
        given,
        sum(part.dropped for part in parts),
    )


class _ByClass:
    """Columns for which each class of tasks has its own distributions."""

    def __init__(self, distributions: Mapping[str, Sequence[Distribution]]) -> None:
        self._distributions = distributions
        classes = len(next(iter(distributions.values())))
        self._single = Columns({name: each[0] for name, each in distributions.items()}) if classes == 1 else None

    def draw(self, task_class: IntArray, counts: IntArray, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Draw a value for each task from its class's distribution, interval by interval, and there column by column.

        Args:
            task_class: (n,) class of each task.
            counts: numbers of tasks by interval, n together.
            rng: the stream.
        """
        if self._single is not None:
            return self._single.draw(rng, counts)
        columns = {name: np.empty(len(task_class)) for name in self._distributions}
        ends = np.cumsum(counts).tolist()
        for begin, end in pairwise((0, *ends)):
            classes = task_class[begin:end]
            for name, of_classes in self._distributions.items():
                for place, distribution in enumerate(of_classes):
                    mine = classes == place
                    columns[name][begin:end][mine] = draw(distribution, rng, int(np.count_nonzero(mine)))
        return columns


def arrival_process(config: Arrivals, classes: Sequence[TaskClass], seed: int, folder: Path) -> ArrivalProcess:
    """Return the arrival process that a scenario names.

    A plug-in is called with the generator of the stream `arrivals` and its options as keywords, and returns an
    `ArrivalProcess`.

    Args:
        config: section `tasks.arrivals` of the scenario.
        classes: section `tasks.classes`; a file may name them.
        seed: seed of the run.
        folder: folder of the scenario file, from which a relative path is taken.

    Raises:
        InputError: a file or plug-in that cannot be used.
    """
    rng = stream(seed, "arrivals")
    match config:
        case FileArrivals(file=file):
            return read_arrivals(folder / file, [task_class.name for task_class in classes])
        case PluginArrivals(name=name, options=options):
            made: ArrivalProcess = make_plugin("cosim.arrivals", name, options, rng)
            return GuardedObject(f"plug-in {name!r} of cosim.arrivals", made)
        case _:
            return PoissonProcess(config, rng)


def task_source(config: Tasks, seed: int, folder: Path) -> TaskSource:
    """Return the source of a scenario's tasks.

    Args:
        config: section `tasks` of the scenario.
        seed: seed of the run.
        folder: folder of the scenario file, from which a relative path is taken.

    Raises:
        InputError: a file or plug-in that cannot be used.
    """
    process = arrival_process(config.arrivals, config.classes, seed, folder)
    return TaskSource(config.classes, process, seed)


class Waiting:
    """A queue of tasks that are released and not yet decided, in order of release.

    They are kept as columns, read-only: the tuples of the stories are made when they begin. There is a part for each
    interval of releases, so that an epoch which takes a whole one copies nothing.
    """

    def __init__(self) -> None:
        self._parts: deque[dict[str, AnyArray]] = deque()

    def __len__(self) -> int:
        """Number of tasks that wait, or will be released before the next tick."""
        return sum(len(part["task"]) for part in self._parts)

    def due(self, now_s: float) -> int:
        """Return the number of tasks released by now."""
        return sum(int(part["released_s"].searchsorted(now_s, side="right")) for part in self._parts)

    def add(self, releases: Releases) -> None:
        """Append the tasks of the coming interval."""
        self._parts.append(releases.stored())

    def take(self, count: int) -> dict[str, AnyArray]:
        """Remove the first `count` tasks and return their columns."""
        taken: list[dict[str, AnyArray]] = []
        while count > 0:
            part = self._parts.popleft()
            here = len(part["task"])
            if here > count:
                self._parts.appendleft({name: values[count:] for name, values in part.items()})
                part = {name: values[:count] for name, values in part.items()}
            taken.append(part)
            count -= here
        if len(taken) == 1:
            return taken[0]
        joined = {name: np.concatenate([part[name] for part in taken] or [np.empty(0)]) for name in Task._fields}
        return {name: read_only(values) for name, values in joined.items()}

    def drop(self, gone: IntArray) -> list[Task]:
        """Remove the tasks of vehicles that have left and return them."""
        dropped: list[Task] = []
        for place, part in enumerate(self._parts if len(gone) else ()):
            lost: BoolArray = np.isin(part["vehicle"], gone)
            if np.count_nonzero(lost):
                dropped += as_tasks(picked(part, lost))
                self._parts[place] = picked(part, ~lost)
        return dropped
