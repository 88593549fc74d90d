"""What can go wrong with SUMO gives one clear line."""

import gzip
import os
import shutil
import signal
import socket
from collections import deque
from pathlib import Path

import pytest

from cosim.errors import InputError, RunError
from cosim.mobility.connect import connect
from cosim.resources import bundled
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

KINDS = {"libsumo": LibsumoMobility(), "traci": TraciMobility(kind="traci")}


@pytest.fixture
def own_map(tmp_path):
    """A copy of the intersection with plain files to break."""
    home = tmp_path / "town"
    home.mkdir()
    for name in ("net.net.xml", "rou.xml"):
        packed = bundled("sumo_maps") / "intersection" / f"{name}.gz"
        (home / name).write_bytes(gzip.decompress(packed.read_bytes()))
    return home


def start(mobility, home):
    return connect(mobility, home.name, home.parent, 1, 60)


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("begin_s", [0, 10])
def test_broken_net(kind, begin_s, own_map, capfd):
    """A net that ends in the middle is refused with SUMO's own reason, and nothing is printed beside it."""
    net = own_map / "net.net.xml"
    net.write_text(net.read_text()[:9000])
    with pytest.raises(InputError) as error:
        start(KINDS[kind].model_copy(update={"begin_s": begin_s}), own_map)
    assert "net.net.xml" in one_line(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", KINDS)
def test_bad_route(kind, own_map, capfd):
    """A first route over an unknown edge is refused at the start and the edge is named."""
    routes = own_map / "rou.xml"
    routes.write_text(routes.read_text().replace("right0A0", "nowhere", 1))
    with pytest.raises(InputError) as error:
        start(KINDS[kind], own_map)
    assert "nowhere" in one_line(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", KINDS)
def test_bad_route_far_on(kind, own_map, capfd):
    """A bad route that SUMO reads only in the middle of the run ends it with SUMO's own reason."""
    routes = own_map / "rou.xml"
    head, tail = routes.read_text().rsplit("left0A0", 1)
    routes.write_text(f"{head}nowhere{tail}")
    source = start(KINDS[kind], own_map)
    with pytest.raises(RunError) as error:
        deque(map(source.advance, range(1900)), maxlen=0)
    assert "nowhere" in one_line(error)
    source.close()
    assert capfd.readouterr() == ("", "")


def test_next_start_after_a_refused_one(own_map):
    """After a refused map the same process can open a good one."""
    good = shutil.copytree(own_map, own_map.parent / "good")
    (own_map / "net.net.xml").write_text("<net version='1.20'><location convBoundary='0,0,1,1'/><edge")
    for kind in KINDS.values():
        with pytest.raises(InputError):
            start(kind, own_map)
        source = start(kind, good)
        source.advance(0)
        source.close()


def test_killed_sumo(own_map, capfd):
    """SUMO killed in the middle ends the run with one line that says when."""
    source = start(TraciMobility(kind="traci"), own_map)
    for tick in range(5):
        source.advance(tick)
    os.kill(source.link.process.pid, signal.SIGKILL)
    source.link.process.wait()
    with pytest.raises(RunError, match=r"SUMO ended at t=5 s: killed by signal 9"):
        source.advance(5)
    source.close()
    assert capfd.readouterr() == ("", "")


def test_stopped_sumo(own_map):
    """SUMO that does not answer is given up after mobility.timeout_s and ended."""
    source = start(TraciMobility(kind="traci", timeout_s=0.5), own_map)
    process = source.link.process
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(RunError, match=r"no answer for 0\.5 s"):
        source.advance(0)
    assert process.returncode is not None


def test_busy_port(own_map):
    """A port that is taken is refused before SUMO starts, and named."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"mobility.port={port} cannot be used"):
            start(TraciMobility(kind="traci", port=port), own_map)


def test_chosen_port(own_map):
    """A free port that the scenario names is used, also at once again."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    for _ in range(2):
        source = start(TraciMobility(kind="traci", port=port), own_map)
        source.advance(0)
        source.close()
        source.close()


def test_two_at_once(own_map):
    """Libsumo holds one simulation: a second is refused, the first goes on, and after its end another may start."""
    first = start(LibsumoMobility(), own_map)
    first.advance(0)
    with pytest.raises(RunError, match="one simulation per process"):
        start(LibsumoMobility(), own_map)
    assert len(first.advance(1).numbers) <= 1
    first.close()
    first.close()
    start(LibsumoMobility(), own_map).close()


def test_traci_beside_libsumo(own_map):
    """Through traci several simulations run in one process."""
    sources = [start(kind, own_map) for kind in (*KINDS.values(), KINDS["traci"])]
    frames = [[source.advance(tick) for tick in range(3)][-1] for source in sources]
    for source in sources:
        source.close()
    assert len({frame.xy_m.tobytes() for frame in frames}) == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [("step_s", 0.0015, "multiple of 0.001 s"), ("begin_s", 10.3, "not a multiple of mobility.step_s")],
)
def test_times_that_do_not_fit(field, value, reason, own_map):
    """A step below SUMO's clock, or a start between two steps, is refused."""
    with pytest.raises(InputError, match=reason):
        start(LibsumoMobility(**{field: value}), own_map)


@pytest.mark.parametrize("missing", ["net.net.xml", "rou.xml"])
def test_missing_file(missing, own_map):
    """A map folder without its net or its routes is refused, and the file is named."""
    (own_map / missing).unlink()
    with pytest.raises(InputError, match=missing):
        start(LibsumoMobility(), own_map)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<net><location convBoundary='0,0,1,1'/></net>", "line 1: the net states no version"),
        ("<net version='1.20'><location convBoundary='0,0,1'/></net>", "line 1: not enough values"),
        ("<net version='1.20'><location/></net>", "line 1: attribute 'convBoundary' is missing"),
        ("<net version='1.20'></net>", "not a SUMO net"),
        ("<net version='1.20'><loc", "broken XML"),
        ("", "broken XML"),
    ],
)
def test_net_that_is_none(text, reason, own_map):
    """A net whose head is wrong is refused before SUMO sees it: some such nets end the whole process in libsumo."""
    (own_map / "net.net.xml").write_text(text)
    with pytest.raises(InputError, match=reason) as error:
        start(LibsumoMobility(), own_map)
    assert "net.net.xml" in one_line(error)


def test_paths_that_sumo_cannot_take(own_map):
    """A comma in a map's path is refused in words of the user's."""
    with pytest.raises(InputError, match="rename the folder"):
        start(LibsumoMobility(), own_map.rename(own_map.with_name("a,b")))


def test_missing_map():
    """A map that does not exist is refused with the names that do."""
    with pytest.raises(InputError, match="known maps are sumo:a10kw, sumo:berlin"):
        connect(LibsumoMobility(), "atlantis", Path(), 1, 60)
