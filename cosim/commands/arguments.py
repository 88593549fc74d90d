"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ScenarioName = Annotated[
    str, typer.Argument(help="A YAML file, or the name of a bundled scenario.", metavar="SCENARIO")
]
RunFolder = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As radio.bandwidth_hz=20e6.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
