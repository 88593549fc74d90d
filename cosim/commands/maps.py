"""`cosim map`: list, look at, make and record maps."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from cosim import console
from cosim.commands.arguments import Json, Overrides, ScenarioName

app = typer.Typer(help="Maps: list, look at, make, record.", no_args_is_help=True)


@app.command("list")
def catalog(json: Json = False) -> None:
    """Maps by name."""
    from cosim.mobility.catalog import list_maps

    maps = list_maps()
    if json:
        console.say_json({"maps": maps})
    else:
        console.say_table([(entry.name, entry.title) for entry in maps], ("name", "title"))


@app.command("show")
def show(
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


@app.command("make")
def make(
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


@app.command("record")
def record(
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
