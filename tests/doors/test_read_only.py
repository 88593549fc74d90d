"""Everything that a policy, a part or an arrival process is given is read-only, in every scenario with every option."""

import ctypes
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from effort import rest_long

from cosim.assembly import PartContext
from cosim.decision import Action, WrittenError
from cosim.envs.loop import Loop
from cosim.mobility.source import MobilityFrame
from cosim.part import Part
from cosim.scenario.load import bundled_scenarios, load
from cosim.scenario.schema import Scenario
from cosim.simulation import Simulation
from cosim.tasks.arrivals import Fleet
from cosim.tasks.source import Releases
from cosim.twin.placing.model import PlacementProblem
from cosim.types import AnyArray

KEYS = "keys={vehicle: {kind: dock, capacity_bit: 100000}}"
LEDGER = "ledger={block: {interval_s: 1}}"
TWIN = "twin={placement: {policy: greedy, migration: {}}}"
SIDELINK = "radio.sidelink={range_m: 200}"
KNOBS = "decisions.knobs=[target, share, power, cpu_share, detector, proposer]"
SHORT = ["duration_s=3", "statistics.warmup_s=0"]
LARGE = ["grid", "quickstart", "s5_placement_city"]
CASES = [
    ("intersection", (KEYS, LEDGER, TWIN, SIDELINK, KNOBS, "decisions.observation=forecast")),
    ("per_task", (SIDELINK, "radio.association=target", "tasks.on_deadline=drop")),
    ("s1_semantic_iov", ()),
    *((name, ()) for name in sorted(bundled_scenarios(), key=LARGE.count) if name != "s1_semantic_iov"),
    *(
        ("highway_v2v", (*beside, f"decisions.observation={seen}", *radio))
        for beside in ((TWIN,), (TWIN, KEYS), (TWIN, LEDGER, KNOBS))
        for seen in ("truth", "mirror", "forecast")
        for radio in ((), ("radio.association=target",), ("radio.interference=true", "radio.sidelink=null"))
    ),
    ("intersection", ("radio.interference=false", "decisions={kind: per_task}", KEYS)),
    ("intersection", ("cloud={}", LEDGER, "decisions.reward.kind=realised")),
]


INDEXES = ("air.row",)
"""Dictionaries that parts look things up in, and that nobody is handed."""


def arrays_in(thing: Any, path: str) -> Iterator[tuple[str, AnyArray]]:
    """All arrays that can be reached: by fields, by public attributes and properties, in mappings and tuples.

    There is nothing else that can be changed in place on the way.
    """
    assert not isinstance(thing, list | set | bytearray | MutableMapping) or path in INDEXES, path
    if isinstance(thing, np.ndarray):
        yield path, thing
    elif isinstance(thing, Mapping):
        for name, value in thing.items():
            yield from arrays_in(value, f"{path}[{name!r}]")
    elif isinstance(thing, tuple):
        for number, value in enumerate(thing):
            yield from arrays_in(value, f"{path}[{number}]")
    elif not isinstance(thing, str | int | float | None | type) and not callable(thing):
        names = [field.name for field in fields(thing)] if is_dataclass(thing) else []
        for name in sorted({*names, *(name for name in dir(type(thing)) if not name.startswith("_"))}):
            value = getattr(thing, name)
            if not callable(value):
                yield from arrays_in(value, f"{path}.{name}")


class Writer:
    """Tries in every way to write to what it is given, and keeps the names of the arrays that it has tried."""

    def __init__(self) -> None:
        self.tried: set[str] = set()

    def write(self, thing: Any, name: str) -> None:
        """Each array refuses to be written, to become writeable, and so does what it is a view of."""
        for path, array in arrays_in(thing, name):
            self.tried.add(path)
            with pytest.raises(ValueError, match="read-only"):
                array[...] = array
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.setflags(write=True)
            owner = array.base
            assert isinstance(owner, np.ndarray), path
            while isinstance(owner, np.ndarray):
                assert not owner.flags.writeable, path
                owner = owner.base


def writing_part(writer: Writer) -> Any:
    """The maker of a part that tries to write to all that its hooks are given, and to the state that it may read."""

    class WritingPart(Part):
        def __init__(self, context: PartContext) -> None:
            self.context = context
            writer.write((context.topology.latency_s, context.topology.per_bit_s), "topology")
            writer.write(context.transport.channel.site_xy_m, "sites")

        def tick(self, frame: MobilityFrame, tick: int) -> None:  # noqa: ARG002 - the hook's signature
            writer.write(frame, "frame")
            writer.write(self.context.transport.channel.air, "air")

        def leave(self, gone: Collection[int]) -> None:
            assert not hasattr(gone, "clear")

        def released(self, releases: Releases) -> None:
            writer.write(releases, "releases")

        def turned(self, action: Action) -> None:
            writer.write(action, "action")

        def sample(self, frame: MobilityFrame) -> None:
            writer.write(frame, "sampled")

    return WritingPart


