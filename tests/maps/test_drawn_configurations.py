"""Whatever a configuration says and however it is written, cosim moves the vehicles that SUMO itself moves with it."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape, quoteattr

from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from sumo_town import CAR, SumoTown

from cosim.kernel.rng import stream_key
from cosim.maps.demand import Demand
from cosim.maps.importing import import_map
from cosim.mobility.connect import connect
from cosim.mobility.programs import run_program
from cosim.roads.xmlscan import scan_xml
from cosim.scenario.load import load

RUN_S = 30.0
NAMES = {
    "net-file": ("net-file", "n", "net"),
    "route-files": ("route-files", "r", "routes"),
    "additional-files": ("additional-files", "a", "additional"),
    "begin": ("begin", "b"),
    "end": ("end", "e"),
    "seed": ("seed", "srand"),
    "tripinfo-output": ("tripinfo-output", "tripinfo"),
    "default.carfollowmodel": ("default.carfollowmodel", "carfollow.model"),
}
MORE = {
    "time-to-teleport": ("-1", "20", "00:05:00"),
    "scale": ("0.5", "1.7"),
    "max-num-vehicles": ("3",),
    "max-depart-delay": ("4",),
    "ignore-route-errors": ("true",),
    "default.speeddev": ("0", "0.3"),
    "default.carfollowmodel": ("IDM",),
    "default.action-step-length": ("2",),
    "device.rerouting.probability": ("0.5",),
    "random-depart-offset": ("7",),
    "lateral-resolution": ("0.8",),
    "seed": ("7",),
    "tripinfo-output": ("out.xml",),
    "no-warnings": ("true",),
}
PIECES = (
    '<flow id="{id}" type="car" begin="{begin}" end="{end}" period="3" from="ab" to="bc"/>',
    '<flow id="{id}" type="car" begin="{begin}" number="40" from="db" to="bc"/>',
    '<flow id="{id}" type="mix" begin="{begin}" end="{end}" probability="0.4" from="cb" to="ba"/>',
    '<trip id="{id}" type="car" depart="{begin}" from="ab" to="bd"/>',
    '<vehicle id="{id}" type="car" depart="{begin}"><route edges="ab bc"/></vehicle>',
    '<vehicle id="{id}" type="bus" depart="{begin}"><route edges="cb bd"/></vehicle>',
    '<person id="{id}" depart="{begin}"><walk edges="ab" arrivalPos="50"/></person>',
)
TYPES = CAR + '<vType id="bus" vClass="bus" sigma="0.9"/><vTypeDistribution id="mix"><vType id="m1" probability="0.5"/>'
TYPES += '<vType id="m2" vClass="truck" probability="0.5"/></vTypeDistribution>'


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of demand, and where it stands: in a route file, an additional file, or one that either includes."""

    text: str
    late_s: int
    additional: bool
    included: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration."""

    begin_s: int
    step_s: float
    pieces: tuple[Piece, ...]
    options: dict[str, str]
    spelling: int
    packed: bool


pieces = st.builds(Piece, st.sampled_from(PIECES), st.integers(0, 20), st.booleans(), st.booleans())
more = st.dictionaries(st.sampled_from(sorted(MORE)), st.integers(0, 9), max_size=4).map(
    lambda chosen: {name: MORE[name][k % len(MORE[name])] for name, k in chosen.items()}
)
cases = st.builds(
    Case,
    st.sampled_from((0, 7, 25200, 90061)),
    st.sampled_from((1.0, 0.5, 0.37, 2.0)),
    st.lists(pieces, max_size=5).map(tuple),
    more,
    st.integers(0, 10**6),
    st.booleans(),
)


def spelled(case: Case, options: dict[str, str]) -> str:
    """The options under one of their names each, in one of three notations, in sections of any name."""
    text, turn = "", case.spelling
    for option, value in options.items():
        names = NAMES.get(option, (option,))
        name = names[turn % len(names)]
        notations = (f"<{name} value={quoteattr(value)}/>", f"<{name} v={quoteattr(value)}/>")
        notation = (*notations, f"<{name}>{escape(value)}</{name}>")[turn // 3 % 3]
        text += f"<any{turn % 2}>{notation}</any{turn % 2}>" if turn % 5 else notation
        turn = turn * 31 // 7 + 1
    return f"<configuration>{text}</configuration>"


def clock(time_s: float, form: int) -> str:
    """A time as seconds, hours or days."""
    whole, rest = divmod(int(time_s), 3600)
    short = f"{rest // 60:02d}:{rest % 60:02d}"
    return (f"{time_s:g}", f"{whole:02d}:{short}", f"{whole // 24}:{whole % 24:02d}:{short}")[form % 3]


def written(case: Case, home: Path) -> Path:
    """The files of a case."""
    town = SumoTown(home, "s net.xml")
    texts: dict[tuple[bool, bool], str] = dict.fromkeys(
        ((True, True), (True, False), (False, True), (False, False)), ""
    )
    texts[True, False] = TYPES
    texts[False, False] = f'<vehicle id="sure" type="car" depart="{case.begin_s}"><route edges="ab bc"/></vehicle>'
    for k, piece in enumerate(case.pieces):
        begin_s = case.begin_s + piece.late_s
        inner = piece.text.format(id=f"p{k}", begin=begin_s, end=begin_s + 15)
        texts[piece.additional, piece.included] += inner
    for additional in (True, False):
        town.write(f"deep/inc{additional:d}.xml", texts[additional, True], packed=case.packed)
        root = "additional" if additional else "routes"
        inner = texts[additional, False] + f'<include href="deep/inc{additional:d}.xml"/>'
        town.write(f"ö {additional:d}.xml", inner, root, packed=not case.packed)
    end_s = case.begin_s + RUN_S
    options = {"route-files": "ö 0.xml", "net-file": "s net.xml", "begin": clock(case.begin_s, case.spelling)}
    options |= {"end": clock(end_s, case.spelling // 7), "step-length": f"{case.step_s:g}", **case.options}
    file = home / "run.sumocfg"
    file.write_text(spelled(case, options | {"additional-files": "ö 1.xml"}), encoding="utf-8")
    return file


def by_sumo(file: Path, seed: int) -> dict[float, dict[str, tuple[float, float]]]:
    """Where SUMO has the vehicles of the user's own configuration."""
    seen: dict[float, dict[str, tuple[float, float]]] = {}
    now_s = 0.0

    def on_element(name: str, attributes: dict[str, str]) -> None:
        nonlocal now_s
        if name == "timestep":
            now_s = float(attributes["time"])
            seen[now_s] = {}
        elif name == "vehicle":
            seen[now_s][attributes["id"]] = (float(attributes["x"]), float(attributes["y"]))

    fcd = file.parent / "fcd.xml"
    options = ["-c", str(file), "--fcd-output", str(fcd), "--random", "false", "--no-step-log", "true"]
    run_program("sumo", [*options, "--seed", str(stream_key(seed, "sumo") % 2**31)], "test")
    scan_xml(fcd, on_element, "test")
    return seen


