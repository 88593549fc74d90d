"""`cosim map`: list, show, import, make and record maps."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, Overrides
from cosim.cli.loudness import Commands, quiet
from cosim.quantity import digits, quantity

_IMPORTS = (
    "cosim map import town.osm.gz --name town --concurrent 500",
    "cosim map import run.sumocfg --name bologna",
    "cosim run town/scenario.yaml",
)
_SITES = (
    "cosim map sites ./town --count 12 --picture coverage.png",
    "cosim map sites sumo:a10kw --count 8 --out a10.yaml",
)
app = Commands(help="Maps: list, look at, import, make, record.", no_args_is_help=True)


@app.command("list")
def catalog(json: Json = False) -> None:
    """List the maps by name."""
    from cosim.mobility.catalog import list_maps

    maps = list_maps()
    if json:
        console.say_json({"maps": maps})
    else:
        console.say_table([(entry.name, entry.title) for entry in maps], ("name", "title"))


@app.command("show")
def show_map(
    name: Annotated[str, typer.Argument(help="A map's name, or the path of a map folder.", metavar="MAP")],
    picture: Annotated[Path | None, typer.Option(help="Draw roads, sites, recorded traffic into this file.")] = None,
    json: Json = False,
) -> None:
    """Describe a map."""
    from cosim.maps.show import describe_map, draw_road_map
    from cosim.mobility.catalog import resolve_map
    from cosim.roads.siting import place_sites
    from cosim.scenario.traffic import MapSites

    files = resolve_map(name, Path())
    described = describe_map(files)
    facts = asdict(described)
    if picture is not None:
        chosen = MapSites(kind="map")
        sites = () if files.sites is None else place_sites(chosen, files.net, described.bounds_m, files.sites)
        draw_road_map(files, picture, sites)
    if json:
        console.say_json(facts)
        return
    drawn = {} if picture is None else {"picture": picture}
    console.say_table([(key, console.table_cell(value)) for key, value in {**facts, **drawn}.items()])


@app.command("import", epilog=console.examples(*_IMPORTS))
def import_(
    file: Annotated[
        Path, typer.Argument(help="OpenStreetMap, SUMO net or .sumocfg, OpenDRIVE, FCD, GPS log.", metavar="FILE")
    ],
    name: Annotated[str, typer.Option(help="Name of the map folder.")],
    out: Annotated[Path, typer.Option(help="Folder in which the map folder is made.")] = Path(),
    vehicles_per_hour: Annotated[
        float | None,
        typer.Option(help="Departures; by default what brings 5 vehicles at once on each km of lane, at least 20."),
    ] = None,
    concurrent: Annotated[
        int | None, typer.Option(help="Vehicles at once; a rate that holds as many is searched.")
    ] = None,
    pattern: Annotated[
        Literal["fringe", "uniform"], typer.Option(help="fringe: trips prefer to begin and end at the map's edge.")
    ] = "fringe",
    profile: Annotated[str, typer.Option(help="Hours and factors, as 0:0.3,7:1,9:0.6, over a day.")] = "",
    trucks: Annotated[float, typer.Option(help="Share of the vehicles.")] = 0.0,
    buses: Annotated[float, typer.Option(help="Share of the vehicles.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Last departure, s; an hour, or a day with --profile.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the demand.")] = 1,
    routes: Annotated[Path | None, typer.Option(help="Your own demand, a SUMO route file.")] = None,
    sites: Annotated[
        Literal["roads", "grid", "junctions", "coverage", "none"], typer.Option(help="Where roadside units stand.")
    ] = "roads",
    side: Annotated[
        Literal["auto", "left", "right"], typer.Option(help="Side of the road on which people drive.")
    ] = "auto",
    licence: Annotated[str, typer.Option(help="Licence of the file, for SOURCE.toml.")] = "",
    json: Json = False,
) -> None:
    """Make a map folder of a map, a scenario or recorded vehicles, with demand and sites, ready to run."""
    from cosim.maps.demand import Demand, parse_profile
    from cosim.maps.importing import import_map

    wish = Demand(vehicles_per_hour, concurrent, pattern, parse_profile(profile), trucks, buses, seed, end)
    with console.working(f"importing {file.name}") as told:
        made = import_map(file, name, out, wish, sites, side, licence, routes, told)
    if json:
        console.say_json({"map": out / name, "source": made.source, "report": made.report})
        return
    if quiet():
        return
    console.say_table(made.report)
    console.say(f"{out / name}: run it with `cosim run {out / name / 'scenario.yaml'}`")


@app.command("sites", epilog=console.examples(*_SITES))
def place(
    name: Annotated[str, typer.Argument(help="A map's name, or the path of a map folder.", metavar="MAP")],
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of sites.")],
    method: Annotated[Literal["grid", "junctions", "coverage"], typer.Option(help="How they are chosen.")] = "coverage",
    scenario: Annotated[str | None, typer.Option(help="Scenario whose radio decides what a site reaches.")] = None,
    recording: Annotated[
        Path | None, typer.Option(help="Recording by `cosim map record`; the map's own traffic by default.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=86400, help="Traffic watched.")] = 300.0,
    picture: Annotated[Path | None, typer.Option(help="Draw what is covered into this file.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write instead of the map folder's sites.yaml.")] = None,
    json: Json = False,
) -> None:
    """Choose the sites of a map's roadside units, and print the share of vehicle-seconds that they cover."""
    from cosim.errors import InputError
    from cosim.maps.sites import draw_coverage, plan_sites, survey, write_sites
    from cosim.mobility.catalog import own_folder, resolve_map
    from cosim.scenario.load import load
    from cosim.scenario.radio import Radio

    home = own_folder(name, Path())
    if out is None and home is None:
        raise InputError(f"map={name} is not a folder of yours; name a file with --out")
    target = out or Path(home or "") / "sites.yaml"
    files = resolve_map(name, Path())
    radio = Radio() if scenario is None else load(scenario, []).scenario.radio
    with console.working(f"placing {count} sites"):
        area = survey(files, Path(), radio, seconds, recording or files.recording)
        plan = plan_sites(area, method, count)
    write_sites(target, plan.sites_m.tolist(), f"{count} sites by {method}, reach {area.reach_m:g} m.")
    if picture is not None:
        draw_coverage(area, plan, f"{name}: {digits(100.0 * plan.shares[method])} % covered by {count} sites", picture)
    if json:
        console.say_json({"file": target, "reach_m": area.reach_m, "covered": plan.shares})
        return
    if quiet():
        return
    console.say_table([(key, digits(100.0 * share)) for key, share in plan.shares.items()], ("method", "covered, %"))
    reach = quantity(area.reach_m, "m")
    console.say(f"{target}: {count} sites by {method}, each reaches {reach}; use sites: {{kind: map}}")


