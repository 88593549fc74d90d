"""The gap of each placement policy to the optimum, over instances drawn as in paper S5 (section 5.2, Table 2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from pydantic import ValidationError

from cosim.distributions import draw
from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.quantity import digits, quantity, with_interval
from cosim.radio.link import noise_w
from cosim.radio.pathloss import power_law_db
from cosim.scenario.document import parse, shown
from cosim.scenario.twin_placement import PlacementInstances, PlacementStudy, PlacingPolicy
from cosim.trace.metrics.statistics import Estimate, batch_means
from cosim.twin.placing.exact import exact
from cosim.twin.placing.model import (
    PlacementProblem,
    Violations,
    computing_s,
    count_violations,
    creation_s,
    times_s,
    total_s,
    upload_rate_bps,
    upload_s,
)
from cosim.twin.placing.policies import placing_policy
from cosim.types import FloatArray, IntArray
from cosim.units import THERMAL_NOISE_DBM_HZ, db_to_linear, dbm_to_w


@dataclass(frozen=True, slots=True)
class Instance:
    """One drawn case: what was drawn, the two parts of eq 17, and the problem."""

    data_bit: FloatArray
    """(U,) D_i."""
    rate_bps: FloatArray
    """(U, H) r_ij."""
    upload_s: FloatArray
    """(U, H) U_ij."""
    computing_s: FloatArray
    """(U, H) C_ij."""
    problem: PlacementProblem


def instance_stream(seed: int, number: int) -> np.random.Generator:
    """Return the stream of one instance, which does not depend on how many are drawn."""
    return stream(seed, f"twin/placement/{number}")


def instance_noise_w(config: PlacementInstances) -> float:
    """Return sigma^2 of eq 20 in W: `noise_dbm` itself ("total"), or per hertz times the bandwidth ("density")."""
    if config.noise == "total":
        return dbm_to_w(config.noise_dbm)
    return noise_w(config.bandwidth_hz, config.noise_dbm - THERMAL_NOISE_DBM_HZ)


def draw_instance(config: PlacementInstances, rng: np.random.Generator) -> Instance:
    """Draw data sizes, processors and distances, and compute eq 17-20.

    Readings, none of them given by the paper: h_ij = g0 / d^alpha without fading, each pair's distance drawn by itself
    (users and hosts have no common map); c_ij = `share` x C_j, by default C_j / M_j; M_j and tau_i the same for all.
    Table 3's "latency" of a user is read as T_ij of its host. With `paper` it lies between 1.0 and 2.3 s, and the
    table's 1.06 to 2.0 s with it; a gain of -40 dB at 1 m gives 1.2 to 3.0 s, and c_ij = C_j less by a quarter of a
    second, so the table does not tell the readings apart.
    """
    data_bit = draw(config.data_bit, rng, config.users)
    compute_hz = draw(config.compute_hz, rng, config.hosts)
    shape = (config.users, config.hosts)
    distance_m = draw(config.distance_m, rng, config.users * config.hosts).reshape(shape)
    gain = db_to_linear(-power_law_db(distance_m, config.exponent, config.gain_at_1m_db))
    rate = upload_rate_bps(config.bandwidth_hz, config.power_w, gain, instance_noise_w(config), config.logarithm)
    share = 1.0 / config.places if config.share is None else config.share
    share_hz = np.broadcast_to(share * compute_hz, shape).copy()
    upload, computing = upload_s(data_bit, rate), computing_s(data_bit, share_hz, config.cycles_per_bit)
    problem = PlacementProblem(
        cost_s=creation_s(upload, computing),
        distance_m=distance_m,
        share_hz=share_hz,
        limit_s=np.full(config.users, config.limit_s),
        places=np.full(config.hosts, config.places, dtype=np.int64),
        compute_hz=compute_hz,
    )
    return Instance(data_bit, rate, upload, computing, problem)


@dataclass(frozen=True, slots=True)
class GapRow:
    """One policy over all instances that have a full placement; intervals by Student's t over instances."""

    policy: str
    mean_s: Estimate
    """Creation time of a twin, eq 17, mean over an instance's twins."""
    gap: Estimate
    """Total time over the optimum's, minus 1: mean over the instances in which it placed every twin."""
    unplaced: float
    """Share of instances in which eq 22 is broken: some twin has no host."""
    places: float
    """Share of instances in which eq 23 is broken."""
    compute: float
    """Share of instances in which eq 24 is broken."""
    late: float
    """Share of instances in which eq 26 is broken."""


@dataclass(frozen=True, slots=True)
class GapTable:
    """Every policy on the same instances."""

    rows: tuple[GapRow, ...]
    instances: int
    infeasible: int
    """Number of instances in which no assignment keeps eq 22-26; they are in no row."""
    shortest_s: float
    """Least time of a twin in the optima."""
    longest_s: float
    """Greatest time of a twin in the optima."""


