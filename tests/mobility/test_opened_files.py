"""Which files SUMO opens, and that a cache entry stands for all of them."""

import gzip
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from cosim.envs import traffic
from cosim.mobility.catalog import resolve_map
from cosim.mobility.connect import connect
from cosim.mobility.content import content_of
from cosim.mobility.inputs import opened_files, read_inputs, traffic_key
from cosim.mobility.programs import sumo_environment, sumo_home
from cosim.resources import bundled
from cosim.scenario.load import load
from cosim.scenario.traffic import LibsumoMobility

FILES = {
    "town/rou.xml": b'<routes><include href="parts/inner.xml"/><vType id="car"/></routes>',
    "town/parts/inner.xml": b"<routes><include href='../more&#46;xml'/>"
    b'<vehicle id="v" depart="6"><route edges="left0A0 A0right0"/></vehicle></routes>',
    "town/more.xml": gzip.compress(
        b'<routes><vehicle id="w" depart="4"><route edges="left0A0 A0right0"/></vehicle></routes>', mtime=0
    ),
    "town/a.add.xml": '<?xml version="1.0" encoding="UTF-16"?><additional><include href="parts/b.add.xml"/>'
    '<variableSpeedSign id="s" lanes="left0A0_0" file="parts/speeds.xml"/></additional>'.encode("utf-16"),
    "town/parts/b.add.xml": b'<additional><vType id="slow" maxSpeed="5"/><edgeData id="d" file="NUL"/>'
    b'<calibrator id="c" edge="A0right0" pos="1" output="NUL" file = "rates.xml"/></additional>',
    "town/parts/speeds.xml": b'<vss><step time="0" speed="9"/></vss>',
    "town/parts/rates.xml": b'<calibrator><flow begin="0" end="9" speed="9"/></calibrator>',
    "town/parts/nobody.xml": b"<routes/>",
    "town/NUL": b"<meandata/>",
}
SCENARIO = """\
name: town
map: town
duration_s: 8
mobility: {kind: libsumo}
sites: {kind: listed, sites: [{name: a, x_m: 150, y_m: 310}]}
statistics: {batches: 2, warmup_s: 0}
"""


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A map whose files include and name others, and a scenario beside it."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    net = bundled("sumo_maps") / "intersection" / "net.net.xml.gz"
    (tmp_path / "town" / "net.net.xml").write_bytes(gzip.decompress(net.read_bytes()))
    (tmp_path / "town.yaml").write_text(SCENARIO)
    return tmp_path / "town"


def names(home: Path, paths: tuple[Path, ...]) -> list[str]:
    return [path.resolve().relative_to(home).as_posix() for path in paths]


def sumo_accepts(home: Path, *options: str) -> bool:
    """Whether SUMO loads the map and steps once, without a complaint."""
    given = options or ("--net-file", "net.net.xml", "--route-files", "rou.xml", "--additional-files", "a.add.xml")
    command = [str(sumo_home() / "bin" / "sumo"), *given, "--end", "1", "--no-step-log", "--xml-validation", "never"]
    ended = subprocess.run(command, cwd=home, env=sumo_environment(), capture_output=True, check=False)
    return ended.returncode == 0 and b"Error" not in ended.stderr  # of a broken include in demand it only speaks


def test_all_that_sumo_opens(town: Path) -> None:
    """Each file that SUMO minds when it is broken is among them, gzipped or in UTF-16 too; what it writes is not."""
    found = names(town, tuple(file.path for file in read_inputs(resolve_map("town", town.parent).inputs).files))
    assert found == [
        "net.net.xml",
        "rou.xml",
        "a.add.xml",
        "parts/inner.xml",
        "parts/b.add.xml",
        "parts/speeds.xml",
        "more.xml",
        "parts/rates.xml",
    ]
    assert sumo_accepts(town)
    needed = []
    for path in sorted(town.rglob("*")):
        if path.is_file():
            kept = path.read_bytes()
            path.write_bytes(b"<broken")
            if not sumo_accepts(town):
                needed.append(path.relative_to(town).as_posix())
            path.write_bytes(kept)
    assert len(needed) >= 8
    assert set(needed) <= set(found)


def test_a_configuration(town: Path) -> None:
    """What a .sumocfg names counts, parted by commas, with a space as %20; what SUMO writes does not."""
    (town / "two words.xml").write_bytes(b"<routes/>")
    (town / "old.xml").write_bytes(b"<tripinfos/>")
    (town / "run.sumocfg").write_text(
        '<configuration><input><net-file value="net.net.xml"/><r v="rou.xml, two%20words.xml"/></input>'
        '<output><tripinfo-output value="old.xml"/></output>'
        '<routing><device.rerouting.probability value="1"/></routing>'
        "</configuration>"
    )
    found = names(town, opened_files([town / "run.sumocfg"]))
    assert found == ["run.sumocfg", "net.net.xml", "rou.xml", "two words.xml", "parts/inner.xml", "more.xml"]
    assert not read_inputs([town / "run.sumocfg"]).unfollowed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'<routes><include href="gone.xml"/></routes>', "gone.xml: cannot be read"),
        (b'<routes><include href="parts"/></routes>', ""),
        (b'<routes><include href="rou.xml"/></routes>', ""),
        (b'<routes><include href="${HOME}/x.xml"/></routes>', "x.xml: cannot be read"),
        (b"<!DOCTYPE routes [<!ENTITY e \"<include href='parts/inner.xml'/>\">]><routes>&e;</routes>", "document type"),
        (b'<routes><include href="more.xml"/>', "broken XML"),
        (gzip.compress(b"<routes/>" * 100, mtime=0)[:-12], "cannot be unpacked"),
        ("<?xml version='1.0' encoding='EBCDIC-CP-US'?><routes/>".encode("cp500"), "broken XML"),
        (b'<?xml version="1.0" encoding="nobody"?><routes><include href="more.xml"/></routes>', "unknown encoding"),
    ],
)
def test_what_cannot_be_followed(town: Path, content: bytes, said: str) -> None:
    """A name that leads nowhere, or may hide another, means that nothing is kept; a circle has an end."""
    (town / "rou.xml").write_bytes(content)
    found = read_inputs(resolve_map("town", town.parent).inputs)
    assert bool(found.unfollowed) == bool(said)
    assert said in "".join(found.unfollowed)
    assert (traffic_key(["--seed", "1"], found, []) is None) == bool(said)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("town/parts/nobody.xml", "town/NUL")])
