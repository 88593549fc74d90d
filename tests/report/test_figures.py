"""The picture of a run is drawn whatever the run holds, and shows what the trace says."""

import math
from pathlib import Path

import numpy as np
import pytest
from effort import rest_long
from matplotlib.image import imread

from cosim.report.picture.figures import draw_run
from cosim.report.series import by_cell, by_position, hexagons, latency_curves, outcomes
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.reader import Trace

SCENARIO = """\
name: small
duration_s: 12
mobility: {kind: synthetic, vehicles: 20}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}]}
radio: {path_loss: {kind: power_law}}
statistics: {batches: 3, warmup_s: 2}
trace: {positions: true}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run."""
    home = tmp_path_factory.mktemp("pictures")
    (home / "small.yaml").write_text(SCENARIO)
    simulate(load(home / "small.yaml"), home / "run")
    return home


def drawn(run: Path) -> None:
    """It is a picture of a useful size that is not blank."""
    path = draw_run(run)
    assert path == run / "run.png"
    pixels = imread(path)
    assert 900 <= pixels.shape[0] <= 1200
    assert 1600 <= pixels.shape[1] <= 1700
    assert pixels[..., :3].std() > 0.1


def test_a_run_is_drawn(home: Path) -> None:
    """A run with positions gives run.png in its folder."""
    drawn(home / "run")


@pytest.mark.parametrize(
    "changes",
    rest_long(
        [
            ["trace.positions=false"],
            ["tasks.arrivals.rate_per_s=0"],
            ["mobility.vehicles=0"],
            ["radio.min_snr_db=200"],
            ["compute.edge.cores=0"],
            ["sites={kind: grid, spacing_m: 20}"],
            ["cloud={}", "radio.sidelink={}", "statistics.warmup_s=0"],
        ],
        2,
    ),
)
def test_odd_runs_are_drawn(home: Path, tmp_path: Path, changes: list[str]) -> None:
    """Without positions, tasks, vehicles, coverage or hosts, or with many sites, there still is a picture."""
    simulate(load(home / "small.yaml", ["duration_s=4", *changes]), tmp_path / "run")
    drawn(tmp_path / "run")


def test_a_partial_run_is_drawn(home: Path, tmp_path: Path) -> None:
    """A run that was stopped is drawn up to where its facts are complete."""

    def stop(time_s: float) -> None:
        if time_s > 6.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(load(home / "small.yaml", ["trace.part_s=2"]), tmp_path / "run", stop)
    drawn(tmp_path / "run")


def test_places_hold_every_task(home: Path) -> None:
    """Each finished task after the warm-up has a position and a serving site here, and means keep the total latency."""
    with Trace.open(home / "run") as trace:
        xy_m, latency_s = by_position(trace)
        cells, curves = by_cell(trace), latency_curves(trace)
    tasks, curve = curves["all"]
    assert len(xy_m) == tasks == cells.tasks.sum()
    assert (curve[0], curve[-1]) == pytest.approx((latency_s.min(), latency_s.max()), abs=1e-9)
    for places in (cells, hexagons(xy_m, latency_s, (500.0, 900.0))):
        assert places.latency_s @ places.tasks == pytest.approx(latency_s.sum())


def test_hexagons_take_the_nearest_centre() -> None:
    """With a height of sqrt(3) widths, no point is farther than 1/sqrt(3) widths from the centre that it went to."""
    xy_m = np.random.default_rng(1).uniform(-5.0, 5.0, (2000, 2))
    places = hexagons(xy_m, np.ones(2000), (1.0, math.sqrt(3.0)))
    away_m = np.hypot(*(xy_m[:, None, :] - places.xy_m[None, :, :]).transpose(2, 0, 1)).min(axis=1)
    assert away_m.max() <= 1.0 / math.sqrt(3.0) + 1e-9
    assert places.tasks.sum() == 2000


def test_outcomes_count_every_task(home: Path) -> None:
    """The slices over time hold each released task once."""
    with Trace.open(home / "run") as trace:
        slices = outcomes(trace)
        released = int(trace.sql("SELECT count(*) AS n FROM task_released").n[0])
    assert sum(values.sum() for values in slices.per_s.values()) * slices.slice_s == pytest.approx(released)
