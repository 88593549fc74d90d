"""`cosim run --resume` and `cosim fork`: runs that are executed again, and what is printed of a run."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, Overrides, RunFolder
from cosim.cli.interrupt import stop_on_signal, told_when_stopped
from cosim.cli.loudness import quiet
from cosim.errors import InputError

if TYPE_CHECKING:
    from cosim.profiling import CpuProfile
    from cosim.runner import RunResult

FORK: Final = (
    "cosim fork runs/greedy --at 300 --policy nearest --out runs/nearest-from-300",
    "cosim trace diff runs/greedy runs/nearest-from-300",
)


def stoppable(folder: Callable[[], Path], cpu: "CpuProfile | None" = None) -> AbstractContextManager[None]:
    """End a run with one line at Ctrl-C or SIGTERM, as `told_when_stopped` does.

    Args:
        folder: gives the folder of the run.
        cpu: CPU time by layer, which is printed first; None: not.
    """

    def line() -> str:
        if cpu is not None:
            console.say_profile(cpu.spent_s())
        return console.stopped(folder())

    return told_when_stopped(line)


def resume_run(run: Path, *, json: bool, picture: bool) -> None:
    """Go on with a run, and print its figures of merit.

    Args:
        run: the run folder.
        json: print one JSON object.
        picture: draw the picture.
    """
    from cosim.resuming import resume

    total_s, name = _shown(run)
    with stoppable(lambda: run), console.progress(total_s, f"{name}, again") as tell:
        result = resume(run, stop_on_signal(tell))
    tell_run(result, json=json, picture=picture)


def fork_run(
    run_folder: RunFolder,
    at_s: Annotated[
        float, typer.Option("--at", metavar="T", help="Time in s of the run's clock from which on it is another.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="NEW", help="Folder of the new run.")],
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="Policy from then on: name, file.py:Class, .ckpt, or folder of a training; by default the run's own, "
            "which goes on.",
        ),
    ] = None,
    overrides: Overrides = None,
    json: Json = False,
    picture: Annotated[bool, typer.Option(help="Draw the map with its sites and the latency by place.")] = True,
) -> None:
    """Give a run another future: the same facts before a time, another policy or other events from then on.

    Recorded decisions are repeated up to then, so that the policy that made them is not needed. `--set` may change what
    acts on the time to come: options of the policy, decisions.knobs, statistics, and what keys.attacks, ledger.faults
    and ledger.partitions hold from then on. `cosim trace diff RUN FORK` compares the two task by task.
    """
    from cosim.experiments.contenders import run_policy
    from cosim.resuming import fork

    changes = [*(overrides or []), *run_policy(policy)]
    total_s, name = _shown(run_folder)
    with stoppable(lambda: out), console.progress(total_s, name) as tell:
        result = fork(run_folder, at_s, changes, out, stop_on_signal(tell), anew=policy is not None)
    tell_run(result, json=json, picture=picture)


def tell_run(result: "RunResult", *, json: bool, picture: bool, cpu: "CpuProfile | None" = None) -> None:
    """Draw the picture of a run, and print its figures of merit.

    Args:
        result: the run.
        json: print one JSON object.
        picture: draw the picture.
        cpu: CPU time by layer, which the picture is counted in; None: not counted.
    """
    from cosim.trace.store.provenance import read_provenance

    drawn = None
    if picture:
        from cosim.report.picture.figures import draw_run

        with nullcontext() if cpu is None else cpu.within("figures"):
            drawn = draw_run(result.folder)
    if json:
        spent_s = {} if cpu is None else cpu.spent_s()
        console.say_json({**asdict(result), "cpu_by_layer_s": spent_s, "picture": drawn})
        return
    if quiet():
        return
    said = read_provenance(result.folder)
    name, duration_s = said.scenario["name"], float(said.scenario["duration_s"])
    console.say(f"{name}, policy {said.policy}, seed {said.seed}, {duration_s:g} s\n")
    console.say_summary(result.kpis)
    console.say_left(result.folder, drawn, result.digest, result.wall_s, duration_s)
    if cpu is not None:
        console.say_profile(cpu.spent_s())
    for note in result.notes:
        console.note(f"note: {note}")


def _shown(run: Path) -> tuple[float, str]:
    """Return the duration in s and the name of a run, for the progress bar; whoever executes it looks closer."""
    from cosim.trace.store.provenance import read_provenance

    with suppress(InputError, TypeError, ValueError):
        said = read_provenance(run).scenario
        return float(said.get("duration_s", 0.0)), str(said.get("name"))
    return 0.0, "run"
