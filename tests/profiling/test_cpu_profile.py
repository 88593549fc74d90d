"""CPU time by layer: each moment counted once, the layers' sum that of the process, and no trace of it in results."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cosim_agents.registry import make_policy
from effort import drawn, rest_long
from hypothesis import given
from hypothesis import strategies as st

import cosim
from cosim import profiling
from cosim.cli.main import status
from cosim.kernel.clock import Clock
from cosim.kernel.rng import stream
from cosim.keys.network import KeyNetwork
from cosim.keys.service import KeyService
from cosim.ledger.log import RecordLog
from cosim.ledger.run.node import Node
from cosim.mobility.libsumo_link import LibsumoLink
from cosim.mobility.sumo import SumoMobility
from cosim.observe import Observer
from cosim.offload import Offloading
from cosim.profiling import LAYERS, CpuProfile
from cosim.radio.survey import Survey
from cosim.runner import RunResult, simulate
from cosim.sampling import Samples
from cosim.scenario.load import Loaded, load
from cosim.simulation import Simulation
from cosim.tasks.source import Waiting
from cosim.trace.store.provenance import read_provenance
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import NullWriter, TraceWriter
from cosim.twin.mirror import Mirror

EVERYTHING = ("duration_s=24", "statistics.warmup_s=2", "tasks.arrivals.rate_per_s=0.3", "twin={}", "trace.part_s=5")
"""With `qib_vec`: live traffic, keys, ledger, twin."""
NEVER = {"parts"}
"""Layers of which a bundled scenario has nothing."""
BURNED_S = 0.02


def everything(*changes: str) -> Loaded:
    return load("qib_vec", [*EVERYTHING, *changes])


def burn(seconds: float = BURNED_S) -> float:
    """Use CPU time, and return how much it was."""
    began_s = time.process_time()
    while time.process_time() - began_s < seconds:
        sum(range(2000))
    return time.process_time() - began_s


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, float]:
    """A run of everything with a profile, and the CPU time of this process from the profile's begin to its end."""
    began_s = time.process_time()
    profile = CpuProfile()
    result = simulate(everything(), tmp_path_factory.mktemp("profiled") / "run", profile=profile)
    return result, time.process_time() - began_s


@drawn(1000, least=100)
@given(st.data())
def test_each_moment_is_counted_once_for_the_innermost_layer(data: st.DataObject) -> None:
    """Layers within layers, left in order or by an error, have the times of a stack that is kept beside them."""
    clock_s, depth = 0.0, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiling, "process_time", lambda: clock_s)
        profile = CpuProfile()
        expected = dict.fromkeys(LAYERS, 0.0)

        def pass_time(layer: str) -> None:
            nonlocal clock_s
            step_s = float(data.draw(st.integers(0, 5)))
            clock_s += step_s
            expected[layer] += step_s

        def work(layer: str) -> None:
            nonlocal depth
            depth += 1
            pass_time(layer)
            for inner in data.draw(st.lists(st.sampled_from(sorted(LAYERS)), max_size=3 if depth < 8 else 0)):
                with suppress(ZeroDivisionError):
                    profile.timed(inner, work)(inner)
                pass_time(layer)
            if data.draw(st.integers(0, 4)) == 0:
                raise ZeroDivisionError

        with suppress(ZeroDivisionError):
            work("start")
        assert profile.spent_s() == expected


def test_the_borders_of_layers_count_for_the_profile_itself() -> None:
    """Crossing a border 40,000 times stands in `profile`, not in the layers on both sides, and in the sum once."""
    began_s = time.process_time()
    profile = CpuProfile()
    crossing = profile.timed("policy", int)
    for _ in range(20_000):
        crossing()
    spent_s = profile.spent_s()
    used_s = time.process_time() - began_s
    assert sum(spent_s.values()) == pytest.approx(used_s, rel=0.02)
    assert spent_s["policy"] < 0.4 * used_s < spent_s["profile"]


def test_the_sum_is_the_cpu_time_of_the_process(profiled: tuple[RunResult, float]) -> None:
    """All layers together are what the process has used, within a hundredth."""
    result, used_s = profiled
    assert sum(result.cpu_by_layer_s.values()) == pytest.approx(used_s, rel=0.01)
    assert result.cpu_by_layer_s["other"] < 0.25 * used_s


