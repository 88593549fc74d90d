"""Traffic of the user's own: his SUMO configuration or route file, copied as it is, tried, and described."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from pydantic import ValidationError

from cosim.errors import InputError
from cosim.maps.occupancy import OccupancyCurve
from cosim.maps.scenario_files import ADDITIONAL, NET, ROUTES, Carrier, OwnDemand
from cosim.maps.trial import TRIED_S, Told, Trial, read_demand, try_traffic
from cosim.mobility.catalog import CONFIGURATION, MapFiles, resolve_map
from cosim.mobility.configuration import Configuration
from cosim.mobility.option_table import SET_BY_SCENARIO, option_table
from cosim.scenario.traffic import LibsumoMobility

_ENDINGS = {"route-files": ROUTES, "additional-files": ADDITIONAL}
_RUN_S = 60.0
_SHOWN = 5
OVERRIDES = "outputs, messages, gui, remote port; and by the scenario " + ", ".join(SET_BY_SCENARIO)
"""What cosim sets whatever a configuration says."""


@dataclass(frozen=True, slots=True)
class OwnTraffic:
    """What became of the user's own traffic."""

    mobility: dict[str, Any]
    """The scenario's section: what the configuration sets, and from when on the map is full."""
    begin_s: float
    at_once: float
    """Mean number of vehicles in the first run, duration_s from begin_s on."""
    duration_s: float
    """Time that is left until the configuration's end, at most a minute."""
    stop_s: float | None
    report: list[tuple[str, str]]


def carry_inputs(
    home: Path, settings: Configuration | None, routes: Path | None
) -> tuple[Carrier, dict[str, str], list[tuple[str, str]]]:
    """Copy the input files of a configuration, without its net, into a map folder.

    Args:
        home: the map folder.
        settings: the user's configuration; None: there is only a route file.
        routes: the user's route file, in place of the configuration's; None: only the configuration.

    Returns:
        The carrier, with the demand that it has met; the options for the copy of the configuration; report lines.

    Raises:
        InputError: a file is not there or broken, or cosim cannot honour an option.
    """
    carrier, options, table = Carrier(home), {"net-file": NET}, option_table()
    report: list[tuple[str, str]] = []
    sources: list[str] = []
    given = {} if settings is None else _understood(settings)
    if routes is not None:
        if "route-files" in given:
            report.append(("left out", f"route-files {given['route-files']}: --routes takes their place"))
        given["route-files"] = ""
    for option, value in given.items():
        if option == "net-file" or table[option].is_left_out:
            continue
        if not table[option].is_read:
            options[option] = value
            continue
        files = (
            (routes,) if option == "route-files" and routes is not None else settings.files(option) if settings else ()
        )
        copies = []
        for path in files:
            before = carrier.demand.count
            plain = option not in _ENDINGS and option != "weight-files"
            copies.append(carrier.carry_plain(path) if plain else carrier.carry(path, _ENDINGS.get(option, ADDITIONAL)))
            sources += [path.name] if carrier.demand.count > before else []
        options[option] = ",".join(copy.name for copy in copies)
    report += [("demand", f"kept from {', '.join(sources)}")] if sources else []
    report += [("detectors and the like", f"{carrier.silenced} write nowhere now")] if carrier.silenced else []
    return carrier, options, report


def _understood(settings: Configuration) -> dict[str, str]:
    """Return the options of a configuration that cosim can honour."""
    for option, value in settings.options:
        if option_table()[option].starts_from_state:
            raise InputError(
                f"{settings.path.name}: {option}={value}: cosim drives the traffic from its begin on itself; take the "
                "option out, and give a begin"
            )
    settings.period()  # whatever reads it later, names the copy
    settings.traffic()
    return dict(settings.options)


def told_settings(settings: Configuration) -> list[tuple[str, str]]:
    """Return report lines: what of a configuration is handed to SUMO, and what cosim sets in its place."""
    table = option_table()
    named = [(option, f"{option} {value}") for option, value in settings.options]
    unused = [text for option, text in named if table[option].is_left_out or option == "seed"]
    scenario = [text for option, text in named if option in SET_BY_SCENARIO and option != "seed"]
    kept = [
        text
        for option, text in named
        if option not in SET_BY_SCENARIO and not table[option].is_left_out and not table[option].is_read
    ]
    lines = [("handed to SUMO", ", ".join(kept))] if kept else []
    lines += [("set by cosim", OVERRIDES)]
    lines += [("not used of the file", ", ".join(unused))] if unused else []
    return lines + ([("first values from the file", ", ".join(scenario))] if scenario else [])


def write_configuration(home: Path, options: Mapping[str, str]) -> None:
    """Write the SUMO configuration of a map folder."""
    lines = [f"    <{option} value={quoteattr(value)}/>" for option, value in options.items()]
    text = "\n".join(["<sumoConfiguration>", *lines, "</sumoConfiguration>", ""])
    (home / CONFIGURATION).write_text(text, encoding="utf-8")


