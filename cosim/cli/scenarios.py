"""`cosim scenario`: list and check scenario files."""

from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, Overrides, ScenarioName
from cosim.cli.loudness import Commands

app = Commands(help="Scenario files: list, check, presets, schema.", no_args_is_help=True)


@app.command("list")
def list_scenarios(json: Json = False) -> None:
    """List the bundled scenarios."""
    from cosim.scenario.load import bundled_scenarios, load

    found = {name: load(path).scenario.description for name, path in bundled_scenarios().items()}
    if json:
        console.say_json({"scenarios": found})
    else:
        console.say_table([(name, " ".join(told.split())) for name, told in found.items()], ("name", "description"))


@app.command("check")
def check_scenario(scenario: ScenarioName, overrides: Overrides = None, json: Json = False) -> None:
    """Check a scenario, its map and its policy without running it."""
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.mobility.catalog import resolve_map
    from cosim.scenario.load import describe_scenario, load
    from cosim.scenario.sense import Shown, listed_stands, refuse_senseless, sense_notes

    loaded = load(scenario, overrides or [])
    chosen = loaded.scenario
    refuse_senseless(chosen)
    make_policy(chosen.policy.name, chosen.policy.options, stream(chosen.seed, "policy"), loaded.folder)
    if chosen.mobility.kind in {"libsumo", "traci"}:
        resolve_map(chosen.map, loaded.folder)
    notes = sense_notes(chosen, Shown(listed_stands(chosen)))
    if json:
        console.say_json({"run_id": loaded.run_id, "scenario": chosen.model_dump(mode="json"), "notes": notes})
        return
    console.say_table(list(describe_scenario(loaded).items()))
    for note in notes:
        console.note(f"note: {note}")


@app.command("presets")
def list_presets(
    name: Annotated[str | None, typer.Argument(help="A preset, to see its values.", metavar="[PRESET]")] = None,
    json: Json = False,
) -> None:
    """List the presets of a radio (`radio.preset`), or the values of one with their sources."""
    from cosim.scenario.load import find_preset
    from cosim.scenario.preset_values import PRESETS
    from cosim.scenario.presets import plain

    chosen = dict(PRESETS) if name is None else {name: find_preset(name)}
    if json:
        console.say_json({"presets": {one: preset.as_json() for one, preset in chosen.items()}})
    elif name is None:
        console.say_table([(one, preset.title) for one, preset in chosen.items()], ("preset", "what it is"))
    else:
        rows = [(f"radio.{field}", plain(value), source) for field, (value, source) in chosen[name].values.items()]
        console.say_table(rows, ("field", "value", "source"))


@app.command("schema")
def print_scenario_schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from cosim.scenario.load import json_schema

    console.say(json_schema())