@app.command("make")
def make(
    kind: Annotated[Literal["grid", "intersection"], typer.Argument(help="grid or intersection.")],
    name: Annotated[str, typer.Option(help="Name of the map folder.")],
    vehicles: Annotated[int, typer.Option(help="Vehicles at once; grid: 1000 to 10000, intersection: 1 to 60.")],
    seed: Annotated[int, typer.Option(help="Seed of the demand.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder in which the map folder is made.")] = Path(),
) -> None:
    """Make a map folder with SUMO's netgenerate."""
    from cosim.maps.generate import generate_grid, generate_intersection

    generate = generate_grid if kind == "grid" else generate_intersection
    with console.working(f"making {name}"):
        made = generate(name, out, vehicles, seed)
    console.tell(
        f"{made}: run it with `cosim run {made / 'scenario.yaml'}`, look at it with `cosim map show {made}`, "
        f"name it in a scenario as `map: {made}`"
    )


@app.command("record", epilog=console.examples("cosim map record ./monaco", "cosim map record my.yaml traffic.parquet"))
def record_map(
    what: Annotated[
        str, typer.Argument(metavar="MAP|SCENARIO", help="A map folder of yours; or a scenario, with FILE.")
    ],
    out: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where a scenario's traffic goes.")] = None,
    overrides: Overrides = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Duration of a map's recording, after its warm-up.")] = 600.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of a map's traffic.")] = 1,
    json: Json = False,
) -> None:
    """Record traffic once, to replay it with `mobility: {kind: replay}`.

    The recording of a map is kept in its folder and found by itself; one of a scenario is named by `file: FILE`.
    """
    from contextlib import closing

    from cosim.mobility.connect import connect
    from cosim.mobility.record import record_frames
    from cosim.scenario.load import load

    if out is None:
        from cosim.maps.recorded import map_recording

        scenario, folder, out = map_recording(what, seconds, seed)
        use = "{kind: replay}"
    else:
        loaded = load(what, overrides or [])
        scenario, folder, use = loaded.scenario, loaded.folder, f"{{kind: replay, file: {out}}}"
    source = connect(scenario.mobility, scenario.map, folder, scenario.seed, scenario.duration_s)
    with closing(source), console.working(f"recording {scenario.duration_s:g} s"):
        rows = record_frames(source, scenario.duration_s, out, getattr(scenario.mobility, "begin_s", 0.0))
    if json:
        console.say_json({"file": out, "rows": rows})
    else:
        console.tell(f"{out}: {rows:,} rows; replay them with mobility: {use}")