def bring(home: Path, carrier: Carrier, name: str, told: Told) -> OwnTraffic:
    """Try the traffic of a map folder that has its configuration, and say when it is full and what drives.

    Args:
        home: the map folder.
        carrier: what copied the files, with the demand that it met.
        name: name of the user's configuration or route file.
        told: shows how far the work is.

    Raises:
        InputError: SUMO refuses the traffic, or no vehicle departs.
    """
    files, demand = resolve_map(str(home.resolve()), home), carrier.demand
    mobility = _section(files, name)
    stop_s = float("inf") if files.stop_s is None else files.stop_s
    report = _left_out(demand)
    last_s = min(stop_s, max(demand.last_s, files.start_s) + mobility.step_s)
    read = read_demand(files, mobility, last_s, told) if demand else None
    first_s = demand.first_s if files.start_s < demand.first_s < stop_s else files.start_s
    end_s = min(stop_s, first_s + TRIED_S)
    trial = try_traffic(files, mobility, demand, end_s, told)
    if not trial.curve.running.any():
        raise InputError(_nobody(name, demand, files.start_s, end_s))
    begin_s, at_once = filled(trial.curve, stop_s)
    if read is not None:
        report += _dropped(demand, read, files, trial, mobility.scale)
    report += [
        ("vehicles that departed", ", ".join(f"{count} {name}" for name, count in trial.classes)),
        ("tried", f"from t={files.start_s:.10g} to {end_s:.10g} s"),
    ]
    section = {"kind": "libsumo", **dict(files.traffic), "begin_s": begin_s}
    return OwnTraffic(section, begin_s, at_once, min(_RUN_S, stop_s - begin_s), files.stop_s, report)


def filled(curve: OccupancyCurve, stop_s: float) -> tuple[float, float]:
    """Return from when on a map is full, with time left until its end, and the mean number in the minute after.

    Args:
        curve: vehicles at once, at times on SUMO's grid of steps.
        stop_s: time at which the traffic ends, infinite without one.
    """
    start_s = float(curve.time_s[0])
    latest_s = stop_s - min(_RUN_S, (stop_s - start_s) / 2.0)
    usable = curve.time_s <= latest_s
    most = curve.running[usable].max() or curve.running.max()
    full = usable & (curve.running >= 0.9 * most)
    first = int(np.argmax(full)) if full.any() else int(np.flatnonzero(usable)[-1])
    begin_s = float(curve.time_s[first])
    after = (curve.time_s >= begin_s) & (curve.time_s <= begin_s + _RUN_S)
    return round(begin_s, 3), float(curve.running[after].mean())


def _section(files: MapFiles, name: str) -> LibsumoMobility:
    try:
        return LibsumoMobility(begin_s=files.start_s, **dict(files.traffic))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InputError(f"{name}: {wrong['loc'][-1]}={wrong['input']!r}: {wrong['msg']}; choose another") from error


def _left_out(demand: OwnDemand) -> list[tuple[str, str]]:
    counts = ((demand.persons, "persons"), (demand.containers, "containers"))
    return [
        ("left out", f"{count} {what} or flows of them; SUMO moves them, cosim has vehicles only")
        for count, what in counts
        if count
    ]


def _nobody(name: str, demand: OwnDemand, start_s: float, end_s: float) -> str:
    persons = demand.persons + demand.containers
    if persons and not (demand.departures or demand.flows or demand.others):
        return (
            f"{name}: its demand is persons or containers alone, {persons} of them or of their flows, which cosim "
            "leaves out, and no vehicle departs; add vehicles to a route file"
        )
    return (
        f"{name}: no vehicle of the demand departs from t={start_s:.10g} to {end_s:.10g} s; correct the begin and end "
        "of the configuration, or the departures of the route file"
    )


def _dropped(
    demand: OwnDemand, read: tuple[frozenset[str], tuple[str, ...], float], files: MapFiles, trial: Trial, scale: float
) -> list[tuple[str, str]]:
    loaded, ignored, read_s = read
    early = [name for name, time_s in demand.departures.items() if time_s < files.start_s]
    stop_s = float("inf") if files.stop_s is None else files.stop_s
    late = [name for name, time_s in demand.departures.items() if time_s >= stop_s]
    due = [name for name, time_s in demand.departures.items() if files.start_s <= time_s < read_s]
    refused = [name for name in due if name not in loaded and name not in ignored]
    lines = [
        ("dropped by SUMO", _named(ignored, "not sorted by departure in their file")),
        ("dropped by SUMO", _named(refused, "in the file and not taken")),
        ("dropped by SUMO", _named(trial.lost if scale == 1.0 else (), "let go without a departure in the trial")),
        ("not in the run", _named(early, f"depart before the begin, {files.start_s:.10g} s")),
        ("not in the run", _named(late, f"depart after the end, {stop_s:.10g} s")),
    ]
    if trial.teleported:
        lines.append(("teleported in the trial", _named(trial.teleported, "waited too long or could not go on")))
    if read_s < min(stop_s, demand.last_s):
        lines.append(("demand", f"read up to t={read_s:.10g} s; what departs later was not checked"))
    return [line for line in lines if line[1]]


def _named(names: Iterable[str], why: str) -> str:
    every = list(names)
    shown = ", ".join(every[:_SHOWN]) + (", ..." if len(every) > _SHOWN else "")
    return f"{len(every)} {why}: {shown}" if every else ""
