"""Kinds of SUMO input that hold state or draw numbers, each on the same small grid, and SUMO's own positions of them.

The grid has nine crossings with signals (A0 to C2), streets of 150 m with two lanes, and an entry at each border street
(left0A0, top1B2, ...). Ids begin with the name of the kind, so that kinds can be put together.
"""

import itertools
from pathlib import Path
from typing import NamedTuple

from cosim.mobility.catalog import MapFiles
from cosim.mobility.foreign import read_xml
from cosim.mobility.programs import run_program
from cosim.mobility.source import MobilitySource
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

Positions = list[dict[str, tuple[float, float]]]
"""Of the vehicles on the road by their ids, tick by tick."""


class DemandKind(NamedTuple):
    """Input of one kind."""

    routes: str = ""
    """Inside of a route file, sorted by departure."""
    additional: str = ""
    """Inside of an additional file."""
    options: tuple[str, ...] = ()
    """Options of SUMO, as a configuration would set them."""
    teleport_s: float = 300.0
    """The scenario's mobility.teleport_s."""


_ROAD = 'from="left0A0" to="C2right2" end="900"'
_OTHER = 'from="top0A2" to="C0bottom2" end="900"'
_THROUGH = 'edges="left1A1 A1B1 B1C1 C1right1"'
_TURNING = 'edges="left1A1 A1B1 B1B2 B2top1"'


def _typed(name: str, attributes: str, params: str = "") -> str:
    """Return two busy flows of one type."""
    return (
        f'<vType id="{name}_t" {attributes}>{params}</vType>'
        f'<flow id="{name}_f" type="{name}_t" begin="0" period="4" {_ROAD} departLane="best"/>'
        f'<flow id="{name}_g" type="{name}_t" begin="0" period="5" {_OTHER} departLane="best"/>'
    )


def _vehicles(name: str, more: str) -> str:
    return "".join(
        f'<trip id="{name}_{k}" depart="{3.7 * k:.2f}" {more} from="left{k % 3}A{k % 3}" to="C{k % 2}right{k % 2}"/>'
        for k in range(80)
    )


def _buses(name: str, stops: str, vtype: str = "") -> str:
    return (
        f'<vType id="{name}_bus" vClass="bus" length="12" {vtype}/><route id="{name}_r" {_THROUGH}>{stops}</route>'
        f'<flow id="{name}_f" type="{name}_bus" begin="0" end="900" period="15" route="{name}_r"/>'
        f'<flow id="{name}_c" begin="0" period="4" {_ROAD}/>'
    )


def _rerouted(name: str, inside: str, edges: str = "left1A1") -> str:
    return (
        f'<route id="{name}_1" {_THROUGH}/><route id="{name}_2" {_TURNING}/>'
        f'<rerouter id="{name}_re" edges="{edges}"><interval begin="0" end="900">{inside}</interval></rerouter>'
    )


_REROUTED_FLOW = '<flow id="{0}_f" begin="0" end="900" period="4" from="left1A1" to="C1right1"/>'
_PLAIN = '<flow id="{0}_f" begin="0" period="3" ' + _ROAD + "/>"


def _option(name: str, *options: str, attributes: str = 'vClass="passenger"') -> DemandKind:
    return DemandKind(_typed(name, attributes), options=options)


