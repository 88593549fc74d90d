"""A map that ends every process that loads it is refused in one line; one that does not costs a child once."""

import gzip
import re
from contextlib import closing
from pathlib import Path

import pytest
from command_worker import CommandWorker
from effort import rest_long

from cosim.errors import InputError
from cosim.mobility import cache, probe
from cosim.mobility.connect import connect
from cosim.resources import bundled
from cosim.scenario.traffic import LibsumoMobility

SCENARIO = """\
name: lethal
map: town
duration_s: 3
mobility: {kind: libsumo}
sites: {kind: listed, sites: [{name: a, x_m: 150, y_m: 310}]}
statistics: {batches: 2, warmup_s: 0}
"""
LETHAL = {
    "an internal edge that is not said to be one": (r'(<edge id=":A0_0") function="internal"', r"\1"),
    "a way over the junction that is not named": (r' via=":A0_0_0"', ""),
    "connections that are missing": (r'<connection from="bottom0A0"[^>]*>', ""),
}


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A copy of the intersection with plain files, and a scenario beside it."""
    home = tmp_path / "town"
    home.mkdir()
    for name in ("net.net.xml", "rou.xml"):
        packed = bundled("sumo_maps") / "intersection" / f"{name}.gz"
        (home / name).write_bytes(gzip.decompress(packed.read_bytes()))
    (tmp_path / "town.yaml").write_text(SCENARIO)
    return home


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The options of each child that was started."""
    seen: list[tuple[str, ...]] = []
    start = probe._status

    def counted(files: probe.MapFiles, options: list[str]) -> int:
        seen.append(tuple(options))
        return start(files, options)

    monkeypatch.setattr(probe, "_status", counted)
    return seen


def opened(home: Path, seed: int = 1, **changes: float) -> None:
    """Start the map and let it go."""
    with closing(connect(LibsumoMobility(**changes), home.name, home.parent, seed, 3)) as source:
        source.advance(0)


@pytest.mark.parametrize(
    ("damage", "begin_s", "usable"),
    rest_long(
        [(LETHAL[name], begin_s, usable) for usable in (True, False) for begin_s in (0, 2) for name in LETHAL], keep=1
    ),
)
def test_a_lethal_net(
    town: Path, monkeypatch: pytest.MonkeyPatch, damage: tuple[str, str], begin_s: int, usable: bool
) -> None:
    """One line that names the net, 2, and nothing left, the second time too; the process goes on to sound maps."""
    if not usable:
        (town.parent / "cache").write_text("")
        monkeypatch.setenv("COSIM_CACHE", str(town.parent / "cache"))
    sound = (town / "net.net.xml").read_text()
    broken = re.sub(damage[0], damage[1], sound, count=1)
    assert broken != sound
    (town / "net.net.xml").write_text(broken)
    before = sorted(town.parent.rglob("*"))
    arguments = ["run", "town.yaml", "--out", "run", "--no-picture", "--set", f"mobility.begin_s={begin_s}"]
    worker = CommandWorker()
    try:
        for _ in range(2):
            ended = worker.run(arguments, town.parent)
            assert (ended.status, ended.out) == (2, "")
            *warnings, line = ended.err.splitlines()
            assert line.startswith("cosim: map=town: ")
            assert str(town / "net.net.xml") in line
            assert "killed by signal 11 (SIGSEGV)" in line
            assert all("goes on without it" in warning for warning in warnings)
            assert len(warnings) <= (not usable)
            assert sorted(town.parent.rglob("*")) == before
        (town / "net.net.xml").write_text(sound)
        assert worker.run(arguments, town.parent).status == 0
    finally:
        worker.close()


def test_a_sound_map_costs_one_child(town: Path, children: list[tuple[str, ...]]) -> None:
    """Another seed, another folder and another process are the same map; another net, scale or demand is not."""
    (town / "rou.xml").write_text((town / "rou.xml").read_text() + "<!-- this test's own -->\n")
    opened(town)
    opened(town, seed=2)
    opened(town.rename(town.with_name("village")))
    assert len(children) == 1
    town = town.with_name("village")
    opened(town, scale=2.0)
    assert len(children) == 2
    for number, name in enumerate(("rou.xml", "net.net.xml")):
        (town / name).write_text((town / name).read_text() + "<!-- -->\n")
        opened(town)
        assert len(children) == 3 + number


def test_a_map_of_the_catalog_costs_none(children: list[tuple[str, ...]]) -> None:
    """The bundled maps and those of SUMO are known to load."""
    for name in ("intersection", "grid", "sumo:a10kw"):
        with closing(connect(LibsumoMobility(), name, Path(), 1, 3)):
            pass
    assert not children


def test_without_a_cache_each_process_looks_once(
    town: Path, children: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that cannot be written makes no difference within a process."""
    (town.parent / "cache").write_text("")
    monkeypatch.setenv("COSIM_CACHE", str(town.parent / "cache"))
    cache._go_without.cache_clear()
    (town / "rou.xml").write_text((town / "rou.xml").read_text() + "<!-- not seen by another test -->\n")
    opened(town)
    opened(town)
    assert len(children) == 1


def test_demand_that_kills(town: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the net alone loads, the others are blamed; a death, which may be for want of memory, is not kept."""
    answers = [-9, 0, 0]
    monkeypatch.setattr(probe, "_status", lambda _files, _options: answers.pop(0))
    (town / "rou.xml").write_text((town / "rou.xml").read_text() + "<!-- deadly -->\n")
    with pytest.raises(InputError, match=r"with rou\.xml \(killed by signal 9 \(SIGKILL\)\), not without") as error:
        opened(town)
    assert "\n" not in str(error.value)
    opened(town)
    assert not answers


def test_a_map_that_never_loads(town: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that does not end is given up, and the net is named."""
    monkeypatch.setattr(probe, "_CHILD", "import time; time.sleep(60)")
    monkeypatch.setattr(probe, "_LONGEST_S", 0.5)
    (town / "rou.xml").write_text((town / "rou.xml").read_text() + "<!-- endless -->\n")
    with pytest.raises(InputError, match=r"has not loaded .*net\.net\.xml after 0\.5 s"):
        opened(town)
