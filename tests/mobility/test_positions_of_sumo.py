"""Frames have the vehicles and positions of an unbroken run of SUMO with the same options, whatever the demand."""

import logging
import shlex
from pathlib import Path

import numpy as np
import pytest
from demand_kinds import BY_FILES, BY_OPTIONS, KINDS, farthest_m, fcd_of_sumo, grid_files, options_of, positions_of
from effort import few, rest_long, seeds
from needs import real_map

from cosim.maps.demand import Demand
from cosim.maps.importing import import_map
from cosim.mobility import sumo as live
from cosim.mobility.catalog import resolve_map
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

DURATION_S = 120.0
TOLERANCE_M = 0.00501  # frames have hundredths
NAMED = ("flow", "probability", "vtypes", "rerouter", "calibrator", "in_additional", "parking", "buses")
"""The kinds of demand that are most often met."""
STEPS = [(1.0, 60.0), (0.1, 12.3), (0.37, 0.37 * 150), (2.0, 60.0)]


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """A folder that keeps the nets of all tests."""
    return tmp_path_factory.mktemp("nets")


def compared(nets, folder, monkeypatch, names, mobility, signals="actuated", seed=1):
    """Return how far frames of kinds of demand are from SUMO's FCD output, and the vehicles of all ticks."""
    files = grid_files(folder, nets, signals, names)
    extra = options_of(names)
    own = live.sumo_options
    mobility = mobility.model_copy(update={"teleport_s": min(KINDS[name].teleport_s for name in names)})
    ticks = round(DURATION_S / mobility.step_s)
    with monkeypatch.context() as patched:
        patched.setattr(live, "sumo_options", lambda *given: [*own(*given), *extra])
        theirs = fcd_of_sumo([*own(files, mobility, seed), *extra], mobility, ticks, folder)
        ours = positions_of(live.SumoMobility(files, mobility, seed), ticks)
    return farthest_m(ours, theirs), sum(map(len, theirs))


@pytest.mark.parametrize(("step_s", "begin_s"), STEPS)
def test_named_kinds(step_s, begin_s, nets, tmp_path, monkeypatch, record_property):
    """Flows, probability flows, vTypeDistribution, rerouters, calibrators, additional trips, parking, buses: equal."""
    mobility = LibsumoMobility(step_s=step_s, begin_s=round(begin_s, 3))
    off_m, rows = compared(nets, tmp_path, monkeypatch, NAMED, mobility)
    record_property("measured", f"named kinds, step {step_s} s: {off_m:.4f} m over {rows} rows")
    assert rows > 5000
    assert off_m <= TOLERANCE_M


@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize("signals", ["static", "delay_based"])
def test_scaled_demand(scale, signals, nets, tmp_path, monkeypatch):
    """With half and twice the demand, and other signals, frames are SUMO's too; so they are through traci."""
    kind = {0.5: LibsumoMobility(), 2.0: TraciMobility(kind="traci")}[scale]
    mobility = kind.model_copy(update={"begin_s": 45.0, "scale": scale, "max_vehicles": 200})
    off_m, rows = compared(nets, tmp_path, monkeypatch, NAMED, mobility, signals)
    assert rows > 5000
    assert off_m <= TOLERANCE_M


REST = sorted(set(BY_FILES) - set(NAMED))
GROUPS = [tuple(REST[first : first + 8]) for first in range(0, len(REST), 8)]


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_kinds_of_files(names, nets, tmp_path, monkeypatch):
    """Kinds of demand and of what steers it, eight at a time: frames are SUMO's."""
    off_m, rows = compared(nets, tmp_path, monkeypatch, names, LibsumoMobility(begin_s=60))
    assert rows > 1000
    assert off_m <= TOLERANCE_M


@pytest.mark.parametrize(
    "name", rest_long(["sublane", "rerouting", *sorted(set(BY_OPTIONS) - {"sublane", "rerouting"})], 2)
)
def test_kinds_of_options(name, nets, tmp_path, monkeypatch):
    """Options that a SUMO configuration may set: frames are SUMO's."""
    off_m, rows = compared(nets, tmp_path, monkeypatch, (name, "vtypes", "rerouter"), LibsumoMobility(begin_s=60))
    assert rows > 1000
    assert off_m <= TOLERANCE_M


