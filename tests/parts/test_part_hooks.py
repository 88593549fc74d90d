"""The seam between a run and its parts: which hooks are called, when, and what the run knows of its parts."""

import ast
from collections.abc import Collection, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cosim_agents.registry import make_policy
from effort import rest_long
from stories import Told, perform, scenario, write_arrivals

from cosim import simulation as simulation_module
from cosim.assembly import PartContext
from cosim.decision import Action, Observation
from cosim.errors import InputError
from cosim.mobility.source import MobilityFrame
from cosim.part import Part, hooks
from cosim.scenario.load import bundled_scenarios, load
from cosim.simulation import Simulation
from cosim.tasks.source import Releases

OPTIONAL = ("sidelink", "keys", "ledger", "twin", "kms", "consensus", "chain")
BUSY = {"s5_placement_city": 1, "grid": 1}
"""Seconds for those that take long; the others run 3 s."""


class Recorder(Part):
    """Notes each hook with its time."""

    def __init__(self, context: PartContext) -> None:
        self.clock = context.clock
        self.heard: list[tuple[str, float, Any]] = []

    def _hear(self, hook: str, what: Any) -> None:
        self.heard.append((hook, self.clock.now, what))

    def tick(self, frame: MobilityFrame, tick: int) -> None:
        """Noted."""
        self._hear("tick", (tick, tuple(frame.left.tolist()), len(frame.numbers)))

    def leave(self, gone: Collection[int]) -> None:
        """Noted."""
        self._hear("leave", tuple(gone))

    def released(self, releases: Releases) -> None:
        """Noted."""
        self._hear("released", releases.time_s.copy())

    def turned(self, action: Action) -> None:
        """Noted."""
        self._hear("turned", action)

    def sample(self, frame: MobilityFrame) -> None:
        """Noted."""
        self._hear("sample", len(frame.numbers))

    def finish(self) -> None:
        """Noted."""
        self._hear("finish", None)


def watched(name: str, *changes: str) -> tuple[Recorder, Simulation, int]:
    """A short run of a scenario with a recorder; and its number of decisions."""
    loaded = load(name, [f"duration_s={BUSY.get(name, 3)}", "statistics.warmup_s=0", *changes])
    run = Simulation(loaded.scenario, parts=[Recorder], folder=loaded.folder)
    chosen = loaded.scenario.policy
    policy = make_policy(chosen.name, chosen.options, np.random.default_rng(1), loaded.folder)
    decisions = 0
    while (epoch := run.advance()) is not None:
        decisions += 1
        run.decide(policy.decide(epoch.observation))
    run.close()
    return run.part(Recorder), run, decisions


LARGE = ["grid", "quickstart"]


@pytest.mark.parametrize("name", rest_long(sorted(bundled_scenarios(), key=LARGE.count), -len(LARGE)))
def test_hooks_come_in_order(name: str) -> None:
    """In every bundled scenario: each tick once, then who left, then releases; samples in their rhythm; one finish."""
    recorder, run, decisions = watched(name)
    heard, options = recorder.heard, run.scenario
    times = [time_s for _, time_s, _ in heard]
    assert times == sorted(times)
    ticks = [(time_s, what) for hook, time_s, what in heard if hook == "tick"]
    count = len(ticks)
    assert [what[0] for _, what in ticks] == list(range(count))
    assert [time_s for time_s, _ in ticks] == [n * options.mobility.step_s for n in range(count)]
    assert (count - 1) * options.mobility.step_s >= options.duration_s - options.mobility.step_s - 1e-9
    for place, (hook, time_s, what) in enumerate(heard):
        before = heard[place - 1]
        if hook == "leave":
            assert before[0] == "tick"
            assert (before[1], before[2][1]) == (time_s, what)
        if hook == "tick" and what[1]:
            assert heard[place + 1][0] == "leave"
        if hook == "released":
            assert before[0] in ("tick", "leave")
            assert before[1] == time_s
            assert (what >= time_s).all()
            assert (what < time_s + options.mobility.step_s).all()
    assert sum(hook == "turned" for hook, *_ in heard) == decisions > 0
    sampled = [time_s for hook, time_s, _ in heard if hook == "sample"]
    assert sampled == [(n + 1) * options.trace.sample_s for n in range(len(sampled))]
    assert len(sampled) == int(options.duration_s / options.trace.sample_s)
    assert [hook for hook, *_ in heard].count("finish") == 1
    assert heard[-1][:2] == ("finish", options.duration_s)


def test_the_last_sample_comes_before_the_end() -> None:
    """A duration between two samples has one more, before anything is cut off, and then the finish."""
    recorder, _, _ = watched("per_task", "duration_s=2.5")
    assert [(hook, time_s) for hook, time_s, _ in recorder.heard[-2:]] == [("sample", 2.5), ("finish", 2.5)]


