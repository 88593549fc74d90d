"""The runs of a comparison: every contender on every seed, each in a run folder of its own, and never run twice."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from cosim_agents.registry import make_policy

from cosim.data_text import json_data
from cosim.errors import InputError, RunError
from cosim.experiments.contenders import Contender
from cosim.experiments.folders import changed, lock_folder, make_folder, share_lock
from cosim.experiments.jobs import Job, Tell, Watching, work
from cosim.experiments.rollout import NEEDED, outcome_totals
from cosim.kernel.rng import stream
from cosim.locks import drafting, is_leftover, remove_empty
from cosim.mobility.catalog import resolve_map
from cosim.mobility.content import content_of
from cosim.runner import simulate
from cosim.scenario.identity import as_json
from cosim.scenario.load import Loaded, load, override
from cosim.trace.metrics.statistics import Estimate
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.durable import write_durably
from cosim.trace.store.provenance import content_differs, read_provenance
from cosim.trace.store.reader import Trace

SETTINGS: Final = "compare.json"
_SAME: Final = ("task_released", "vehicle_entered", "vehicle_left")
"""Kinds of facts that no policy may change: the arrivals and the traffic."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that a comparison needs."""

    label: str
    policy: str
    loaded: Loaded
    folder: Path

    @property
    def seed(self) -> int:
        """Seed of arrivals and traffic."""
        return self.loaded.scenario.seed


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """The figures of a finished run."""

    label: str
    policy: str
    seed: int
    digest: str
    same: tuple[str, ...]
    """Digests of the kinds of facts that are the same under every policy."""
    values: Mapping[str, float]
    units: Mapping[str, str]


def map_overrides(name: str, scenario: Loaded) -> list[str]:
    """Return overrides that put a scenario on another map: live SUMO, the map's demand and the map's own sites.

    A map without sites of its own gets them along its roads. The tick stays; what else the map's configuration sets is
    the scenario's.

    Args:
        name: name in the catalog, or a map folder relative to the working directory or to the scenario.
        scenario: the scenario to change.

    Raises:
        InputError: no such map.
    """
    here = Path(name)
    with suppress(OSError):
        name = str(here.resolve()) if here.is_dir() else name
    files = resolve_map(name, scenario.folder)
    mobility: dict[str, str | float] = {"kind": "libsumo", **dict(files.traffic)}
    mobility |= {"step_s": scenario.scenario.mobility.step_s, "begin_s": files.begin_s}
    sites = {"kind": "roads" if files.sites is None else "map"}
    return [f"map={json.dumps(name)}", f"mobility={json.dumps(mobility)}", f"sites={json.dumps(sites)}"]


def plan(
    scenario: str, overrides: Sequence[str], against: Sequence[Contender], seeds: Sequence[int], out: Path
) -> list[Planned]:
    """Return all runs, seed by seed, after a check that every contender can be made.

    Args:
        scenario: name or path of the scenario.
        overrides: `key.path=value` changes to it.
        against: the contenders.
        seeds: seeds of arrivals and traffic.
        out: folder of the comparison.

    Raises:
        InputError: the scenario or a policy is not possible; nothing is written.
    """
    own = load(scenario, overrides).scenario.policy.name
    planned = []
    for place, seed in enumerate(seeds):
        for one in against:
            policy = one.policy(place)
            # Naming the scenario's own policy again would drop its options.
            named = policy == own
            changes = [*overrides, *([] if named else override("policy", policy)), *override("seed", seed)]
            loaded = load(scenario, changes)
            planned.append(Planned(one.label, policy, loaded, out / one.label / f"seed{seed}"))
    made: set[str] = set()
    for run in planned:
        if run.policy not in made:
            made.add(run.policy)
            chosen = run.loaded.scenario.policy
            make_policy(chosen.name, chosen.options, stream(run.seed, "policy"), run.loaded.folder)
    return planned


@contextmanager
def claimed_folder(out: Path, planned: Sequence[Planned], against: Sequence[Contender]) -> Iterator[list[bool]]:
    """Within it the folder of the comparison is this command's alone; yield which runs are there already.

    Where no run came of it, nothing is left of what was made.

    Args:
        out: folder of the comparison.
        planned: the runs.
        against: the contenders.

    Raises:
        InputError: it holds something else, a policy's file has changed since its runs, another command writes there,
            or it cannot be made.
    """
    _settings(out)  # before anything is made in what is somebody else's
    made = make_folder(out, "--out")
    try:
        with lock_folder(out, "comparison", "--out"):
            begun = not (out / SETTINGS).exists()
            try:
                yield _noted(out, planned, against)
            except BaseException:
                remove_empty(dict.fromkeys(run.folder.parent for run in planned))
                if begun and not any(out.glob("*/seed*")):
                    (out / SETTINGS).unlink(missing_ok=True)
                raise
    except BaseException:
        remove_empty(made)
        raise


def _noted(out: Path, planned: Sequence[Planned], against: Sequence[Contender]) -> list[bool]:
    """Note the contenders in the folder, after a check of what an earlier call has left there."""
    said = {one.label: {"policy": one.said, "files": one.contents(planned[0].loaded.folder)} for one in against}
    before = _settings(out)
    there = [_is_there(run) for run in planned]
    for label, stored in before.items():
        if label in said and stored != said[label] and any((out / label).glob("seed*")):
            raise InputError(f"{out}: {label} was another policy, or its file has changed since; give another --out")
    text = json.dumps({**before, **said}, indent=1, sort_keys=True)
    write_durably(out / SETTINGS, lambda sink: sink.write(text.encode()))
    return there


