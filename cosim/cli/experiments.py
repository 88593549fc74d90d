"""`cosim evaluate` and `cosim compare`: runs of policies on several seeds, with intervals."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, PlaceName, PlaceOverrides, folder, key_values
from cosim.cli.loudness import quiet
from cosim.errors import InputError

if TYPE_CHECKING:
    from cosim.experiments.contenders import Contender
    from cosim.experiments.runs import MeasuredRun, Planned
    from cosim.scenario.load import Loaded
    from cosim.trace.metrics.statistics import Estimate

EVALUATE = (
    "cosim evaluate quickstart --policy nearest --seeds 5",
    "cosim evaluate s1_semantic_iov --policy runs/s1/q-ddpg --seeds 10",
    "cosim evaluate my.yaml --policy agent.ckpt --map sumo:a10kw --seeds 3",
    "cosim evaluate CartPole-v1 --policy runs/pole/q-ppo --seeds 20",
)
COMPARE = (
    "cosim compare s1_semantic_iov --policies local,random,optimal --seeds 10",
    "cosim compare my.yaml --policies nearest,my_file.py:Mine,runs/s1/q-ddpg --seeds 10 --out study",
    "cosim trace diff study/nearest/seed1 study/Mine/seed1",
    "cosim compare CartPole-v1 --policies random,runs/pole/q-ppo --seeds 20",
)
Seeds = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Number of seeds.")]
FirstSeed = Annotated[int, typer.Option(min=0, metavar="K", help="Seeds are K, K+1, ...")]
Jobs = Annotated[
    int | None, typer.Option(min=1, max=1024, metavar="N", help="Processes; one for each core by default.")
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--epochs", min=1, max=10_000_000, metavar="N", help="Most steps in an environment; until it ends by default."
    ),
]
OtherMap = Annotated[
    str | None, typer.Option("--map", metavar="MAP", help="Another map: live SUMO, the map's own sites.")
]


def evaluate(
    scenario: PlaceName,
    policy: Annotated[str, typer.Option(metavar="P", help="A name, file.py:Class, a .ckpt, or a training's folder.")],
    other_map: OtherMap = None,
    seeds: Seeds = 10,
    first_seed: FirstSeed = 1,
    overrides: PlaceOverrides = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", parser=folder, help="Keep the run folders here.")] = None,
    steps: Steps = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Run a scenario under one policy on several seeds, and print its figures with intervals over the seeds.

    The folder of a training stands for all its seeds: its agents take turns. With --map an agent that was trained on
    one map drives on another, unchanged. In an environment a policy is random, file.py:Class with
    decide(observation), or a trained agent; its reward and steps are told.
    """
    environment = _is_environment(scenario, steps, other_map)
    if environment:
        if out is not None:
            raise InputError("--out: episodes in an environment leave no runs to keep; leave it out")
        with TemporaryDirectory(prefix="cosim-") as scratch:
            against, measured, _ = _episodes(
                scenario, [policy], "--policy", overrides, seeds, first_seed, steps, Path(scratch), jobs
            )
    else:
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
    _say_summary(values, environment)
    if out is not None:
        console.tell(f"\nrun folders  {out / against[0].label}")