def _table() -> dict[str, DemandKind]:
    kinds = {
        "flow": DemandKind(_typed("flow", 'vClass="passenger"')),
        "probability": DemandKind(
            f'<flow id="probability_f" begin="0" probability="0.3" {_ROAD}/>'
            f'<flow id="probability_g" begin="0" period="exp(0.2)" {_OTHER}/>'
        ),
        "numbered": DemandKind(f'<flow id="numbered_f" begin="0" number="300" {_ROAD}/>'),
        "vtypes": DemandKind(
            '<vTypeDistribution id="vtypes_d"><vType id="vtypes_1" probability="0.7"/>'
            '<vType id="vtypes_2" vClass="truck" probability="0.3"/></vTypeDistribution>'
            f'<flow id="vtypes_f" type="vtypes_d" begin="0" period="3" {_ROAD}/>'
        ),
        "vtypes_of_trips": DemandKind(
            _vehicles("vtypes_of_trips", 'type="vtypes_of_trips_d"'),
            '<vTypeDistribution id="vtypes_of_trips_d"><vType id="vtypes_of_trips_1" probability="0.5"/>'
            '<vType id="vtypes_of_trips_2" vClass="bus" length="12" probability="0.5"/></vTypeDistribution>',
        ),
        "routes": DemandKind(
            f'<routeDistribution id="routes_d"><route id="routes_1" {_THROUGH} probability="1"/>'
            f'<route id="routes_2" {_TURNING} probability="2"/></routeDistribution>'
            '<flow id="routes_f" route="routes_d" begin="0" end="900" period="4"/>'
        ),
        "zones": DemandKind(
            '<flow id="zones_f" begin="0" end="900" period="5" fromTaz="zones_a" toTaz="zones_b"/>',
            '<taz id="zones_a" edges="left0A0 left1A1"/><taz id="zones_b" edges="C0right0 C2right2"/>',
        ),
        "rerouter": DemandKind(
            _REROUTED_FLOW.format("rerouter"),
            _rerouted(
                "rerouter",
                '<routeProbReroute id="rerouter_1" probability="0.5"/>'
                '<routeProbReroute id="rerouter_2" probability="0.5"/>',
            ),
        ),
        "goals": DemandKind(
            _REROUTED_FLOW.format("goals"),
            _rerouted(
                "goals",
                '<destProbReroute id="B2top1" probability="0.4"/><destProbReroute id="C0right0" probability="0.6"/>',
            ),
        ),
        "closing": DemandKind(
            _REROUTED_FLOW.format("closing"), _rerouted("closing", '<closingReroute id="B1C1"/>', "A1B1")
        ),
        "calibrator": DemandKind(
            _PLAIN.format("calibrator"),
            f'<route id="calibrator_r" {_THROUGH}/><calibrator id="calibrator_c" edge="A1B1" pos="20" period="60">'
            '<flow begin="0" end="900" route="calibrator_r" vehsPerHour="600" speed="10"/></calibrator>'
            '<calibrator id="calibrator_d" edge="left0A0" pos="40" period="30">'
            '<flow begin="0" end="900" route="calibrator_r" vehsPerHour="300"/></calibrator>',
        ),
        "in_additional": DemandKind(
            additional='<vType id="in_additional_t" vClass="delivery"/>'
            + _vehicles("in_additional", 'type="in_additional_t"')
            + f'<flow id="in_additional_f" begin="0" period="6" {_OTHER}/>'
        ),
        "departures": DemandKind(
            f'<vType id="departures_t" speedFactor="normc(1.0,0.2,0.5,1.5)" speedDev="0.2" sigma="0.9"/>'
            f'<flow id="departures_f" type="departures_t" begin="0" period="3.3" {_ROAD} departLane="random" '
            'departPos="random" departSpeed="random"/>'
            f'<flow id="departures_g" begin="0" period="4" {_OTHER} departLane="free" departPos="random_free" '
            'departSpeed="max" arrivalPos="random" arrivalLane="random"/>'
        ),
        "parking": DemandKind(
            f'<route id="parking_r" {_THROUGH}><stop parkingArea="parking_p" duration="25"/></route>'
            '<flow id="parking_f" begin="0" end="900" period="6" route="parking_r"/>',
            '<parkingArea id="parking_p" lane="A1B1_0" startPos="20" endPos="80" roadsideCapacity="4"/>'
            '<parkingArea id="parking_q" lane="B1C1_0" startPos="20" endPos="80" roadsideCapacity="3"/>'
            '<rerouter id="parking_re" edges="A1B1"><interval begin="0" end="900">'
            '<parkingAreaReroute id="parking_p"/><parkingAreaReroute id="parking_q" probability="0.5"/>'
            "</interval></rerouter>",
        ),
        "parked_first": DemandKind(
            "".join(
                f'<vehicle id="parked_first_{k}" depart="{4 * k}" departPos="stop"><route edges="A1B1 B1C1 C1right1"/>'
                f'<stop lane="A1B1_0" startPos="{20 + 9 * (k % 5)}" endPos="{28 + 9 * (k % 5)}" duration="33" '
                'parking="true"/></vehicle>'
                for k in range(40)
            )
        ),
        "buses": DemandKind(
            _buses(
                "buses", '<stop busStop="buses_a" duration="20"/><stop busStop="buses_b" duration="12" until="90"/>'
            ),
            '<busStop id="buses_a" lane="A1B1_0" startPos="50" endPos="90"/>'
            '<busStop id="buses_b" lane="B1C1_0" startPos="30" endPos="60"/>',
        ),
        "riders": DemandKind(
            _buses("riders", '<stop busStop="riders_a" duration="5" triggered="true"/>')
            + '<personFlow id="riders_p" begin="0" end="900" period="9"><ride from="A1B1" to="C1right1" '
            'lines="ANY"/></personFlow>',
            '<busStop id="riders_a" lane="A1B1_0" startPos="50" endPos="100"/>',
        ),
        "triggered": DemandKind(
            "".join(
                f'<vehicle id="triggered_{k}" depart="triggered"><route {_THROUGH}/></vehicle>'
                f'<person id="triggered_p{k}" depart="{7 * k + 2}"><ride from="left1A1" to="C1right1" '
                f'lines="triggered_{k}"/></person>'
                for k in range(30)
            )
        ),
        "jumps": DemandKind(
            f'<route id="jumps_r" {_THROUGH}><stop lane="A1B1_0" endPos="60" duration="4" jump="12"/></route>'
            '<flow id="jumps_f" begin="0" end="900" period="11" route="jumps_r"/>'
        ),
        "taxis": DemandKind(
            '<vType id="taxis_t" vClass="taxi"><param key="has.taxi.device" value="true"/></vType>'
            '<vehicle id="taxis_1" type="taxis_t" depart="0" line="taxi"><route edges="left0A0 A0B0"/></vehicle>'
            '<vehicle id="taxis_2" type="taxis_t" depart="0" line="taxi"><route edges="left1A1 A1B1"/></vehicle>'
            '<personFlow id="taxis_p" begin="5" end="900" period="35"><ride from="B1B2" to="C1right1" '
            'lines="taxi"/></personFlow>'
        ),
        "speed_signs": DemandKind(
            _PLAIN.format("speed_signs"),
            '<variableSpeedSign id="speed_signs_v" lanes="A0B0_0 A0B0_1 A0A1_0 A0A1_1">'
            '<step time="0" speed="13"/><step time="70" speed="3"/><step time="130" speed="20"/></variableSpeedSign>',
        ),
        "signals": DemandKind(
            _PLAIN.format("signals"),
            '<tlLogic id="A0" type="static" programID="signals_p" offset="7"><phase duration="20" '
            'state="GGGGGGGGGGGGGGGGGGGGGGGG"/><phase duration="40" state="rrrrrrrrrrrrrrrrrrrrrrrr"/></tlLogic>'
            '<WAUT id="signals_w" refTime="0" startProg="0"><wautSwitch time="40" to="signals_p"/>'
            '<wautSwitch time="110" to="0"/></WAUT><wautJunction wautID="signals_w" junctionID="A0"/>',
        ),
        "detectors": DemandKind(
            _PLAIN.format("detectors"),
            '<inductionLoop id="detectors_1" lane="A0B0_0" pos="50" period="30" file="NUL"/>'
            '<laneAreaDetector id="detectors_2" lane="A0B0_1" pos="10" endPos="90" period="30" file="NUL"/>'
            '<routeProbe id="detectors_p" edge="A0B0" period="30" file="NUL"/>'
            '<edgeData id="detectors_e" period="30" file="NUL"/>',
        ),
        "mixed_classes": DemandKind(
            "".join(
                f'<vType id="mixed_classes_{name}" vClass="{name}"/>'
                f'<flow id="mixed_classes_f{name}" type="mixed_classes_{name}" begin="0" period="9" {_ROAD}/>'
                for name in ("bicycle", "motorcycle", "truck", "trailer", "coach")
            )
        ),
        "emergency": DemandKind(
            _typed("emergency", 'vClass="emergency"', '<param key="has.bluelight.device" value="true"/>')
            + f'<flow id="emergency_c" begin="0" period="3" {_ROAD}/>'
        ),
        "devices": DemandKind(
            _typed(
                "devices",
                'vClass="passenger"',
                '<param key="device.rerouting.probability" value="0.5"/>'
                '<param key="device.rerouting.period" value="20"/>'
                '<param key="has.glosa.device" value="true"/><param key="device.battery.probability" value="0.5"/>'
                '<param key="device.driverstate.probability" value="0.4"/>',
            )
        ),
        "reaction": DemandKind(_typed("reaction", 'actionStepLength="1.5" startupDelay="0.7" tau="1.2"')),
        "impatient": DemandKind(
            _typed(
                "impatient", 'jmIgnoreFoeProb="0.3" impatience="0.4" lcAssertive="2" lcSpeedGain="5" lcImpatience="1"'
            )
        ),
        "jam": DemandKind(
            "".join(
                f'<vehicle id="jam_{k}" depart="{20 + 60 * (k // 2)}"><route {_THROUGH}/><stop lane="A1B1_{k % 2}" '
                'endPos="12" duration="70"/></vehicle>'
                for k in range(8)
            )
            + '<flow id="jam_f" begin="0" end="900" period="1.5" from="left1A1" to="C1right1"/>',
            options=("--max-depart-delay", "30"),
            teleport_s=20.0,
        ),
        "backlog": DemandKind(f'<flow id="backlog_f" begin="0" period="0.5" {_ROAD}/>'),
        "random_depart": _option("random_depart", "--random-depart-offset", "20"),
        "inserting": _option("inserting", "--eager-insert", "--extrapolate-departpos"),
        "sublane": _option("sublane", "--lateral-resolution", "0.8"),
        "sublane_mixed": _option(
            "sublane_mixed",
            "--lateral-resolution",
            "0.4",
            attributes='vClass="motorcycle" latAlignment="arbitrary" minGapLat="0.3"',
        ),
        "continuous_changes": _option("continuous_changes", "--lanechange.duration", "3"),
        "ballistic": _option("ballistic", "--step-method.ballistic", "true"),
        "mesoscopic": _option("mesoscopic", "--mesosim", "true"),
        "rerouting": _option(
            "rerouting",
            "--device.rerouting.probability",
            "0.5",
            "--device.rerouting.period",
            "30",
            "--route-steps",
            "0",
        ),
        "impatience": _option("impatience", "--time-to-impatience", "20", "--collision.action", "remove"),
        "default_speeds": _option("default_speeds", "--default.speeddev", "0.3", "--default.action-step-length", "1"),
        "driver_faults": _option(
            "driver_faults", "--device.toc.probability", "0", "--device.driverstate.probability", "0.5"
        ),
    }
    for model in ("IDM", "IDMM", "EIDM", "ACC", "CACC", "Wiedemann", "W99", "KraussOrig1", "PWagner2009", "Daniel1"):
        name = f"model_{model}"
        kinds[name] = DemandKind(_typed(name, f'carFollowModel="{model}"'))
    return kinds