def turned(scenario: Scenario, tasks: int, observation: Any) -> Action:
    """An action with every knob that can be turned."""
    knobs: dict[str, Any] = {name: np.full(tasks, 0.5) for name in ("share", "cpu_share")}
    knobs["power_w"] = np.full(tasks, observation.max_power_w / 2)
    if scenario.keys is not None:
        knobs["detector"] = np.full(len(observation.keys.detector), 0.5)
    if scenario.ledger is not None:
        knobs["proposer"] = 0
    return Action(observation.expected_s.argmin(axis=1), **knobs)


@pytest.mark.parametrize(("name", "options"), rest_long(CASES, 3))
def test_nothing_that_is_given_can_be_written(
    name: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No array of an observation, frame, release, action or placement can be written, nor what it is a view of."""
    writer = Writer()
    post_init = PlacementProblem.__post_init__

    def looked_at(problem: PlacementProblem) -> None:
        post_init(problem)
        writer.write(tuple(getattr(problem, one) for one in problem.__slots__), "problem")

    monkeypatch.setattr(PlacementProblem, "__post_init__", looked_at)
    loaded = load(name, [*SHORT, *options])
    run = Simulation(loaded.scenario, folder=loaded.folder, parts=[writing_part(writer)])
    process = run.tasks._process
    real = process.draw

    def drawn(fleet: Fleet, start_s: float, end_s: float) -> Any:
        writer.write(fleet, "fleet")
        return real(fleet, start_s, end_s)

    process.draw = drawn
    while (epoch := run.advance()) is not None:
        observation = epoch.observation
        writer.write(observation, "observation")
        writer.write(run.true_observation(), "truth")
        run.decide(turned(loaded.scenario, len(observation), observation))
    run.close()
    reached = {path for path in writer.tried if path.startswith("observation.")}
    scenario = loaded.scenario
    wanted = 26 + 1 + 5 * (scenario.keys is not None) + (scenario.ledger is not None) + 4 * (scenario.twin is not None)
    assert len(reached) == wanted, sorted(reached)
    assert {"frame.xy_m", "fleet.numbers", "releases.input_bit", "action.option", "air.snr_per_w"} <= writer.tried
    if scenario.twin is not None and scenario.twin.placement is not None:
        assert "problem[0]" in writer.tried


@pytest.mark.parametrize("options", [(KEYS, LEDGER, TWIN, KNOBS), ("decisions.knobs=[share]",)])
def test_what_is_written_past_numpy_is_found(options: tuple[str, ...]) -> None:
    """A byte that changes in any array of an observation while a policy decides is an error that names the array.

    Libraries that take over memory, as `torch.from_numpy`, do not ask whether NumPy may write to it.
    """
    loaded = load("intersection", [*SHORT, *options])
    run = Simulation(loaded.scenario, folder=loaded.folder)
    epoch = run.advance()
    assert epoch is not None
    observation = epoch.observation
    arrays = {name: value for name, value in vars(observation).items() if isinstance(value, np.ndarray)}
    assert len(arrays) == 26 + (loaded.scenario.ledger is not None) + ("target" not in loaded.scenario.decisions.knobs)
    action = Action(np.zeros(len(observation), np.int64))
    for name, array in arrays.items():
        last = array.ctypes.data + array.nbytes - 1
        (before,) = ctypes.string_at(last, 1)
        ctypes.memset(last, before ^ 1, 1)
        with pytest.raises(WrittenError, match=f"^observation.{name} is read-only and was written to"):
            run.decide(action)
        ctypes.memset(last, before, 1)
    run.decide(action)
    run.close()


@pytest.mark.parametrize("reward", ["analytic", "realised"])
def test_rounds_of_environments(reward: str) -> None:
    """What a round and a step of an environment take from the simulation is read-only as well."""
    writer = Writer()
    loop = Loop(load("intersection", [*SHORT, KEYS, f"decisions.reward.kind={reward}"]), rows=1)
    waiting = loop.reset(seed=1)
    for _ in range(10):
        writer.write(waiting.observation, "observation")
        waiting.features[...] *= 0.5  # made for the learner alone
        step = loop.step(Action(np.zeros(1, np.int64)))
        if step.over:
            break
        assert step.following is not None
        waiting = step.following
    assert "observation.keys.vehicle_bit" in writer.tried
    loop.close()


def test_a_source_may_write_its_own_arrays_again() -> None:
    """A frame with arrays that its source can write is shown as a copy; one without is shown as it is."""
    numbers, place = np.arange(2), np.zeros((2, 2))
    frame = MobilityFrame(0.0, numbers, place, np.zeros(2), np.zeros(2), (), np.empty(0, np.int64))
    shown = frame.read_only()
    place[:] = 1.0
    assert shown.xy_m.max() == 0.0
    assert shown.read_only() is shown


def test_frames_are_not_copied() -> None:
    """The frames of synthetic roads and of SUMO are as their sources made them: nothing is copied at a tick."""
    for loaded in (load("per_task", SHORT), load("intersection", SHORT)):
        run = Simulation(loaded.scenario, folder=loaded.folder)
        for tick in range(3):
            frame = run.source.advance(tick)
            assert frame.read_only() is frame
        run.close()
