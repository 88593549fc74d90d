"""One run, from a scenario to a run folder with trace, provenance and figures of merit."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from cosim_agents.registry import make_policy, policy_file

from cosim.decision import Action, Observation, Policy, WrittenError, action_problem
from cosim.errors import InputError, RunError
from cosim.kernel.rng import stream
from cosim.mobility.cache import file_hash
from cosim.mobility.content import content_of
from cosim.mobility.ground import map_of
from cosim.profiling import CpuProfile
from cosim.roads.drawn import GROUND, pack_map
from cosim.scenario.load import Loaded
from cosim.scenario.sense import refuse_senseless, sense_notes
from cosim.simulation import Simulation
from cosim.trace.metrics.shown import shown_by
from cosim.trace.metrics.statistics import Estimate
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.decisions import ComparedFacts, DecisionRows
from cosim.trace.store.past import DifferenceError
from cosim.trace.store.provenance import Provenance, new_provenance, write_provenance
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import FactWriter, TraceWriter
from cosim.user_code import KeptProcess, defined_at, failed_in, reason_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The outcome of a run that has reached its end; see `simulate` for an example."""

    folder: Path
    """Run folder with trace and provenance."""
    run_id: str
    """Name and hash of the scenario."""
    digest: str
    """Hash over all facts; equal digests mean equal runs."""
    digests: Mapping[str, str]
    """Hash of each kind of fact that has rows."""
    facts: int
    """Number of facts recorded."""
    wall_s: float
    """Elapsed time in s."""
    cpu_s: float
    """CPU time of this process in s."""
    kpis: Mapping[str, Estimate]
    """Figures of merit by name (`cosim.kpis`), with units and confidence intervals."""
    notes: tuple[str, ...]
    """Remarks for the user, such as knobs that were ignored."""
    cpu_by_layer_s: Mapping[str, float] = field(default_factory=dict)
    """CPU time by layer (`cosim.profiling.LAYERS`), from the begin of the profile to the figures of merit; empty
    without a profile."""


def simulate(
    loaded: Loaded,
    out: Path,
    progress: Callable[[float], None] | None = None,
    profile: CpuProfile | None = None,
) -> RunResult:
    """Run a scenario into the folder `out` and return its figures of merit.

    A run that is stopped by an error or by Ctrl-C keeps its facts; its provenance then says `partial`.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import cosim
        >>> loaded = cosim.load("per_task", ["duration_s=1", "statistics.warmup_s=0", "mobility.vehicles=10"])
        >>> with TemporaryDirectory() as folder:
        ...     result = cosim.simulate(loaded, Path(folder) / "run")
        >>> 0.0 <= result.kpis["completed_ratio"].value <= 1.0
        True

    Args:
        loaded: scenario, as `cosim.load` returns it.
        out: folder of the run, which must not exist or be empty.
        progress: called with the simulated time in s at each decision epoch.
        profile: where CPU time is counted by layer, to be kept in the provenance too; None: it is not.

    Raises:
        InputError: the scenario names something that does not exist, or `out` is taken; nothing is left behind.
        RunError: the run failed.
    """
    scenario = loaded.scenario
    refuse_senseless(scenario)
    policy = policy_of(loaded)
    provenance = provenance_of(loaded, out)
    return run_through(
        loaded,
        policy,
        provenance,
        partial(TraceWriter, out, scenario.trace.part_s, provenance),
        progress,
        profile=profile,
    )


def policy_of(loaded: Loaded) -> Policy:
    """Return the policy of a scenario, as it is before its first decision.

    Raises:
        InputError: there is none of that name, or it does not take its options.
    """
    chosen, seed = loaded.scenario.policy, loaded.scenario.seed
    return make_policy(chosen.name, chosen.options, stream(seed, "policy"), loaded.folder)


def provenance_of(loaded: Loaded, out: Path, parent: Mapping[str, Any] | None = None) -> Provenance:
    """Return the provenance of a run that begins now.

    Args:
        loaded: the scenario.
        out: folder of the run; other folders are told as seen from it, so that they say nothing about the machine.
        parent: of a fork, as `Provenance.parent`.

    Raises:
        InputError: the scenario's map is not there.
    """
    scenario, folder = loaded.scenario, loaded.folder
    read = policy_file(scenario.policy.name, folder)
    return new_provenance(
        scenario,
        datetime.now(UTC).isoformat(timespec="seconds"),
        content_of(scenario, folder),
        seen_from(out, folder),
        {} if read is None else {seen_from(out, read): file_hash(read)},
        parent,
    )


def seen_from(run: Path, path: Path) -> str:
    """Return a path relative to a run folder."""
    return os.path.relpath(path.resolve(), run.resolve())


@dataclass(frozen=True, slots=True)
class Repetition:
    """What a run that repeats a recorded one is held to."""

    recorded: DecisionRows
    """The decisions that have to be made again."""
    told: str
    """What cannot be done if others are made, for the line of an error."""
    past: Callable[[Observation], Action | None] | None = None
    """Gives the decision of an epoch at which the policy is not asked; None where it is."""


