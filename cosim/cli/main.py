"""The command `cosim`: exit status 0 for success, 1 if a run broke or a check failed, 2 for bad input."""

import logging
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cosim import __version__
from cosim.cli import (
    again,
    circuit,
    console,
    experiments,
    kms,
    learn,
    ledger,
    maps,
    paper,
    report,
    scenarios,
    trace,
    twin,
)
from cosim.cli.arguments import Json, Overrides
from cosim.cli.interrupt import Interrupt, stop_on_signal
from cosim.cli.loudness import LEVEL, Commands, Level, Quiet, choose, listening, quiet
from cosim.cli.output import flush_answers, leave_stdout, open_streams
from cosim.errors import InputError

if TYPE_CHECKING:
    from cosim.validation.doctor import Check

app = Commands(
    name="cosim",
    help="Co-simulate a city's traffic, its computing tasks and its edge hosts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
GROUPS: Final = {
    "trace": trace.app,
    "ledger": ledger.app,
    "map": maps.app,
    "kms": kms.app,
    "scenario": scenarios.app,
    "twin": twin.app,
    "circuit": circuit.app,
}
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)
app.command("report", epilog=console.examples("cosim report RUN", "cosim report RUN_A RUN_B --out compare.html"))(
    report.report
)

app.command("fork", epilog=console.examples(*again.FORK))(again.fork_run)
app.command("train", epilog=console.examples(*learn.TRAIN))(learn.train_agent)
app.command("evaluate", epilog=console.examples(*experiments.EVALUATE))(experiments.evaluate)
app.command("compare", epilog=console.examples(*experiments.COMPARE))(experiments.compare_policies)
app.command("paper", epilog=paper.help_below())(paper.paper)

INTERRUPTED: Final = 130
RUN: Final = (
    "cosim run quickstart",
    "cosim run my.yaml --policy nearest --seed 7",
    "cosim run --resume runs/mine",
)
logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its status; SIGTERM, as batch systems send it, counts as Ctrl-C."""
    open_streams()
    interrupt = Interrupt()
    interrupt.listen()
    try:
        code = status(arguments)
    except Exception:
        if not interrupt.heard:
            raise
        console.warn(console.STOPPED)  # a library has made an error of its own out of it
        code = 1
    interrupt.ignore()
    leave_stdout()
    sys.exit(code)


def status(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; every expected failure is one line on stderr."""
    with listening():
        return _status(arguments)


def _status(arguments: Sequence[str] | None) -> int:
    try:
        code = int(app(args=None if arguments is None else list(arguments), standalone_mode=False) or 0)
        flush_answers()
    except (Exception, KeyboardInterrupt) as error:
        code, told = console.failure(error)
        if told:
            console.warn(told)
        return code
    if code == INTERRUPTED:  # how newer versions of Typer report Ctrl-C
        console.warn(console.STOPPED)
        return 1
    return code


def _version(wanted: bool) -> None:
    if wanted:
        console.say(f"cosim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
    quiet: Quiet = False,
    log_level: Annotated[Level | None, typer.Option("--log-level", envvar="COSIM_LOG", help=LEVEL)] = None,
) -> None:
    if find_spec("fcntl") is None:
        raise InputError("this system has no POSIX file locks (fcntl); use Linux, on Windows inside WSL")
    choose(quiet, log_level)


@app.command(epilog=console.examples(*RUN))
def run(
    scenario: Annotated[
        str | None, typer.Argument(help="A YAML file, or the name of a bundled scenario.", metavar="SCENARIO")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="Name, file.py:Class, .ckpt, or folder of a training; the scenario's by default."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed; the scenario's by default.")] = None,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; under runs/ by default.")] = None,
    json: Json = False,
    picture: Annotated[bool, typer.Option(help="Draw the map with its sites and the latency by place.")] = True,
    gui: Annotated[bool, typer.Option("--gui", help="Watch the traffic in sumo-gui; slower, the same result.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also print CPU time by layer, and keep it in provenance.json.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="In place of a scenario: go on with a run that was interrupted."),
    ] = None,
) -> None:
    """Run a scenario and print its figures of merit.

    A trained agent decides without exploring: of a training with several seeds the first, or the one whose folder is
    given, as runs/s1/q-ddpg/seed2.

    A run that is resumed is executed again from its start and compared with what it had recorded; its folder then goes
    on where that ends. It is in the end what it would have been without the interruption.
    """
    if resume is not None:
        given = (scenario, policy, seed, overrides, out, gui or None, profile or None)
        if any(one is not None for one in given):
            raise InputError(
                f"--resume {resume}: the run has its scenario, policy, seed and folder; give nothing else, "
                f"or give it another future by `cosim fork {resume}`"
            )
        again.resume_run(resume, json=json, picture=picture)
        return
    if scenario is None:
        raise InputError("Missing argument 'SCENARIO': name a YAML file or a bundled scenario, or a run by --resume")
    began_s = process_time()
    from cosim.experiments.contenders import run_policy
    from cosim.profiling import CpuProfile
    from cosim.runner import simulate
    from cosim.scenario.load import load, override

    cpu = CpuProfile(began_s) if profile else None
    watched = ["mobility.kind=traci", "mobility.gui=true"] if gui else []
    beside = Path(scenario).parent
    changes = [*(overrides or []), *run_policy(policy, beside), *override("seed", seed), *watched]
    loaded = load(scenario, changes)
    folder = out or loaded.run_folder
    with (
        again.stoppable(lambda: folder, None if json or quiet() else cpu),
        console.progress(loaded.scenario.duration_s, loaded.scenario.name) as tell,
    ):
        while True:
            try:
                result = simulate(loaded, folder, stop_on_signal(tell), cpu)
                break
            except InputError:
                if out is not None or folder == loaded.run_folder:
                    raise
                folder = loaded.run_folder  # another run, started at the same instant, has taken the first name
    again.tell_run(result, json=json, picture=picture, cpu=cpu)


def _compared() -> "Iterator[Check]":
    """Compare models with their closed forms."""
    from cosim import validation

    yield from validation.validate()


@app.command()
def doctor(
    validate: Annotated[bool, typer.Option("--validate", help="Also compare models with their closed forms.")] = False,
    json: Json = False,
) -> None:
    """Check this machine and the installation. Ends with 1 if something is wrong."""
    from cosim.validation.doctor import checks

    found = []
    for check in chain(checks(), _compared() if validate else ()):
        logger.info("check %s: %s", check.name, check.found)
        found.append(check)
    ok = all(check.ok for check in found)
    if json:
        console.say_json({"ok": ok, "checks": found})
    else:
        told = [check for check in found if not (quiet() and check.ok)]
        rows = [
            ("ok" if check.ok else "FAIL", check.name, check.found, "" if check.ok else check.fix) for check in told
        ]
        console.say_table(rows)
        if not quiet():
            console.say(f"\n{len(found)} checks, {sum(not check.ok for check in found) or 'none'} failed")
    if not ok:
        raise typer.Exit(1)


for _name, _group in (("", app), *GROUPS.items()):
    _group.name_keys(_name)


if __name__ == "__main__":
    main()