def _settings(out: Path) -> dict[str, Any]:
    """Return the settings that an earlier call has left in the folder."""
    path = out / SETTINGS
    try:
        if not out.exists():
            return {}
        if not out.is_dir() or (not path.is_file() and not all(is_leftover(one.name) for one in out.iterdir())):
            raise InputError(f"{out}: is taken by something else; give another --out")
        stored = json_data(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).lower().split())
        raise InputError(f"{path}: cannot be read: {reason}; give another --out") from None
    if not isinstance(stored, dict):
        raise InputError(f"{path}: is broken; give another --out")
    return stored


def _is_there(run: Planned) -> bool:
    """Return whether the complete run is in its folder.

    Raises:
        InputError: another run is there.
    """
    if not run.folder.exists():
        return False
    stored = read_provenance(run.folder)
    if stored.run_id != run.loaded.run_id:
        now = as_json(run.loaded.scenario)
        differing = changed(stored.scenario, now) or f"was {stored.run_id}, now {run.loaded.run_id}"
        raise InputError(f"{run.folder}: holds a run of another scenario or --set: {differing}; give another --out")
    other = content_differs(stored.files, content_of(run.loaded.scenario, run.loaded.folder))
    if other:
        raise InputError(f"{run.folder}: holds a run on other content of {other}; give another --out")
    if stored.status != "complete":
        raise InputError(f"{run.folder}: holds a run that was stopped; `cosim run --resume {run.folder}` first")
    return True


def run_all(
    planned: Sequence[Planned],
    there: Sequence[bool],
    processes: int,
    watching: Watching,
    figures: Sequence[str] = (),
) -> list[MeasuredRun]:
    """Run what is missing and measure everything; the result is in the order of the plan.

    Args:
        planned: the runs.
        there: which of them are done.
        processes: number of processes.
        watching: shows the runs.
        figures: names that a run must have; which exist is only known from the first finished run.

    Raises:
        InputError: a run was not possible, or has no such figure.
        RunError: one broke; those that are finished are kept.
    """
    missing = [run for run, done in zip(planned, there, strict=True) if not done]
    found = {run.folder: measure(run, figures) for run, done in zip(planned, there, strict=True) if done}
    wanted = tuple(figures)
    jobs = [Job(f"{run.label} seed {run.seed}", (run, wanted), run.loaded.scenario.duration_s) for run in missing]
    with watching(jobs) as watch:
        measured = work(run_one, jobs, processes, watch)
    found.update({run.folder: one for run, one in zip(missing, measured, strict=True)})
    return [found[run.folder] for run in planned]


def run_one(argument: tuple[Planned, Sequence[str]], tell: Tell) -> MeasuredRun:
    """Run into a hidden folder and rename it, so that a folder with the run's name is complete; then measure it."""
    run, figures = argument
    with share_lock(run.folder.parent.parent), drafting(run.folder, "--out") as draft:
        simulate(run.loaded, draft, tell)
    return measure(run, figures)


def measure(run: Planned, wanted: Sequence[str] = ()) -> MeasuredRun:
    """Return the figures of a stored run: those of `cosim trace summary --all`, and S1's cost by epoch.

    Raises:
        InputError: a wanted one is not among them.
    """
    with Trace.open(run.folder) as trace:
        estimates = kpis(trace)
        manifest = trace.manifest
        ended = trace.sql(f"SELECT {', '.join(NEEDED)} FROM task_ended ORDER BY seq")  # noqa: S608 - our own names
        decisions = trace.scenario.decisions
        summed = outcome_totals(
            {str(name): values.to_numpy(np.float64) for name, values in ended.items()},
            decisions.latency_weight,
            trace.complete_to_s,
        )
        digest = trace.provenance.digest
    figures = {
        "epoch_cost": Estimate(summed.cost_per_epoch),
        "decided_latency_mean": Estimate(summed.latency_mean_s, unit="s"),
        "offloaded_ratio": Estimate(summed.offloaded_ratio),
        **estimates,
    }
    unknown = [name for name in wanted if name not in figures]
    if unknown:
        raise InputError(f"--metric {unknown[0]}: no such figure; use {', '.join(figures)}")
    return MeasuredRun(
        run.label,
        run.policy,
        run.seed,
        digest,
        tuple(map(manifest.digest_of, _SAME)),
        {name: one.value for name, one in figures.items()},
        {name: one.unit for name, one in figures.items()},
    )


def check_same(measured: Sequence[MeasuredRun]) -> None:
    """Check that under every policy the same tasks were released by the same vehicles.

    Raises:
        RunError: in one seed they were not.
    """
    first: dict[int, MeasuredRun] = {}
    for one in measured:
        other = first.setdefault(one.seed, one)
        differing = [kind for kind, a, b in zip(_SAME, one.same, other.same, strict=True) if a != b]
        if differing:
            raise RunError(
                f"seed {one.seed}: {differing[0]} differs between {other.label} and {one.label}: no fair comparison; "
                "traffic or arrivals depend on the policy, or the map has changed between the runs; give another --out"
            )