def run_through(
    loaded: Loaded,
    policy: Policy,
    provenance: Provenance,
    make_writer: Callable[[], TraceWriter],
    progress: Callable[[float], None] | None = None,
    repetition: Repetition | None = None,
    profile: CpuProfile | None = None,
) -> RunResult:
    """Run a scenario from its start to its end, and return its figures of merit.

    Args:
        loaded: the scenario.
        policy: decides.
        provenance: of the run, as it is at the start.
        make_writer: makes the writer of its facts.
        progress: called with the simulated time in s at each decision epoch.
        repetition: what the run repeats.
        profile: where CPU time is counted by layer; None: it is not.

    Raises:
        InputError: the scenario is impossible; nothing is left of a run that begins here.
        RunError: the run failed.
    """
    scenario = loaded.scenario
    wall_s, cpu_s = time.perf_counter(), time.process_time()

    def ended(status: Literal["partial", "complete"]) -> Provenance:
        return replace(
            provenance,
            status=status,
            digest=writer.digest,
            digests=writer.digests,
            facts=writer.facts,
            wall_s=round(time.perf_counter() - wall_s, 3),
            cpu_s=round(time.process_time() - cpu_s, 3),
            cpu_by_layer_s=_rounded(profile),
        )

    with KeptProcess() as process, ExitStack() as undo:
        writer = make_writer()
        out = writer.folder
        logger.info(
            "run %s begins: policy %s, seed %d, folder %s", loaded.run_id, scenario.policy.name, scenario.seed, out
        )
        undo.callback(writer.withdraw)
        facts: FactWriter = writer
        if repetition is not None:
            facts = ComparedFacts(writer, repetition.recorded, repetition.told, scenario.policy.name)
        simulation = Simulation(scenario, facts, loaded.folder, profile=profile)
        undo.callback(simulation.close)
        _keep_map(writer, loaded)
        try:
            try:
                guarded = _Guarded(policy, scenario.policy.name, process)
                simulation.run(guarded, progress, None if repetition is None else repetition.past)
            except WrittenError as error:
                raise RunError(
                    f"policy {scenario.policy.name} at t={simulation.clock.now:g} s: {error}; "
                    f"correct its decide(){defined_at(policy.decide)}"
                ) from error
            process.restore()
            simulation.close()
            writer.close(True, scenario.duration_s)
        except BaseException as error:
            # Only the run has shown that the scenario is impossible, or that the past is another: it never began.
            if isinstance(error, InputError | DifferenceError) and not writer.continues:
                raise
            undo.pop_all()
            process.restore()
            with suppress(RunError, OSError):  # a full disk must not hide why the run broke
                writer.close(False)
                if not writer.follows:
                    write_provenance(out, ended("complete" if writer.state == "complete" else "partial"))
            writer.release()
            simulation.close()
            raise
        undo.pop_all()
    try:
        provenance = ended("complete")
        write_provenance(out, provenance)
    finally:
        writer.release()
    logger.info(
        "run %s ends: %d facts in %s after %.3f s, digest %s",
        provenance.run_id,
        provenance.facts,
        out,
        provenance.wall_s,
        provenance.digest,
    )
    with nullcontext() if profile is None else profile.within("figures"), Trace.open(out) as trace:
        measured = kpis(trace)
        seen = sense_notes(scenario, shown_by(trace, measured))
    if profile is not None:  # the figures are in it now
        write_provenance(out, provenance := replace(provenance, cpu_by_layer_s=_rounded(profile)))
    return RunResult(
        folder=out,
        run_id=provenance.run_id,
        digest=provenance.digest,
        digests=provenance.digests,
        facts=provenance.facts,
        wall_s=provenance.wall_s,
        cpu_s=provenance.cpu_s,
        kpis=measured,
        cpu_by_layer_s=provenance.cpu_by_layer_s,
        notes=tuple(dict.fromkeys((*simulation.notes(), *seen))),
    )


def _rounded(profile: CpuProfile | None) -> dict[str, float]:
    return {} if profile is None else {layer: round(spent_s, 6) for layer, spent_s in profile.spent_s().items()}


class _Guarded:
    """A policy whose exceptions and impossible actions end the run with a RunError of one line.

    Args:
        policy: the policy.
        name: its name in the scenario.
        process: what it must leave as it is.
    """

    def __init__(self, policy: Policy, name: str, process: KeptProcess) -> None:
        self._policy = policy
        self._name = name
        self._process = process

    def decide(self, observation: Observation) -> Action:
        try:
            action = self._policy.decide(observation)
        except (InputError, RunError):
            raise
        except (Exception, SystemExit) as error:
            self._process.restore()
            raise RunError(
                f"policy {self._name} failed at t={observation.time_s:g} s ({reason_of(error)}); "
                f"correct its decide(){failed_in(self._policy, error)}"
            ) from error
        self._process.restore()
        problem = action_problem(action, observation)
        if problem:
            raise RunError(f"policy {self._name} at t={observation.time_s:g} s: {problem}; correct its decide()")
        return action


def _keep_map(writer: TraceWriter, loaded: Loaded) -> None:
    """Keep what is drawn of the map in the run folder: it is shown alike wherever it goes and the map may go."""
    under = map_of(loaded.scenario, loaded.folder)
    writer.keep_file(GROUND, pack_map(under.title, under.roads_m))