def test_every_layer_of_a_run_with_all_parts_has_a_share(profiled: tuple[RunResult, float]) -> None:
    """SUMO, positions, radio, release, observation, policy, stories, keys, ledger, twin, trace, figures, the rest."""
    shares = profiled[0].cpu_by_layer_s
    assert list(shares) == list(LAYERS)
    assert {layer for layer, spent_s in shares.items() if not spent_s > 0.0} == NEVER


def test_the_results_are_those_of_a_run_without(profiled: tuple[RunResult, float], tmp_path: Path) -> None:
    """Digests, run id and figures are equal; the profile stands in the provenance alone, which verifies."""
    result, plain = profiled[0], simulate(everything(), tmp_path / "run")
    assert plain.digests == result.digests
    assert (plain.run_id, plain.kpis, plain.notes) == (result.run_id, result.kpis, result.notes)
    assert plain.cpu_by_layer_s == {} == read_provenance(plain.folder).cpu_by_layer_s
    with Trace.open(result.folder) as trace:
        kept = trace.provenance.cpu_by_layer_s
    assert kept == result.cpu_by_layer_s
    assert cosim.verify(result.folder).ok


BORDERS: list[tuple[str, type[Any], str]] = [
    ("keys", KeyNetwork, "_slot"),
    ("ledger", Node, "receive"),
    ("twin", Mirror, "apply"),
    ("radio", Survey, "update"),
    ("stories", Offloading, "_end"),
    ("SUMO", LibsumoLink, "step"),
    ("positions", SumoMobility, "_motion"),
    ("release", Waiting, "add"),
    ("observation", Observer, "observe"),
    ("keys", KeyService, "_ask"),
    ("ledger", RecordLog, "offload"),
    ("trace", Samples, "sample"),
    ("trace", TraceWriter, "_rotate"),
]


class Burner:
    """Burns CPU time at the first calls of something, and knows how much."""

    def __init__(self) -> None:
        self.burned_s = 0.0

    def burn(self) -> None:
        """Burn, if it has not burned enough."""
        if self.burned_s < 0.4:
            self.burned_s += burn()

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with the burning before it."""

        def burning(*values: Any, **named: Any) -> Any:
            self.burn()
            return function(*values, **named)

        return burning


class Busy(cosim.Part):
    """A user's part that burns at each tick."""

    burner: Burner

    def tick(self, frame: Any, tick: int) -> None:  # noqa: ARG002 - the hook's signature
        """Burn."""
        self.burner.burn()


def spent_by_run(folder: Path, part: Busy | None = None, policy: Any = None) -> dict[str, float]:
    """Run everything with a trace, and return the CPU time by layer."""
    profile, loaded = CpuProfile(), everything("duration_s=10", "ledger.block.interval_s=3")
    makers = () if part is None else (lambda _: part,)
    run = Simulation(loaded.scenario, TraceWriter(folder, 5.0), loaded.folder, parts=makers, profile=profile)
    run.run(policy or make_policy("greedy-latency", {}, stream(1, "policy"), loaded.folder))
    run.close()
    return profile.spent_s()


