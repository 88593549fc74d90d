"""The command `cosim`: reads arguments, calls the package, prints; exit status 0 done, 1 a run broke, 2 bad input."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from cosim import __version__, console
from cosim.errors import RunError

app = typer.Typer(
    name="cosim",
    help="Co-simulate a city's traffic, its computing tasks and its edge hosts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
trace_app = typer.Typer(help="Read what a run wrote.", no_args_is_help=True)
map_app = typer.Typer(help="Maps: list, look at, make, record.", no_args_is_help=True)
scenario_app = typer.Typer(help="Scenario files: list, check, schema.", no_args_is_help=True)
app.add_typer(trace_app, name="trace")
app.add_typer(map_app, name="map")
app.add_typer(scenario_app, name="scenario")

ScenarioName = Annotated[
    str, typer.Argument(help="A YAML file, or the name of a bundled scenario.", metavar="SCENARIO")
]
RunFolder = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As radio.bandwidth_hz=20e6.")]
INTERRUPTED: Final = 130
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its status; SIGTERM, as batch systems send it, counts as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(status(arguments))


def status(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; its exit status. Every expected failure is one line on stderr."""
    try:
        code = int(app(args=None if arguments is None else list(arguments), standalone_mode=False) or 0)
        sys.stdout.flush()
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
) -> None:
    pass


@app.command(epilog=console.examples("cosim run quickstart", "cosim run my.yaml --policy nearest --seed 7"))
def run(
    scenario: ScenarioName,
    policy: Annotated[str | None, typer.Option(metavar="NAME", help="As nearest, or file.py:Class.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Instead of the scenario's seed.")] = None,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; under runs/ by default.")] = None,
    json: Json = False,
    picture: Annotated[bool, typer.Option(help="Draw the map with its sites and the latency by place.")] = True,
) -> None:
    """Run a scenario and print its figures of merit."""
    from cosim.runner import simulate
    from cosim.scenario.load import load, override

    loaded = load(scenario, [*(overrides or []), *override("policy", policy), *override("seed", seed)])
    folder = out or loaded.run_folder
    try:
        with console.progress(loaded.scenario.duration_s, loaded.scenario.name) as tell:
            result = simulate(loaded, folder, tell)
    except KeyboardInterrupt:
        raise RunError(console.stopped(folder)) from None
    drawn = None
    if picture:
        from cosim.report.figures import draw_run

        drawn = draw_run(folder, loaded.folder)
    if json:
        console.say_json({**asdict(result), "picture": drawn})
        return
    chosen = loaded.scenario
    console.say(f"{chosen.name}, policy {chosen.policy.name}, seed {chosen.seed}, {chosen.duration_s:g} s\n")
    console.say_summary(result.kpis)
    console.say_left(folder, drawn, result.digest, result.wall_s, chosen.duration_s)
    for note in result.notes:
        console.warn(f"note: {note}")


@trace_app.command("summary")
def trace_summary(
    run_folder: RunFolder,
    every: Annotated[bool, typer.Option("--all", help="All figures, by the names that --json uses.")] = False,
    json: Json = False,
) -> None:
    """Figures of merit of a run, with intervals."""
    from cosim.trace.metrics import kpis
    from cosim.trace.reader import Trace

    with Trace.open(run_folder) as trace:
        estimates, said = kpis(trace), trace.provenance
        if json:
            head = {"run_id": said.run_id, "policy": said.policy, "seed": said.seed, "digest": said.digest}
            console.say_json({**head, "complete_to_s": trace.complete_to_s, "kpis": estimates})
            return
        state = "complete" if trace.complete else f"partial, complete to t = {trace.complete_to_s:g} s"
        console.say(f"{said.run_id}, policy {said.policy}, seed {said.seed}, {state}\n")
        (console.say_estimates if every else console.say_summary)(estimates)


@trace_app.command("task")
def trace_task(
    run_folder: RunFolder, task: Annotated[int, typer.Argument(metavar="TASK", help="Its number.")], json: Json = False
) -> None:
    """The life of one task, step by step."""
    from cosim.trace.reader import Trace

    with Trace.open(run_folder) as trace:
        steps = trace.timeline(task)
    if json:
        console.say_json({"task": task, "steps": [{"time_s": time_s, "event": event} for time_s, event in steps]})
    else:
        console.say_table([(f"{time_s:.6f}", event) for time_s, event in steps], ("time_s", "event"))


@trace_app.command(
    "sql", epilog=console.examples("cosim trace sql RUN 'SELECT avg(time_s - released_s) FROM task_ended'")
)
def trace_sql(
    run_folder: RunFolder,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="SELECT ... FROM task_ended")],
    json: Json = False,
) -> None:
    """Answer a question in SQL; the tables are the kinds of facts."""
    from cosim.trace.reader import Trace

    with Trace.open(run_folder) as trace:
        answer = trace.sql(query)
    if json:
        console.say_json({"rows": answer.to_dict(orient="records")})
    else:
        console.say_table(
            [list(map(console.shown, row)) for row in answer.itertuples(index=False)], list(map(str, answer.columns))
        )