@pytest.mark.long
@pytest.mark.parametrize("name", KINDS)
def test_one_kind(name, nets, tmp_path, monkeypatch, record_property):
    """Each kind alone: frames are SUMO's; the largest difference stands in docs/maps.md."""
    off_m, rows = compared(nets, tmp_path, monkeypatch, (name,), LibsumoMobility(begin_s=60))
    record_property("measured", f"{name}: {off_m:.4f} m over {rows} rows")
    assert rows > 100
    assert off_m <= TOLERANCE_M


@pytest.mark.parametrize("seed", seeds(30))
def test_combinations(seed, nets, tmp_path, monkeypatch):
    """Kinds drawn at random, with any signals, step, scale, begin and seed: frames are SUMO's."""
    draw = np.random.default_rng(seed)
    names = tuple(draw.choice(BY_FILES, size=draw.integers(2, 7), replace=False).tolist())
    names += tuple(draw.choice(BY_OPTIONS, size=draw.integers(0, 2), replace=False).tolist())
    step_s = float(draw.choice([0.1, 0.37, 0.5, 1.0, 2.0]))
    mobility = TraciMobility(
        kind="traci",
        step_s=step_s,
        begin_s=round(step_s * int(draw.integers(0, 200 / step_s)), 3),
        scale=float(draw.choice([0.5, 1.0, 1.3, 2.0])),
    )
    signals = str(draw.choice(["static", "actuated", "delay_based"]))
    off_m, _ = compared(nets, tmp_path, monkeypatch, names, mobility, signals, seed)
    assert off_m <= TOLERANCE_M, (names, mobility, signals)


@pytest.mark.parametrize(
    ("name", "begin_s"), few([("intersection", 250.0), ("sumo:a10kw", 900.0), ("sumo:berlin", 300.0), ("grid", 600.0)])
)
def test_maps_of_the_catalog(name, begin_s, tmp_path):
    """Bundled maps and real ones are driven as well: frames are SUMO's, with real crossings and lane changes."""
    files, mobility = resolve_map(name, Path()), LibsumoMobility(begin_s=begin_s)
    theirs = fcd_of_sumo(live.sumo_options(files, mobility, 2), mobility, 60, tmp_path)
    assert len(theirs[-1]) > 10
    assert farthest_m(positions_of(live.SumoMobility(files, mobility, 2), 60), theirs) <= TOLERANCE_M


@pytest.mark.long
def test_bologna(tmp_path, record_property):
    """A real city's measured demand, with buses, stops and actuated signals, imported from its SUMO configuration."""
    import_map(real_map("bologna_joined/run.sumocfg"), "bologna", tmp_path, Demand(), placing="none")
    files, mobility = resolve_map("bologna", tmp_path), LibsumoMobility(begin_s=900)
    theirs = fcd_of_sumo(live.sumo_options(files, mobility, 1), mobility, 120, tmp_path)
    off_m = farthest_m(positions_of(live.SumoMobility(files, mobility, 1), 120), theirs)
    record_property("measured", f"Bologna: {off_m:.4f} m over {sum(map(len, theirs))} rows")
    assert len(theirs[-1]) > 500
    assert off_m <= TOLERANCE_M


def test_progress_is_told(nets, tmp_path, monkeypatch, caplog):
    """How far SUMO is on the way to begin_s is said in log records, and to begin at once says nothing."""
    monkeypatch.setattr(live, "_TOLD_EACH_S", 0.0)
    files = grid_files(tmp_path, nets, "static", ("flow",))
    with caplog.at_level(logging.INFO, logger="cosim"):
        live.SumoMobility(files, LibsumoMobility(), 1).close()
        assert not caplog.messages
        live.SumoMobility(files, LibsumoMobility(begin_s=3), 1).close()
    assert caplog.messages[0] == "SUMO drives up to t=3 s, where the run's clock starts"
    assert caplog.messages[1:] == [f"SUMO is at t={t} s of 3 s" for t in (0, 1, 2)]


def test_options_are_told(nets, tmp_path, caplog):
    """At debug level all options of SUMO are said as one would type them, its derived seed too."""
    files, mobility = grid_files(tmp_path, nets, "static", ("flow",)), LibsumoMobility()
    with caplog.at_level(logging.DEBUG, logger="cosim"):
        live.SumoMobility(files, mobility, 7).close()
    (said,) = [text for text in caplog.messages if text.startswith("SUMO's options: ")]
    assert shlex.split(said.removeprefix("SUMO's options: ")) == live.sumo_options(files, mobility, 7)
    assert "--seed" in said