@pytest.fixture(scope="module")
def calm_s(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """CPU time by layer of a run in which nothing burns."""
    return spent_by_run(tmp_path_factory.mktemp("calm") / "run")


def check_burned(spent_s: dict[str, float], calm_s: dict[str, float], layer: str, burner: Burner) -> None:
    """What was burned is in its layer, and in no other."""
    assert burner.burned_s > 2 * BURNED_S
    more_s = {name: spent_s[name] - calm_s[name] for name in LAYERS}
    assert more_s[layer] > 0.9 * burner.burned_s - 0.3 * calm_s[layer]
    others = {name: one_s for name, one_s in more_s.items() if name not in (layer, "start", "SUMO")}
    assert max(others.values()) < 0.5 * burner.burned_s


@pytest.mark.parametrize(("layer", "owner", "name"), rest_long(BORDERS, keep=5))
def test_what_burns_shows_in_its_layer(
    layer: str, owner: type[Any], name: str, calm_s: dict[str, float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CPU time that is burned inside of a part of the simulator is counted for its layer."""
    burner = Burner()
    monkeypatch.setattr(owner, name, burner.before(getattr(owner, name)))
    check_burned(spent_by_run(tmp_path / "run"), calm_s, layer, burner)


def test_users_parts_and_policies_burn_in_theirs(calm_s: dict[str, float], tmp_path: Path) -> None:
    """A part from outside counts for `parts`, also by its events on the clock; a policy from outside for `policy`."""
    busy, burner = Busy(), Burner()
    busy.burner = burner
    check_burned(spent_by_run(tmp_path / "part", part=busy), calm_s, "parts", burner)

    class Thinker:
        def decide(self, observation: cosim.Observation) -> cosim.Action:
            burner.burn()
            return cosim.Action(option=observation.expected_s.argmin(axis=1))

    burner.burned_s = 0.0
    check_burned(spent_by_run(tmp_path / "policy", policy=Thinker()), calm_s, "policy", burner)


def test_processes_on_the_clock_burn_in_parts() -> None:
    """A SimPy process of a user counts for `parts`."""
    profile, burner, loaded = CpuProfile(), Burner(), load("per_task", ["duration_s=3", "statistics.warmup_s=0"])
    run = Simulation(loaded.scenario, folder=loaded.folder, profile=profile)

    def think() -> Any:
        while True:
            yield run.clock.timeout(0.5)
            burner.burn()

    run.clock.process(think())
    run.run(make_policy("greedy-latency", {}, stream(1, "policy"), loaded.folder))
    run.close()
    assert profile.spent_s()["parts"] > 0.9 * burner.burned_s > 0.05


def test_a_replay_has_positions_and_no_sumo(tmp_path: Path) -> None:
    """Replayed traffic counts for `positions`, and none of it for SUMO."""
    traffic = tmp_path / "cars.csv"
    rows = [f"{second},car{car},{10.0 * second + car},{car}" for second in range(12) for car in range(50)]
    traffic.write_text("\n".join(["time_s,id,x_m,y_m", *rows]) + "\n")
    changes = [f'mobility={{"kind": "replay", "file": "{traffic}"}}', "map=synthetic", "duration_s=8", "trace.part_s=2"]
    loaded = load("per_task", [*changes, "statistics.warmup_s=0"])
    spent_s = simulate(loaded, tmp_path / "run", profile=CpuProfile()).cpu_by_layer_s
    assert spent_s["SUMO"] == 0.0 < spent_s["positions"]


def test_an_interrupted_run_keeps_its_profile(tmp_path: Path) -> None:
    """Stopped by Ctrl-C at 10 s, the provenance has the CPU time up to there, and the run verifies as a partial one."""
    began_s = time.process_time()

    def stop(now_s: float) -> None:
        if now_s >= 10.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(everything(), tmp_path / "run", stop, CpuProfile())
    kept = read_provenance(tmp_path / "run")
    assert kept.status == "partial"
    assert kept.cpu_by_layer_s["keys"] > 0.0 == kept.cpu_by_layer_s["figures"]
    assert 0.9 * kept.cpu_s < sum(kept.cpu_by_layer_s.values()) <= time.process_time() - began_s
    assert cosim.verify(tmp_path / "run").ok


def test_a_run_without_has_nothing_of_it() -> None:
    """Without a profile the clock is the plain one, and no object of the run has a method of its own."""
    loaded = everything()
    run = Simulation(loaded.scenario, NullWriter(), loaded.folder)
    run.close()
    context = run.context
    assert type(run.clock) is Clock
    for owner in (run, run.facts, run.channel, run.source, context.keys, context.log, *run.parts):
        own = [name for name, value in vars(owner).items() if callable(getattr(type(owner), name, None))]
        assert own == []
        assert not any("counted" in repr(value) for value in vars(owner).values())


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--profile` adds a table whose rows are the layers that took time; with --json they are a field; else nothing."""
    command = ["run", "per_task", "--no-picture", "--set", "duration_s=2", "--set", "statistics.warmup_s=0"]
    assert status([*command, "--profile", "--out", str(tmp_path / "a")]) == 0
    table = capsys.readouterr().out.split("CPU s", 1)[1].splitlines()[1:]
    seconds = {row.split()[0]: float(row.split()[1]) for row in table}
    assert list(seconds)[-1] == "all"
    assert set(seconds) - {"all"} <= set(LAYERS)
    assert sum(seconds.values()) == pytest.approx(2 * seconds["all"], abs=0.01)
    assert status([*command, "--profile", "--json", "--out", str(tmp_path / "b")]) == 0
    assert list(json.loads(capsys.readouterr().out)["cpu_by_layer_s"]) == list(LAYERS)
    assert status([*command, "--out", str(tmp_path / "c")]) == 0
    assert "CPU s" not in capsys.readouterr().out