KINDS = _table()
BY_FILES = tuple(name for name, kind in KINDS.items() if not kind.options)
BY_OPTIONS = tuple(name for name, kind in KINDS.items() if kind.options)


def grid_net(folder: Path, signals: str) -> Path:
    """Make the grid with signals of a type, once.

    Args:
        folder: where the net is to lie.
        signals: `static`, `actuated` or `delay_based`.
    """
    net = folder / f"{signals}.net.xml"
    if not net.exists():
        options = ["--grid", "--grid.number", "3", "--grid.length", "150", "--grid.attach-length", "100"]
        options += ["--default.lanenumber", "2", "--default-junction-type", "traffic_light"]
        options += ["--no-turnarounds", "true", "--tls.default-type", signals, "--output-file", str(net)]
        run_program("netgenerate", options, "grid")
    return net


def grid_files(folder: Path, nets: Path, signals: str, names: tuple[str, ...]) -> MapFiles:
    """Write the files of kinds of demand and return them as a map.

    Args:
        folder: where the files are to lie.
        nets: folder that keeps the nets.
        signals: type of the signals.
        names: names in `KINDS`.
    """
    routes, additional = [], []
    for name in names:
        kind = KINDS[name]
        for inside, root, files in ((kind.routes, "routes", routes), (kind.additional, "additional", additional)):
            if inside:
                path = folder / f"{name}.{root[:3]}.xml"
                path.write_text(f"<{root}>{inside}</{root}>")
                files.append(path)
    return MapFiles("kinds", grid_net(nets, signals), tuple(routes), tuple(additional))