class Both(Told):
    """Turns knobs that the scenario hands over, and one that it does not."""

    def decide(self, observation: Observation) -> Action:
        """As told, with share and CPU share."""
        told = super().decide(observation)
        ones = np.full(len(observation), 0.5)
        return Action(told.option, share=ones, cpu_share=ones)


def test_parts_hear_what_is_handed_over_alone(tmp_path: Path) -> None:
    """A knob that decisions.knobs does not name reaches no part."""
    heard: list[Action] = []

    class Listener(Part):
        def turned(self, action: Action) -> None:
            heard.append(action)

    chosen = scenario(decisions={"kind": "periodic", "period_s": 0.5, "knobs": ["target", "share"]})
    write_arrivals(tmp_path, [(0.2, "a")])
    simulation = perform(chosen, tmp_path / "run", tmp_path, {"a": [(0, 0)] * 6}, Both("A"), [lambda _: Listener()])
    assert [action.cpu_share for action in heard] == [None]
    assert heard[0].share is not None
    assert [note for note in simulation.notes() if "cpu_share" in note]


def test_options_that_are_not_handed_over_reach_no_part(tmp_path: Path) -> None:
    """Without `target` among the knobs a part hears the options that are taken, not those that the policy names."""
    heard: list[Action] = []

    class Listener(Part):
        def turned(self, action: Action) -> None:
            heard.append(action)

    chosen = scenario(decisions={"kind": "periodic", "period_s": 0.5, "knobs": ["share"]})
    write_arrivals(tmp_path, [(0.2, "a")])
    given: list[tuple[int, int]] = []

    class Keeps(Told):
        def decide(self, observation: Observation) -> Action:
            action = super().decide(observation)
            given.append((int(action.option[0]), int(observation.expected_s.argmin(axis=1)[0])))
            return action

    perform(chosen, tmp_path / "run", tmp_path, {"a": [(0, 0)] * 6}, Keeps("A"), [lambda _: Listener()])
    named, taken = given[0]
    assert named != taken
    assert heard[0].option.tolist() == [taken]


def test_a_process_of_a_part_begins_after_the_first_tick() -> None:
    """What a part starts while it is made finds the vehicles on the map, as a process of a user does."""
    seen: list[tuple[float, int]] = []

    class Early(Part):
        def __init__(self, context: PartContext) -> None:
            self.context = context
            context.clock.process(self._watch())

        def _watch(self) -> Generator[Any, Any, None]:
            seen.append((self.context.clock.now, len(self.context.transport.channel.air.numbers)))
            yield self.context.clock.until(1.0)

    loaded = load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
    run = Simulation(loaded.scenario, parts=[Early])
    while (epoch := run.advance()) is not None:
        run.decide(Action(option=np.zeros(len(epoch.observation), np.int64)))
    assert seen == [(0.0, 60)]


@pytest.mark.parametrize(
    ("maker", "said"),
    [
        (lambda _: None, "made None, which is no cosim.part.Part"),
        (lambda: None, "its part cannot be made .TypeError"),
        (lambda context: context.nothing, "its part cannot be made .AttributeError"),
    ],
)
def test_makers_that_make_no_part(maker: Any, said: str) -> None:
    """A maker that fails, or makes something else, is one line, and the traffic source is closed."""
    with pytest.raises(InputError, match=said):
        Simulation(load("per_task").scenario, parts=[maker])


def test_only_overridden_hooks_are_called() -> None:
    """A part without a hook costs nothing there: the run does not know of it."""

    class Quiet(Part):
        def finish(self) -> None:
            """Nothing."""

    part = Quiet()
    assert hooks([part], "tick") == []
    assert hooks([part], "finish") == [part.finish]


def test_the_run_names_no_part() -> None:
    """No identifier, attribute or import of simulation.py is the name of an optional part."""
    tree = ast.parse(Path(simulation_module.__file__).read_text())
    words: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.alias(name=name):
                words.update(name.lower().replace(".", "_").split("_"))
            case ast.ImportFrom(module=str(name)):
                words.update(name.lower().replace(".", "_").split("_"))
    assert not words & set(OPTIONAL)
    assert "tick" in words


def test_a_part_is_found_by_its_class() -> None:
    """`Simulation.part` gives the part of a class, or says that the run has none."""
    _, run, _ = watched("per_task")
    assert isinstance(run.part(Recorder), Recorder)
    with pytest.raises(LookupError, match="no Quiet"):
        run.part(type("Quiet", (Part,), {}))