@drawn(120, least=8)
@given(cases)
def test_vehicles_are_those_of_sumo(case: Case) -> None:
    """From the configuration's begin on, every vehicle is where SUMO has it, to a centimetre, and there is no other."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        file = written(case, home / "in")
        import_map(file, "m", home, Demand(), "none")
        loaded = load(home / "m" / "scenario.yaml")
        wanted = by_sumo(file, 1)
        mobility = loaded.scenario.mobility.model_copy(update={"begin_s": float(case.begin_s)})
        names: dict[int, str] = {}
        with closing(connect(mobility, ".", loaded.folder, 1, 1.0)) as source:
            for tick, time_s in enumerate(sorted(wanted), start=1):
                frame = source.advance(0) if tick == 1 else None
                frame = source.advance(tick)
                for entry in frame.entered:
                    names[entry.number] = entry.vehicle_id
                here = dict(zip((names[number] for number in frame.numbers), frame.xy_m.tolist(), strict=True))
                assert sorted(here) == sorted(wanted[time_s]), (tick, time_s)
                for name, (x_m, y_m) in wanted[time_s].items():
                    assert abs(here[name][0] - x_m) < 0.011, (name, time_s)
                    assert abs(here[name][1] - y_m) < 0.011, (name, time_s)
        assert len(wanted) >= RUN_S / case.step_s - 1