def placement_study(kind: str, settings: Sequence[str], count: int) -> PlacementStudy:
    """Return a study of instances of one kind, with changes like `exponent=3.5`.

    Args:
        kind: `paper` or `physical`.
        settings: changes, `key=value` each.
        count: number of instances.

    Raises:
        InputError: no such kind or field, or an impossible value.
    """
    fields: dict[str, Any] = {"kind": kind}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {shown(setting)}: is not key=value; write for example --set exponent=3.5")
        fields[key.strip()] = parse(text, f"--set {shown(setting)}", numbered=False).data
    try:
        return PlacementStudy.model_validate({"instances": fields, "count": count})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("instances", kind)) or "kind"
        raise InputError(f"placement study: {where}: {first['msg']}; known fields: cosim twin gap --help") from None


def measure_gaps(study: PlacementStudy, seed: int) -> GapTable:
    """Solve `study.count` instances by every policy.

    Two rows are no policies: they choose without the limits, and show how often those would break.
    """
    choices = _choices(seed)
    assigned: dict[str, list[IntArray]] = {name: [] for name in choices}
    problems: list[PlacementProblem] = []
    best: list[float] = []
    for number in range(study.count):
        problem = draw_instance(study.instances, instance_stream(seed, number)).problem
        optimum = exact(problem)
        if optimum.feasible:
            problems.append(problem)
            best.append(optimum.total_s)
            assigned["exact"].append(optimum.assignment)
            for name, choose in choices.items():
                if name != "exact":
                    assigned[name].append(choose(problem))
    rows = tuple(_row(name, problems, assigned[name], np.array(best), study.confidence) for name in choices)
    times = [times_s(problem, optimum) for problem, optimum in zip(problems, assigned["exact"], strict=True)]
    every_s = np.concatenate(times) if times else np.array([np.nan])
    return GapTable(rows, study.count, study.count - len(problems), float(every_s.min()), float(every_s.max()))


def _choices(seed: int) -> dict[str, Callable[[PlacementProblem], IntArray]]:
    """Return every policy, the optimum first, then the two that ignore the limits."""
    rng, blind = stream(seed, "twin/placement/random"), stream(seed, "twin/placement/blind")
    names: tuple[PlacingPolicy, ...] = ("exact", *(name for name in get_args(PlacingPolicy) if name != "exact"))
    choices: dict[str, Callable[[PlacementProblem], IntArray]] = {name: placing_policy(name, rng) for name in names}
    choices["nearest, no limits"] = lambda problem: problem.distance_m.argmin(axis=1)
    choices["random, no limits"] = lambda problem: blind.integers(0, len(problem.places), len(problem.limit_s))
    return choices


def _row(
    name: str, problems: Sequence[PlacementProblem], assigned: Sequence[IntArray], best_s: FloatArray, confidence: float
) -> GapRow:
    faults = [count_violations(problem, assignment) for problem, assignment in zip(problems, assigned, strict=True)]
    total = np.array([total_s(problem, assignment) for problem, assignment in zip(problems, assigned, strict=True)])
    users = np.array([len(assignment) for assignment in assigned])
    full = np.array([fault.unplaced == 0 for fault in faults], dtype=bool)
    return GapRow(
        name,
        _mean((total / users)[full], confidence, "s"),
        _mean(total[full] / best_s[full] - 1.0, confidence, ""),
        *(_share(faults, field) for field in ("unplaced", "places", "compute", "late")),
    )


def _mean(values: FloatArray, confidence: float, unit: str) -> Estimate:
    """Return the mean and its interval; instances are independent, so each is a batch of its own."""
    return batch_means(values, max(len(values), 1), confidence, unit)


def _share(faults: Sequence[Violations], field: str) -> float:
    return float(np.mean([getattr(fault, field) > 0 for fault in faults])) if faults else float("nan")


def format_gaps(table: GapTable) -> str:
    """Return the table as text, one policy a line; shares and gaps in percent."""
    head = f"{'policy':<20}{'mean':>22}{'gap [%]':>18}{'eq 22':>8}{'eq 23':>8}{'eq 24':>8}{'eq 26':>8}"
    lines = [
        f"{row.policy:<20}"
        f"{_interval(row.mean_s.value, row.mean_s.half_width, 's'):>22}"
        f"{_interval(100.0 * row.gap.value, 100.0 * row.gap.half_width):>18}"
        + "".join(f"{digits(100.0 * share):>8}" for share in (row.unplaced, row.places, row.compute, row.late))
        for row in table.rows
    ]
    if table.infeasible == table.instances:
        return "no instance has a placement that keeps eq 22-26; raise places, compute_hz or limit_s, or lower share"
    shortest, longest = quantity(table.shortest_s, "s"), quantity(table.longest_s, "s")
    foot = (
        f"{table.instances} instances, {table.infeasible} without any full placement left out; a twin of an optimum "
        f"takes {shortest} to {longest}. eq 22..26: % of instances that break it."
    )
    return "\n".join([head, *lines, foot])


def _interval(value: float, half_width: float, unit: str = "") -> str:
    told = with_interval(value, half_width, unit)
    return f"{told.value} -+ {told.half_width} {told.unit}".rstrip()