def test_each_file_is_in_the_key(town: Path, name: str) -> None:
    """A change to any file that SUMO opens is another key; moving all of them is not."""
    files = resolve_map("town", town.parent)

    def key(home: Path) -> str | None:
        one = resolve_map("town", home)
        return traffic_key(
            ["--net-file", str(one.net), "--route-files", str(one.routes[0])], read_inputs(one.inputs), ["x"]
        )

    before = key(town.parent)
    assert before is not None
    path = town.parent / name
    path.write_bytes(path.read_bytes() + b"\n")
    if name == "town/more.xml":  # garbage behind its end
        path.write_bytes(gzip.compress(gzip.decompress(FILES[name]) + b"\n"))
    if name == "town/a.add.xml":
        path.write_bytes((FILES[name].decode("utf-16") + "\n").encode("utf-16"))
    assert key(town.parent) not in (before, None)
    path.write_bytes(FILES[name])
    assert key(town.parent) == before
    moved = town.parent.with_name(f"{town.parent.name}-moved")
    town.parent.rename(moved)
    assert key(moved) == before
    assert files.net is not None


def test_which_option_names_a_file_is_in_the_key(town: Path) -> None:
    """The same files as demand or as additional files, or in another order, are other traffic."""
    found = read_inputs([town / "net.net.xml", town / "rou.xml", town / "more.xml"])
    rou, more = str(town / "rou.xml"), str(town / "more.xml")
    keys = {
        traffic_key(options, found, [])
        for options in (
            ["--route-files", f"{rou},{more}"],
            ["--route-files", f"{more},{rou}"],
            ["--route-files", rou, "--additional-files", more],
            ["--route-files", more, "--additional-files", rou],
        )
    }
    assert len(keys) == 4


def departures(town: Path) -> bytes:
    """The included vehicle's positions in the recording that all episodes of an environment share."""
    loaded = load(str(town.parent / "town.yaml"), [])
    source = traffic.lasting_traffic(loaded.scenario, loaded.folder)
    assert source is not None
    with closing(source):
        return b"".join(source.advance(tick).xy_m.tobytes() for tick in range(9))


def test_a_changed_include_is_new_traffic(town: Path) -> None:
    """Recorded traffic is recorded again when a file changes that only an included file includes, and not before."""
    first = departures(town)
    assert departures(town) == first
    (town / "more.xml").write_bytes(
        FILES["town/more.xml"][:0]
        + gzip.compress(gzip.decompress(FILES["town/more.xml"]).replace(b'depart="4"', b'depart="2"'))
    )
    second = departures(town)
    assert second != first
    with closing(connect(LibsumoMobility(), "town", town.parent, 1, 8)) as live:
        assert second == b"".join(live.advance(tick).xy_m.tobytes() for tick in range(9))


def test_content_of_a_scenario(town: Path) -> None:
    """Provenance names every file that shapes traffic, sites and arrivals, without the machine's folders."""
    (town / "sites.yaml").write_text("sites: [{name: a, x_m: 1, y_m: 1}]")
    (town.parent / "arrivals.csv").write_text("time_s,vehicle_id\n1,v\n")
    (town.parent / "beside.xml").write_text("<routes/>")
    (town / "rou.xml").write_text('<routes><include href="../beside.xml"/><include href="gone.xml"/></routes>')
    loaded = load(str(town.parent / "town.yaml"), ["tasks.arrivals={kind: file, file: arrivals.csv}"])
    found = content_of(loaded.scenario, loaded.folder)
    assert list(found) == [
        "net.net.xml",
        "rou.xml",
        "a.add.xml",
        "beside.xml",
        "parts/b.add.xml",
        "parts/speeds.xml",
        "parts/rates.xml",
        "gone.xml",
        "sites.yaml",
        "arrivals.csv",
    ]
    assert found["gone.xml"] == ""
    assert all(len(sha256) == 64 for name, sha256 in found.items() if name != "gone.xml")
    replay = load(str(town.parent / "town.yaml"), ["mobility={kind: replay, file: beside.xml}"])
    assert list(content_of(replay.scenario, replay.folder)) == ["net.net.xml", "sites.yaml", "beside.xml"]
