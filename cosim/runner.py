"""One run from a scenario to a run folder: trace, provenance, figures of merit."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agents.registry import make_policy
from cosim.decision import Action, Observation, Policy, action_problem
from cosim.errors import RunError
from cosim.rng import stream
from cosim.scenario.load import Loaded
from cosim.simulation import Simulation
from cosim.trace.metrics import kpis
from cosim.trace.provenance import Provenance, write_provenance
from cosim.trace.reader import Trace
from cosim.trace.statistics import Estimate
from cosim.trace.writer import TraceWriter


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run left behind."""

    folder: Path
    run_id: str
    digest: str
    digests: Mapping[str, str]
    facts: int
    wall_s: float
    cpu_s: float
    kpis: Mapping[str, Estimate]
    notes: tuple[str, ...]


def simulate(loaded: Loaded, out: Path, progress: Callable[[float], None] | None = None) -> RunResult:
    """Run a scenario into the folder `out`.

    A run that is stopped by an error or by Ctrl-C keeps its facts; its provenance then says `partial`.

    Raises:
        InputError: the scenario names something that is not there, or `out` is taken; nothing is left behind.
        RunError: the run broke.
    """
    scenario = loaded.scenario
    policy = make_policy(scenario.policy.name, scenario.policy.options, stream(scenario.seed, "policy"), loaded.folder)
    existed = out.exists()
    writer = TraceWriter(out, scenario.trace.part_s)
    provenance = Provenance(
        run_id=loaded.run_id,
        scenario=scenario.model_dump(mode="json"),
        seed=scenario.seed,
        policy=scenario.policy.name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    try:
        write_provenance(out, provenance)
        simulation = Simulation(scenario, writer, loaded.folder)
    except BaseException:
        _clear(out, existed)
        raise
    complete = False
    try:
        simulation.run(_Guarded(policy, scenario.policy.name), progress)
        complete = True
    finally:
        simulation.close()
        writer.close(complete, scenario.duration_s if complete else None)
        provenance = replace(
            provenance,
            status="complete" if complete else "partial",
            digest=writer.digest,
            digests=writer.digests,
            facts=writer.facts,
            wall_s=round(time.perf_counter() - wall_s, 3),
            cpu_s=round(time.process_time() - cpu_s, 3),
        )
        write_provenance(out, provenance)
    with Trace.open(out) as trace:
        measured = kpis(trace)
    return RunResult(
        folder=out,
        run_id=provenance.run_id,
        digest=provenance.digest,
        digests=provenance.digests,
        facts=provenance.facts,
        wall_s=provenance.wall_s,
        cpu_s=provenance.cpu_s,
        kpis=measured,
        notes=tuple(simulation.notes()),
    )


class _Guarded:
    """A policy whose faults end the run in one line."""

    def __init__(self, policy: Policy, name: str) -> None:
        self._policy = policy
        self._name = name

    def decide(self, observation: Observation) -> Action:
        try:
            action = self._policy.decide(observation)
        except (RunError, KeyboardInterrupt):
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise RunError(
                f"policy {self._name} failed at t={observation.time_s:g} s ({reason}); correct its decide()"
            ) from error
        problem = action_problem(action, observation)
        if problem:
            raise RunError(f"policy {self._name} at t={observation.time_s:g} s: {problem}; correct its decide()")
        return action


def _clear(folder: Path, existed: bool) -> None:
    """Leave nothing of a run that never began."""
    for child in folder.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()
    if not existed:
        folder.rmdir()
