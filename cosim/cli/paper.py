"""`cosim paper`: the experiments of a paper and its claims beside our numbers."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, folder
from cosim.cli.experiments import Jobs, count, value_low_high
from cosim.cli.loudness import quiet
from cosim.errors import InputError
from cosim.experiments.papers import registry

PAPER = (
    "cosim paper S1 --quick",
    "cosim paper S1 --figure 4 --jobs 2",
    "cosim paper S1 --seeds 3 --out my_results",
)


def help_below() -> str:
    """Return the text below the command's help: examples, then a line for each paper."""
    return "\n\n".join(
        (console.examples(*PAPER), "Papers:", *(f"{name}: {one.subject}" for name, one in registry.PAPERS.items()))
    )


def paper(
    name: Annotated[
        str | None,
        typer.Argument(metavar="PAPER", help="Paper, as S1; without it the papers are listed.", show_default=False),
    ] = None,
    figure: Annotated[
        int | None, typer.Option(metavar="N", help="Only this figure; all and the paper's tables by default.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small version with fewer seeds.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=folder, help="Results; by default results/papers/PAPER, or PAPER-quick."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", parser=folder, help="Finished pieces; by default runs/papers/PAPER, or PAPER-quick."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, metavar="N", help="Number of seeds; that of the experiment by default."),
    ] = None,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Train and measure what a paper's figures need, draw them, and set its claims beside our numbers.

    The work is cut into pieces; a finished one is never done again, so that the same command goes on where it was
    stopped. Results of a quick run are marked QUICK and go to a folder of their own.
    """
    if name is None:
        if quick or any(option is not None for option in (figure, out, work, seeds, jobs)):
            raise InputError(f"name a paper: {', '.join(registry.PAPERS)}")
        _list(json)
        return
    from cosim.cli.progress import interruptible, progress_bars

    entry = registry.find_entry(name)
    subfolder = f"{name.lower()}-quick" if quick else name.lower()
    results, store = out or Path("results/papers") / subfolder, work or Path("runs/papers") / subfolder

    def left() -> str:
        from cosim.experiments.pieces import PIECE

        there = any(any(store.rglob(name)) for name in (PIECE, "*.ckpt"))
        what = f"what is finished is kept in {store}" if there else "nothing is finished so far"
        return f"{what}; run the same command again to go on"

    with interruptible(left):  # imports may take seconds
        from cosim.experiments.contenders import need_learning
        from cosim.experiments.jobs import usable_processors

        need_learning("cosim paper")
        from cosim.experiments.papers.study import run_study

        chosen = registry.import_paper(entry)
        size = chosen.quick if quick else chosen.full
        size = size if seeds is None else replace(size, seeds=seeds)
        done = run_study(chosen, figure, size, results, store, jobs or usable_processors(), progress_bars)
    if json:
        claims = [{**asdict(claim), "holds": claim.finding.verdict} for claim in done.claims]
        console.say_json({"paper": chosen.name, "run": size.run, "files": done.files, "claims": claims})
        return
    if quiet():
        return
    console.say(
        f"paper {chosen.name}, {size.run} run, {count(size.seeds, 'seed')}; "
        f"{count(done.trained, 'training')} and {count(done.measured, 'measurement')}\n"
    )
    rows = [
        (
            f"{claim.figure}",
            claim.said,
            claim.setting,
            claim.measure,
            *value_low_high(replace(claim.finding.found, unit=""))[:3],
            claim.finding.verdict,
        )
        for claim in done.claims
    ]
    console.say_table(rows, ("figure", "claim", "setting", "measure", "value", "low", "high", "holds"))
    console.say("\nlow, high: 95 % bootstrap interval over seeds; open: these seeds do not show it")
    console.say(f"results  {results}")


def _list(json: bool) -> None:
    if json:
        console.say_json({"papers": {name: one.subject for name, one in registry.PAPERS.items()}})
        return
    console.say_table([(name, one.subject) for name, one in registry.PAPERS.items()], ("paper", "what it is on"))
