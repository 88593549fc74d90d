"""`cosim evaluate` and `cosim compare`: runs of policies on several seeds, with intervals."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, Overrides, ScenarioName, folder
from cosim.cli.loudness import quiet

if TYPE_CHECKING:
    from cosim.experiments.contenders import Contender
    from cosim.experiments.runs import MeasuredRun, Planned
    from cosim.scenario.load import Loaded
    from cosim.trace.metrics.statistics import Estimate

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
Seeds = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Number of seeds.")]
FirstSeed = Annotated[int, typer.Option(min=0, metavar="K", help="Seeds are K, K+1, ...")]
Jobs = Annotated[
    int | None, typer.Option(min=1, max=1024, metavar="N", help="Processes; one for each core by default.")
]
OtherMap = Annotated[
    str | None, typer.Option("--map", metavar="MAP", help="Another map: live SUMO, the map's own sites.")
]


def evaluate(
    scenario: ScenarioName,
    policy: Annotated[str, typer.Option(metavar="P", help="A name, file.py:Class, a .ckpt, or a training's folder.")],
    other_map: OtherMap = None,
    seeds: Seeds = 10,
    first_seed: FirstSeed = 1,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", parser=folder, help="Keep the run folders here.")] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Run a scenario under one policy on several seeds, and print its figures with intervals over the seeds.

    The folder of a training stands for all its seeds: its agents take turns. With --map an agent that was trained on
    one map drives on another, unchanged.
    """
    with TemporaryDirectory(prefix="cosim-") as scratch:
        place = Path(scratch) if out is None else out
        _, against, measured = _runs(
            scenario,
            [policy],
            "--policy",
            overrides,
            other_map,
            seeds,
            first_seed,
            lambda _: place,
            out is not None,
            jobs,
        )
    from cosim.experiments.compare import metric_names, standings

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
        console.tell(f"\nrun folders  {out / against[0].label}")


def compare_policies(
    scenario: ScenarioName,
    policies: Annotated[
        str, typer.Option(metavar="A,B,...", help="Policies as in evaluate; differences are to the first.")
    ],
    seeds: Seeds = 10,
    first_seed: FirstSeed = 1,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A figure of compare.csv, without its unit; repeatable. By default four."),
    ] = None,
    overrides: Overrides = None,
    other_map: OtherMap = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", parser=folder, help="Folder; under runs/ by default.")
    ] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Run a scenario under several policies on the same arrivals and traffic, and compare them pair by pair.

    A finished run is never run again: the same command goes on where it was stopped. Every run stays in
    DIR/POLICY/seedK; compare.csv has a row for each, compare.png shows interquartile means with 95 % intervals.
    """
    words = [word.strip() for word in policies.split(",")]
    on = "" if other_map is None else f"-{Path(other_map).name}"

    def place(loaded: "Loaded") -> Path:
        return out or Path("runs") / f"compare-{loaded.run_id}{on}"

    loaded, _, measured = _runs(
        scenario, words, "--policies", overrides, other_map, seeds, first_seed, place, True, jobs, metric or ()
    )
    from cosim.experiments.compare import METRICS, standings, write_comparison
    from cosim.experiments.figures import draw_standings
    from cosim.experiments.runs import check_same

    check_same(measured)
    home = place(loaded)
    table, picture = home / "compare.csv", home / "compare.png"
    write_comparison(table, measured)
    found = standings(measured, metric or METRICS)
    draw_standings(picture, loaded.scenario.name, found)
    if json:
        console.say_json({"scenario": scenario, "table": table, "picture": picture, "standings": found})
        return
    if quiet():
        return
    console.say(f"{scenario}, {_seeds(seeds, first_seed)}; the same arrivals and traffic under every policy: checked\n")
    rows = [
        (
            one.metric,
            one.policy,
            *value_low_high(one.value),
            *(("", "", "", "") if one.difference is None else value_low_high(one.difference)),
            "" if one.difference is None else f"{one.lower}/{one.higher}",
        )
        for one in found
    ]
    against = f"minus {found[0].policy}"
    interval = ("low", "high", "unit")
    console.say_table(rows, ("figure", "policy", "IQM", *interval, against, *interval, "lower/higher"))
    console.say(
        f"\nlow, high: 95 % bootstrap interval; lower/higher: seeds on which it is below or above {found[0].policy}"
    )
    console.say_table([("run folders", str(home)), ("table", str(table)), ("picture", str(picture))])


def _runs(
    scenario: str,
    words: Sequence[str],
    option: str,
    overrides: Sequence[str] | None,
    other_map: str | None,
    seeds: int,
    first_seed: int,
    place: "Callable[[Loaded], Path]",
    kept: bool,
    jobs: int | None,
    figures: Sequence[str] = (),
) -> "tuple[Loaded, tuple[Contender, ...], list[MeasuredRun]]":
    """Plan the runs, do those that are missing, and measure all; Ctrl-C is handled from the first slow import on."""
    from cosim.cli.progress import interruptible, progress_bars

    planned: list[Planned] = []

    def left() -> str:
        if not kept:
            return "nothing is kept without --out"
        finished = next((run.folder.parent.parent for run in planned if run.folder.is_dir()), None)
        what = "no run is finished" if finished is None else f"finished runs are kept in {finished}"
        return f"{what}; run the same command again to go on"

    with interruptible(left):
        from cosim.experiments.contenders import contenders
        from cosim.experiments.jobs import usable_processors
        from cosim.experiments.runs import claim_folder, map_overrides, plan, release_folder, run_all
        from cosim.scenario.load import load

        moved = [] if other_map is None else map_overrides(other_map, load(scenario))
        changes = [*moved, *(overrides or [])]
        loaded = load(scenario, changes)
        home = place(loaded)
        against = contenders(words, option)
        planned = plan(scenario, changes, against, range(first_seed, first_seed + seeds), home)
        there = claim_folder(home, planned, against)
        try:
            return loaded, against, run_all(planned, there, jobs or usable_processors(), progress_bars, figures)
        except BaseException:
            release_folder(home, planned)
            raise


def _seeds(count: int, first: int) -> str:
    return f"seed {first}" if count == 1 else f"seeds {first} to {first + count - 1}"


def count(number: int, what: str) -> str:
    """Return a number with its noun, as "1 seed" or "2 seeds"."""
    return f"{number} {what}{'s' * (number != 1)}"


def _say_summary(values: "dict[str, Estimate]") -> None:
    from cosim.report.headline import headline

    shown: list[Any] = [
        ("epoch_cost", "cost of an epoch", 1.0, ""),
        ("decided_latency_mean", "latency from the decision, mean", 1e3, "ms"),
        ("cost_mean", "cost of a task from its release", 1.0, ""),
        *headline(),
    ]
    rows = [
        (label, *value_low_high(values[key], factor, unit))
        for key, label, factor, unit in shown
        if key in values and math.isfinite(values[key].value)
    ]
    console.say_table(rows, ("figure", "IQM", "low", "high", "unit"))


def value_low_high(one: "Estimate", factor: float = 1.0, unit: str | None = None) -> tuple[str, str, str, str]:
    """Return value, interval and unit as text.

    Args:
        one: Estimate to be told.
        factor: To the unit.
        unit: Unit that it is told in; its own by default.
    """
    from cosim.quantity import with_bounds

    return with_bounds(one.value * factor, one.low * factor, one.high * factor, unit or one.unit)
