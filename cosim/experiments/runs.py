"""The runs of a comparison: every contender on every seed, each in a run folder of its own, and never run twice."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from agents.registry import make_policy
from cosim.errors import InputError, RunError
from cosim.experiments.contenders import Contender
from cosim.experiments.folders import make_folder
from cosim.experiments.jobs import Job, Tell, Watching, work
from cosim.experiments.rollout import NEEDED, totals
from cosim.mobility.catalog import resolve_map
from cosim.rng import stream
from cosim.runner import simulate
from cosim.scenario.load import Loaded, load, override
from cosim.trace.durable import write_durably
from cosim.trace.metrics import kpis
from cosim.trace.provenance import read_provenance
from cosim.trace.reader import Trace
from cosim.trace.statistics import Estimate

SETTINGS: Final = "compare.json"
_SAME: Final = ("task_released", "vehicle_entered", "vehicle_left")
"""Kinds of facts that no policy may change: the arrivals and the traffic."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that is wanted."""

    label: str
    policy: str
    loaded: Loaded
    folder: Path

    @property
    def seed(self) -> int:
        """Of arrivals and traffic."""
        return self.loaded.scenario.seed


@dataclass(frozen=True, slots=True)
class Measured:
    """A run that is there."""

    label: str
    policy: str
    seed: int
    digest: str
    same: tuple[str, ...]
    """Digests of what is the same under every policy."""
    values: Mapping[str, float]
    units: Mapping[str, str]


def map_overrides(name: str, scenario: Loaded) -> list[str]:
    """Changes that put a scenario on another map: live SUMO, filled as the map says, with the map's own sites.

    A map without sites of its own gets them along its roads. The tick stays.

    Args:
        name: of the catalog, or a map folder relative to here or to the scenario.
        scenario: that is moved.

    Raises:
        InputError: no such map.
    """
    here = Path(name)
    with suppress(OSError):
        name = str(here.resolve()) if here.is_dir() else name
    files = resolve_map(name, scenario.folder)
    mobility = {"kind": "libsumo", "step_s": scenario.scenario.mobility.step_s, "begin_s": files.begin_s}
    sites = {"kind": "roads" if files.sites is None else "map"}
    return [f"map={json.dumps(name)}", f"mobility={json.dumps(mobility)}", f"sites={json.dumps(sites)}"]


def plan(
    scenario: str, overrides: Sequence[str], against: Sequence[Contender], seeds: Sequence[int], out: Path
) -> list[Planned]:
    """All runs, seed by seed, after a check that every contender can be made.

    Raises:
        InputError: the scenario or a policy is not possible; nothing is written.
    """
    own = load(scenario, overrides).scenario.policy.name
    planned = []
    for place, seed in enumerate(seeds):
        for one in against:
            policy = one.policy(place)
            named = policy == own  # then the scenario's options hold
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


def claim(out: Path, planned: Sequence[Planned], against: Sequence[Contender]) -> list[bool]:
    """Make `out` ours, or see that it is: which of the runs are there already.

    Raises:
        InputError: it holds something else, a policy's file has changed since its runs, or it cannot be made.
    """
    said = {one.label: {"policy": one.said, "files": one.contents(planned[0].loaded.folder)} for one in against}
    before = _settings(out)
    for label, stored in before.items():
        if label in said and stored != said[label]:
            raise InputError(f"{out}: {label} was another policy, or its file has changed since; give another --out")
    there = [_is_there(run) for run in planned]
    make_folder(out, "--out")
    text = json.dumps({**before, **said}, indent=1, sort_keys=True)
    write_durably(out / SETTINGS, lambda sink: sink.write(text.encode()))
    return there


def disclaim(out: Path) -> None:
    """Leave nothing of a comparison without a run."""
    with suppress(OSError):
        if not any(out.glob("*/seed*")):
            (out / SETTINGS).unlink()
            for folder in (*out.iterdir(), out):
                folder.rmdir()


def _settings(out: Path) -> dict[str, Any]:
    """What an earlier call has left in the folder."""
    path = out / SETTINGS
    try:
        if not out.exists():
            return {}
        if not out.is_dir() or (not path.is_file() and any(out.iterdir())):
            raise InputError(f"{out}: is taken by something else; give another --out")
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).lower().split())
        raise InputError(f"{path}: cannot be read: {reason}; give another --out") from None
    if not isinstance(stored, dict):
        raise InputError(f"{path}: is broken; give another --out")
    return stored


def _is_there(run: Planned) -> bool:
    """The run stands complete in its folder.

    Raises:
        InputError: another run does.
    """
    if not run.folder.exists():
        return False
    stored = read_provenance(run.folder)
    if stored.status == "complete" and stored.run_id == run.loaded.run_id:
        return True
    raise InputError(f"{run.folder}: holds another run, of {stored.run_id}; give another --out")


def run_all(planned: Sequence[Planned], there: Sequence[bool], processes: int, watching: Watching) -> list[Measured]:
    """Run what is missing and measure everything; the result follows the plan.

    Raises:
        InputError: a run was not possible.
        RunError: one broke; those that are finished are kept.
    """
    missing = [run for run, done in zip(planned, there, strict=True) if not done]
    jobs = [Job(f"{run.label} seed {run.seed}", run, run.loaded.scenario.duration_s) for run in missing]
    with watching(jobs) as watch:
        measured = work(run_one, jobs, processes, watch)
    fresh = {run.folder: one for run, one in zip(missing, measured, strict=True)}
    return [fresh[run.folder] if run.folder in fresh else measure(run) for run in planned]


def run_one(run: Planned, tell: Tell) -> Measured:
    """Run into a folder beside and rename it: what stands under its name is complete."""
    beside = run.folder.with_name(f".{run.folder.name}.running")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        simulate(run.loaded, beside, tell)
        beside.replace(run.folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return measure(run)


def measure(run: Planned) -> Measured:
    """The figures of a stored run: those of `cosim trace summary --all`, and S1's cost by epoch."""
    with Trace.open(run.folder) as trace:
        estimates = kpis(trace)
        digests = trace.manifest.digests
        ended = trace.sql(f"SELECT {', '.join(NEEDED)} FROM task_ended ORDER BY seq")  # noqa: S608 - our own names
        decisions = trace.scenario.decisions
        summed = totals(
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
    return Measured(
        run.label,
        run.policy,
        run.seed,
        digest,
        tuple(digests[kind] for kind in _SAME),
        {name: one.value for name, one in figures.items()},
        {name: one.unit for name, one in figures.items()},
    )


def check_same(measured: Sequence[Measured]) -> None:
    """See that under every policy the same tasks were released by the same vehicles.

    Raises:
        RunError: in one seed they were not.
    """
    first: dict[int, Measured] = {}
    for one in measured:
        other = first.setdefault(one.seed, one)
        differing = [kind for kind, a, b in zip(_SAME, one.same, other.same, strict=True) if a != b]
        if differing:
            raise RunError(
                f"seed {one.seed}: {differing[0]} differs between {other.label} and {one.label}: no fair comparison; "
                "traffic or arrivals depend on the policy, or the map has changed between the runs; give another --out"
            )
