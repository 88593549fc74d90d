"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

ScenarioName = Annotated[
    str, typer.Argument(help="A YAML file, or the name of a bundled scenario.", metavar="SCENARIO")
]
PlaceName = Annotated[
    str,
    typer.Argument(
        help="A YAML file, the name of a bundled scenario, or an environment: an id of Gymnasium as CartPole-v1, "
        "module:id, or module:factory or file.py:factory of a gymnasium.Env or a PettingZoo parallel environment.",
        metavar="SCENARIO",
    ),
]
"""A scenario, or an environment of Gymnasium or PettingZoo in its place."""
PlaceOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a field, as radio.bandwidth_hz=20e6; of an environment an argument, as sutton_barto_reward=true.",
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field, as radio.bandwidth_hz=20e6.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def folder(text: str) -> Path:
    """Return the path of an option that names a folder; Path would read an empty one, as of an unset variable, as ".".

    Raises:
        InputError: it is empty.
    """
    from cosim.errors import InputError

    if not text.strip():
        raise InputError("an empty name of a folder is given; name one, as --out runs/mine")
    return Path(text)


def key_values(settings: list[str], option: str, example: str) -> dict[str, Any]:
    """Return KEY=VALUE settings as data, with values read as in a scenario.

    Args:
        settings: texts from the command line.
        option: option with which they were given, for messages.
        example: an example of a setting, for messages.

    Raises:
        InputError: one is not KEY=VALUE or not YAML, or a key is given twice.
    """
    from cosim.errors import InputError
    from cosim.scenario.document import parse, shown

    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        told = f"{option} {shown(setting)}"
        if not key or not equals:
            raise InputError(f"{told}: is not KEY=VALUE; write {option} {example}")
        if key in found:
            raise InputError(f"{told}: {shown(key)} is given twice; give it once")
        found[key] = parse(text, f"{option} {shown(setting, 100)}", numbered=False).data
    return found
