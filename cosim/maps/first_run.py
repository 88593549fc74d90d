"""The first run of a new map: a scenario in its folder that shows roads, sites and moving vehicles as it stands."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SCENARIO: Final = "scenario.yaml"
_RUN_S: Final = 60.0
_WARMUP_S: Final = 10.0
"""Statistics leave out the first seconds, in which queues fill; the traffic is that of the map from the first on."""
_SPACING_M: Final = 400.0


def write_first_run(
    home: Path,
    name: str,
    origin: str,
    mobility: Mapping[str, str | float],
    traffic_s: float,
    has_sites: bool,
) -> None:
    """Write `scenario.yaml` into a map folder: a minute of its traffic, with positions for the playback.

    Args:
        home: the map folder.
        name: name of the map, which the run gets too.
        origin: what the map was made of, in words.
        mobility: section of the scenario.
        traffic_s: length of the traffic, if it is shorter than a minute.
        has_sites: whether the folder has sites; without them they stand on a grid.
    """
    duration_s = min(traffic_s, _RUN_S)
    section = ", ".join(f"{key}: {value}" for key, value in mobility.items())
    lines = [
        f"# A first run on this map: cosim run {name}/{SCENARIO}",
        f"name: {double_quoted(name)}",
        f"description: {double_quoted(f'A first run on the map {name}, {origin}.')}",
        "map: .",
        f"duration_s: {duration_s:g}",
        f"statistics: {{warmup_s: {min(_WARMUP_S, duration_s / 6.0):.3g}}} # left out of the figures",
        f"mobility: {{{section}}}",
        f"sites: {'{kind: map}' if has_sites else f'{{kind: grid, spacing_m: {_SPACING_M:g}}}'}",
        "trace: {positions: true} # for the playback of cosim report",
        "",
    ]
    (home / SCENARIO).write_text("\n".join(lines), encoding="utf-8")


def double_quoted(text: str) -> str:
    """Return a text in double quotes, for YAML or TOML, with a question mark for what cannot be printed."""
    return json.dumps("".join(letter if letter.isprintable() else "?" for letter in text), ensure_ascii=False)
