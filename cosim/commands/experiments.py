"""`cosim evaluate` and `cosim compare`: policies on several seeds, with intervals."""

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosim import console
from cosim.commands.arguments import Json, Overrides, ScenarioName

if TYPE_CHECKING:
    from cosim.experiments.contenders import Contender
    from cosim.experiments.runs import Measured
    from cosim.trace.statistics import Estimate

EVALUATE = (
    "cosim evaluate quickstart --policy nearest --seeds 5",
    "cosim evaluate s1_semantic_iov --policy runs/s1/q-ddpg --seeds 10",
    "cosim evaluate my.yaml --policy agent.ckpt --map sumo:a10kw --seeds 3",
)
COMPARE = (
    "cosim compare s1_semantic_iov --policies local,random,optimal --seeds 10",
    "cosim compare my.yaml --policies nearest,my_file.py:Mine,runs/s1/q-ddpg --seeds 10 --out study",
    "cosim trace diff study/nearest/seed1 study/Mine/seed1",
)
Seeds = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many.")]
FirstSeed = Annotated[int, typer.Option(min=0, metavar="K", help="Seeds are K, K+1, ...")]
Jobs = Annotated[int | None, typer.Option(min=1, max=1024, metavar="N", help="At once; one for each core by default.")]
OtherMap = Annotated[str | None, typer.Option("--map", metavar="MAP", help="Another map, live SUMO, its own sites.")]


def evaluate(
    scenario: ScenarioName,
    policy: Annotated[str, typer.Option(metavar="P", help="A name, file.py:Class, a .ckpt, or a training's folder.")],
    other_map: OtherMap = None,
    seeds: Seeds = 10,
    first_seed: FirstSeed = 1,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the run folders here.")] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Run a scenario under one policy on several seeds, and print its figures with intervals over the seeds.

    The folder of a training stands for all its seeds: its agents take turns. With --map an agent that was trained on
    one map drives on another, unchanged.
    """
    from cosim.experiments.compare import metric_names, standings

    with TemporaryDirectory(prefix="cosim-") as scratch:
        against, measured = _runs(scenario, [policy], overrides, other_map, seeds, first_seed, out, Path(scratch), jobs)
    values = {one.metric: one.value for one in standings(measured, metric_names(measured))}
    if json:
        runs = [{"seed": one.seed, "agent": one.policy, "digest": one.digest, "kpis": one.values} for one in measured]
        console.say_json({"scenario": scenario, "policy": policy, "map": other_map, "kpis": values, "runs": runs})
        return
    on = "" if other_map is None else f" on {other_map}"
    agents = len(against[0].policies)
    who = f"{against[0].label}, {agents} agents in turn" if agents > 1 else against[0].label
    console.say(f"{scenario}{on}, policy {who}, {_seeds(seeds, first_seed)}\n")
    _say_summary(values)
    if out is not None:
        console.say(f"\nrun folders  {out / against[0].label}")


def compare(
    scenario: ScenarioName,
    policies: Annotated[
        str, typer.Option(metavar="A,B,...", help="As in evaluate; differences are to the first of them.")
    ],
    seeds: Seeds = 10,
    first_seed: FirstSeed = 1,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A figure of compare.csv, without its unit; repeat it. By default four."),
    ] = None,
    overrides: Overrides = None,
    other_map: OtherMap = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Under runs/ by default.")] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Run a scenario under several policies on the same arrivals and traffic, and compare them pair by pair.

    A finished run is never run again: the same command goes on where it was stopped. Every run stays in
    DIR/POLICY/seedK; compare.csv has a row for each, compare.png shows interquartile means with 95 % intervals.
    """
    from cosim.experiments.compare import METRICS, standings, write_table
    from cosim.experiments.figures import draw_standings
    from cosim.experiments.runs import check_same
    from cosim.scenario.load import load

    loaded = load(scenario, overrides or [])
    folder = out or Path("runs") / f"compare-{loaded.run_id}{'' if other_map is None else f'-{Path(other_map).name}'}"
    words = [word.strip() for word in policies.split(",")]
    _, measured = _runs(scenario, words, overrides, other_map, seeds, first_seed, folder, folder, jobs)
    check_same(measured)
    table, picture = folder / "compare.csv", folder / "compare.png"
    write_table(table, measured)
    found = standings(measured, metric or METRICS)
    draw_standings(picture, loaded.scenario.name, found)
    if json:
        console.say_json({"scenario": scenario, "table": table, "picture": picture, "standings": found})
        return
    console.say(f"{scenario}, {_seeds(seeds, first_seed)}; the same arrivals and traffic under every policy: checked\n")
    rows = [
        (
            one.metric,
            one.policy,
            *told(one.value),
            one.value.unit,
            *(("", "", "") if one.difference is None else told(one.difference)),
            "" if one.difference is None else f"{one.lower}/{one.higher}",
        )
        for one in found
    ]
    against = f"minus {found[0].policy}"
    console.say_table(rows, ("figure", "policy", "IQM", "low", "high", "unit", against, "low", "high", "lower/higher"))
    console.say(
        f"\nlow, high: 95 % bootstrap interval; lower/higher: seeds on which it is below or above {found[0].policy}"
    )
    console.say_table([("run folders", str(folder)), ("table", str(table)), ("picture", str(picture))])


def _runs(
    scenario: str,
    words: Sequence[str],
    overrides: Sequence[str] | None,
    other_map: str | None,
    seeds: int,
    first_seed: int,
    out: Path | None,
    scratch: Path,
    jobs: int | None,
) -> "tuple[tuple[Contender, ...], list[Measured]]":
    """Plan, run what is missing, measure."""
    from cosim.commands.watching import interruptible, watching
    from cosim.errors import InputError
    from cosim.experiments.contenders import contenders
    from cosim.experiments.jobs import cores
    from cosim.experiments.runs import claim, disclaim, map_overrides, plan, run_all
    from cosim.scenario.load import load

    moved = [] if other_map is None else map_overrides(other_map, load(scenario))
    against = contenders(words)
    folder = scratch if out is None else out
    planned = plan(scenario, [*moved, *(overrides or [])], against, range(first_seed, first_seed + seeds), folder)
    there = claim(folder, planned, against)
    kept = f"finished runs are kept in {folder}; run the same command again to go on"
    with interruptible("nothing is kept without --out" if out is None else kept):
        try:
            return against, run_all(planned, there, jobs or cores(), watching)
        except InputError:
            disclaim(folder)
            raise


def _seeds(count: int, first: int) -> str:
    return f"seed {first}" if count == 1 else f"seeds {first} to {first + count - 1}"


def _say_summary(values: "dict[str, Estimate]") -> None:
    from cosim.report.headline import SUMMARY

    shown: list[Any] = [("epoch_cost", "cost of an epoch", 1.0, ""), ("cost_mean", "cost of a task", 1.0, ""), *SUMMARY]
    rows = [
        (label, *told(values[key], factor), unit)
        for key, label, factor, unit in shown
        if key in values and math.isfinite(values[key].value)
    ]
    console.say_table(rows, ("figure", "IQM", "low", "high", "unit"))


def told(one: "Estimate", factor: float = 1.0) -> tuple[str, str, str]:
    """Value and interval with the same digits."""
    from cosim.report.digits import figures

    half = one.half_width * factor
    value, low, high = (figures(number * factor, half)[0] for number in (one.value, one.low, one.high))
    return value, low, high