@trace_app.command("verify")
def trace_verify(run_folder: RunFolder, json: Json = False) -> None:
    """Audit a run: rows, order, integrals, digest. Ends with 1 if something is wrong."""
    from cosim.audit import verify

    report = verify(run_folder)
    if json:
        console.say_json({"ok": report.ok, **asdict(report)})
    else:
        console.say("\n".join(report.lines))
    if not report.ok:
        raise typer.Exit(1)


@map_app.command("list")
def map_list(json: Json = False) -> None:
    """Maps by name."""
    from cosim.mobility.catalog import list_maps

    maps = list_maps()
    if json:
        console.say_json({"maps": maps})
    else:
        console.say_table([(entry.name, entry.title) for entry in maps], ("name", "title"))


@map_app.command("show")
def map_show(
    name: Annotated[str, typer.Argument(help="A map's name, or the path of a map folder.", metavar="MAP")],
    picture: Annotated[Path | None, typer.Option(help="Draw the roads into this PNG, PDF or SVG file.")] = None,
    json: Json = False,
) -> None:
    """What a map is made of."""
    from cosim.maps.show import describe, draw
    from cosim.mobility.catalog import resolve_map

    files = resolve_map(name, Path())
    facts = asdict(describe(files))
    if picture is not None:
        draw(files, picture)
    if json:
        console.say_json(facts)
        return
    drawn = {} if picture is None else {"picture": picture}
    console.say_table([(key, console.shown(value)) for key, value in {**facts, **drawn}.items()])


@map_app.command("make")
def map_make(
    kind: Annotated[Literal["grid", "intersection"], typer.Argument(help="grid or intersection.")],
    name: Annotated[str, typer.Option(help="Of the map folder.")],
    vehicles: Annotated[int, typer.Option(help="About how many drive at once.")],
    seed: Annotated[int, typer.Option(help="Of the demand.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder in which the map folder is made.")] = Path(),
) -> None:
    """Make a map folder with SUMO's netgenerate."""
    from cosim.maps.generate import generate_grid, generate_intersection

    generate = generate_grid if kind == "grid" else generate_intersection
    made = generate(name, out, vehicles, seed)
    console.say(f"{made}: look at it with `cosim map show {made}`, name it in a scenario as `map: {made}`")


@map_app.command("record")
def map_record(
    scenario: ScenarioName,
    out: Annotated[Path, typer.Argument(help="The recording, for example traffic.parquet.", metavar="FILE")],
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Record a scenario's traffic, for `mobility: {kind: replay, file: FILE}`."""
    from contextlib import closing

    from cosim.mobility.connect import connect
    from cosim.mobility.record import record
    from cosim.scenario.load import load

    loaded = load(scenario, overrides or [])
    chosen = loaded.scenario
    with closing(connect(chosen.mobility, chosen.map, loaded.folder, chosen.seed, chosen.duration_s)) as source:
        rows = record(source, chosen.duration_s, out)
    if json:
        console.say_json({"file": out, "rows": rows})
    else:
        console.say(f"{out}: {rows:,} rows; replay them with mobility: {{kind: replay, file: {out}}}")


@scenario_app.command("list")
def scenario_list(json: Json = False) -> None:
    """Bundled scenarios."""
    from cosim.scenario.load import bundled_scenarios, load

    found = {name: load(path).scenario.description for name, path in bundled_scenarios().items()}
    if json:
        console.say_json({"scenarios": found})
    else:
        console.say_table([(name, " ".join(told.split())) for name, told in found.items()], ("name", "description"))


@scenario_app.command("check")
def scenario_check(scenario: ScenarioName, overrides: Overrides = None, json: Json = False) -> None:
    """Check a scenario, its map and its policy without running it."""
    from agents.registry import make_policy
    from cosim.mobility.catalog import resolve_map
    from cosim.rng import stream
    from cosim.scenario.load import describe, load

    loaded = load(scenario, overrides or [])
    chosen = loaded.scenario
    make_policy(chosen.policy.name, chosen.policy.options, stream(chosen.seed, "policy"), loaded.folder)
    if chosen.mobility.kind in {"libsumo", "traci"}:
        resolve_map(chosen.map, loaded.folder)
    if json:
        console.say_json({"run_id": loaded.run_id, "scenario": chosen.model_dump(mode="json")})
        return
    console.say_table(list(describe(loaded).items()))


@scenario_app.command("schema")
def scenario_schema() -> None:
    """JSON Schema of scenario files, for editors."""
    from cosim.scenario.load import json_schema

    console.say(json_schema())


@app.command()
def doctor(
    validate: Annotated[bool, typer.Option("--validate", help="Also compare models with their closed forms.")] = False,
    json: Json = False,
) -> None:
    """Check this machine and the installation. Ends with 1 if something is wrong."""
    from cosim.doctor import checks

    found = list(checks())
    if validate:
        from cosim import validation

        found += validation.validate()
    ok = all(check.ok for check in found)
    if json:
        console.say_json({"ok": ok, "checks": found})
    else:
        rows = [
            ("ok" if check.ok else "FAIL", check.name, check.found, "" if check.ok else check.fix) for check in found
        ]
        console.say_table(rows)
        console.say(f"\n{len(found)} checks, {sum(not check.ok for check in found) or 'none'} failed")
    if not ok:
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