def compare_policies(
    scenario: PlaceName,
    policies: Annotated[
        str, typer.Option(metavar="A,B,...", help="Policies as in evaluate; differences are to the first.")
    ],
    seeds: Seeds = 10,
    first_seed: FirstSeed = 1,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A figure of compare.csv, without its unit; repeatable. By default four."),
    ] = None,
    overrides: PlaceOverrides = None,
    other_map: OtherMap = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", parser=folder, help="Folder; under runs/ by default.")
    ] = None,
    steps: Steps = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Run a scenario under several policies on the same arrivals and traffic, and compare them pair by pair.

    A finished run is never run again: the same command goes on where it was stopped. Every run stays in
    DIR/POLICY/seedK; compare.csv has a row for each, compare.png shows interquartile means with 95 % intervals. In an
    environment the same seeds begin the same episodes, which are played anew by each call and leave no run folders.
    """
    words = [word.strip() for word in policies.split(",")]
    on = "" if other_map is None else f"-{Path(other_map).name}"

    def place(loaded: "Loaded") -> Path:
        return out or Path("runs") / f"compare-{loaded.run_id}{on}"

    environment = _is_environment(scenario, steps, other_map)
    if environment:
        _, measured, home = _episodes(
            scenario, words, "--policies", overrides, seeds, first_seed, steps, out, jobs, metric or ()
        )
        title, figures = scenario, tuple(measured[0].values)
    else:
        loaded, _, measured = _runs(
            scenario, words, "--policies", overrides, other_map, seeds, first_seed, place, True, jobs, metric or ()
        )
        home, title, figures = place(loaded), loaded.scenario.name, ()
    from cosim.experiments.compare import METRICS, standings, write_comparison
    from cosim.experiments.figures import draw_standings
    from cosim.experiments.runs import check_same

    if not environment:
        check_same(measured)
    table, picture = home / "compare.csv", home / "compare.png"
    write_comparison(table, measured)
    found = standings(measured, metric or figures or METRICS)
    draw_standings(picture, title, found)
    if json:
        console.say_json({"scenario": scenario, "table": table, "picture": picture, "standings": found})
        return
    if quiet():
        return
    same = "beginnings of episodes" if environment else "arrivals and traffic"
    console.say(f"{scenario}, {_seeds(seeds, first_seed)}; the same {same} under every policy: checked\n")
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
    folders = [] if environment else [("run folders", str(home))]
    console.say_table([*folders, ("table", str(table)), ("picture", str(picture))])


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
        from cosim.experiments.runs import claimed_folder, map_overrides, plan, run_all
        from cosim.scenario.load import load

        moved = [] if other_map is None else map_overrides(other_map, load(scenario))
        changes = [*moved, *(overrides or [])]
        loaded = load(scenario, changes)
        home = place(loaded)
        against = contenders(words, option)
        planned = plan(scenario, changes, against, range(first_seed, first_seed + seeds), home)
        with claimed_folder(home, planned, against) as there:
            return loaded, against, run_all(planned, there, jobs or usable_processors(), progress_bars, figures)


def _is_environment(word: str, steps: int | None, other_map: str | None) -> bool:
    """Return whether a word names an environment, after a check that the options are those of what it names."""
    from cosim.experiments.environments import is_environment

    found = is_environment(word)
    if found and other_map is not None:
        raise InputError(f"--map {other_map}: {word} is an environment, which has no map; leave it out")
    if not found and steps is not None:
        raise InputError(f"--epochs {steps}: {word} is a scenario; give it --set duration_s=SECONDS")
    return found


def _episodes(
    word: str,
    policies: Sequence[str],
    option: str,
    arguments: Sequence[str] | None,
    seeds: int,
    first_seed: int,
    steps: int | None,
    out: Path | None,
    jobs: int | None,
    figures: Sequence[str] = (),
) -> "tuple[tuple[Contender, ...], list[MeasuredRun], Path]":
    """Play the episodes of policies in an environment; return also the folder for what is made of them."""
    from cosim.cli.progress import interruptible, progress_bars

    with interruptible(lambda: "nothing is kept; run the same command again"):
        from cosim.experiments.environments import check_tables, claim_tables, find_environment, plan_episodes, play_all
        from cosim.experiments.jobs import usable_processors

        environment = find_environment(word, key_values(list(arguments or ()), "--set", "gravity=5"))
        against, planned = plan_episodes(
            environment, policies, option, range(first_seed, first_seed + seeds), steps or 0
        )
        unknown = [name for name in figures if name not in environment.figures]
        if unknown:
            raise InputError(f"--metric {unknown[0]}: no such figure; use {', '.join(environment.figures)}")
        home = out or Path("runs") / f"compare-{environment.run_id}"
        check_tables(home, environment)
        measured = play_all(planned, jobs or usable_processors(), progress_bars)
        claim_tables(home, environment)
        return against, measured, home


def _seeds(count: int, first: int) -> str:
    return f"seed {first}" if count == 1 else f"seeds {first} to {first + count - 1}"


def count(number: int, what: str) -> str:
    """Return a number with its noun, as "1 seed" or "2 seeds"."""
    return f"{number} {what}{'s' * (number != 1)}"


def _say_summary(values: "dict[str, Estimate]", environment: bool) -> None:
    from cosim.report.headline import headline

    if environment:
        rows = [(name.replace("_", " "), *value_low_high(one)) for name, one in values.items()]
        console.say_table(rows, ("figure", "IQM", "low", "high", "unit"))
        return
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