def options_of(names: tuple[str, ...]) -> list[str]:
    """Return the options that kinds bring along."""
    return list(itertools.chain.from_iterable(KINDS[name].options for name in names))


def fcd_of_sumo(options: list[str], mobility: LibsumoMobility | TraciMobility, ticks: int, folder: Path) -> Positions:
    """Return the positions of an unbroken run of the program `sumo` at ticks 0 to `ticks`.

    Args:
        options: of SUMO.
        mobility: gives step and first tick.
        ticks: number of the last tick.
        folder: where the FCD output is to lie.
    """
    out, step_s = folder / "fcd.xml", mobility.step_s
    told = ["--fcd-output", str(out), "--precision", "6", "--end", f"{mobility.begin_s + ticks * step_s:.3f}"]
    run_program("sumo", [*options, *told], "straight run")
    table = read_xml(out)
    seen: Positions = [{} for _ in range(ticks + 1)]
    for time_s, vehicle, x_m, y_m in zip(table.time_s, table.vehicle, table.x_m, table.y_m, strict=True):
        tick = round((time_s - mobility.begin_s) / step_s) + 1
        if tick >= 0 and vehicle >= 0:
            seen[tick][table.names[vehicle][0]] = (x_m, y_m)
    return seen


def positions_of(source: MobilitySource, ticks: int) -> Positions:
    """Return the positions of a source's frames of ticks 0 to `ticks`, and close it."""
    names: dict[int, str] = {}
    seen: Positions = []
    try:
        for tick in range(ticks + 1):
            frame = source.advance(tick)
            names.update((entry.number, entry.vehicle_id) for entry in frame.entered)
            there = zip(frame.numbers[frame.on_road].tolist(), frame.xy_m[frame.on_road].tolist(), strict=True)
            seen.append({names[number]: (x_m, y_m) for number, (x_m, y_m) in there})
    finally:
        source.close()
    return seen


def farthest_m(ours: Positions, theirs: Positions) -> float:
    """Return the largest distance along an axis; infinity if a vehicle is missing or extra at some tick."""
    largest = 0.0
    assert len(ours) == len(theirs)
    for own, other in zip(ours, theirs, strict=True):
        if own.keys() != other.keys():
            return float("inf")
        for name, (x_m, y_m) in own.items():
            largest = max(largest, abs(x_m - other[name][0]), abs(y_m - other[name][1]))
    return largest
