"""The zone counter in a run: right counts, reports in time, figures, rules, and runs that open without the package."""

import json
from pathlib import Path

import numpy as np
import pytest
from cosim_zones.figures import DEFINITIONS

from cosim.audit.verify import verify
from cosim.errors import InputError
from cosim.report.page.html import page
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace

SCENARIO = Path(__file__).parents[1] / "zones.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the scenario, with positions."""
    return simulate(load(SCENARIO, ["trace.positions=true"]), tmp_path_factory.mktemp("zones") / "run").folder


def test_counts_are_those_of_the_positions(run: Path) -> None:
    """Each count is what the recorded positions of that tick give, by plain pandas."""
    with Trace.open(run) as trace:
        zones = trace.sql("SELECT * FROM zone_deployed").set_index("zone")
        counted = trace.sql("SELECT * FROM zone_counted")
        moved = trace.sql("SELECT * FROM vehicle_moved")
    assert len(counted) >= 2 * 28
    for row in counted.itertuples():
        here, zone = moved[np.isclose(moved.time_s, row.counted_s)], zones.loc[row.zone]
        inside = np.hypot(here.x_m - zone.x_m, here.y_m - zone.y_m) <= zone.radius_m
        assert row.vehicles == inside.sum()
    assert counted.vehicles.max() > 0


def test_reports_take_the_wires(run: Path) -> None:
    """From the first site, which collects, a report takes no time; from the other bits over rate, and the latency."""
    with Trace.open(run) as trace:
        counted = trace.sql("SELECT * FROM zone_counted WHERE arrived = 1 ORDER BY counted_s")
    delay_s = (counted.time_s - counted.counted_s).groupby(counted.zone).max()
    assert delay_s[1] == pytest.approx(8e3 / 1e6 + 0.005)


def test_every_count_is_stated(tmp_path: Path) -> None:
    """A count whose report is on its way when the run ends is stated too, as one that did not come."""
    out = simulate(load(SCENARIO, ["duration_s=5.005", "zones.period_s=1"]), tmp_path / "run").folder
    with Trace.open(out) as trace:
        counted = trace.sql("SELECT * FROM zone_counted ORDER BY zone, counted_s")
    assert counted.counted_s.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0] * 2
    assert counted[counted.zone == 1].arrived.tolist() == [1, 1, 1, 1, 0]


def test_an_impatient_collector_gives_up(tmp_path: Path) -> None:
    """With less patience than the wires take, the far zone's reports are given up at exactly that time."""
    out = simulate(load(SCENARIO, ["zones.patience_s=0.01", "duration_s=10"]), tmp_path / "run").folder
    with Trace.open(out) as trace:
        far = trace.sql("SELECT * FROM zone_counted WHERE zone = 1 AND counted_s < 10")
        lost = kpis(trace)["zone_reports_lost"].value
    assert (far.arrived == 0).all()
    assert far.time_s.to_numpy() == pytest.approx(far.counted_s.to_numpy() + 0.01)
    assert lost == pytest.approx(0.5, abs=0.03)


def test_the_audit_knows_the_zones(run: Path) -> None:
    """The run adds up, and its figures are those of the rows."""
    report = verify(run)
    assert report.ok, report.lines
    with Trace.open(run) as trace:
        mean = trace.sql("SELECT avg(vehicles) AS mean FROM zone_counted").iloc[0, 0]
        found, begin_s = kpis(trace), trace.scenario.statistics.warmup_s
        assert found["zone_vehicles"].value == pytest.approx(mean)
        lost = trace.sql(DEFINITIONS["zone_reports_lost"].query(begin_s, trace.complete_to_s)).iloc[0, 0]
    assert DEFINITIONS.keys() <= found.keys()
    assert found["zone_reports_lost"].value == pytest.approx(lost)


def test_counting_changes_nothing_else(run: Path, tmp_path: Path) -> None:
    """Traffic and released tasks are those of the run without zones; what shares the wires with reports may differ."""
    alone = simulate(load(SCENARIO, ["trace.positions=true", "zones=null"]), tmp_path / "run").folder
    digests = [json.loads((folder / "provenance.json").read_text())["digests"] for folder in (run, alone)]
    assert digests[0].keys() - digests[1].keys() == {"zone_deployed", "zone_counted"}
    for kind in ("vehicle_entered", "vehicle_moved", "task_released"):
        assert digests[0][kind] == digests[1][kind]


def test_the_page_has_a_panel(run: Path) -> None:
    """The report holds the script of the panel and a line of counts for each zone."""
    text = page([run])
    data = json.loads(text.split('id="data">', 1)[1].split("</script>", 1)[0])
    zones = data["runs"][0]["series"]["zones"]["zones"]
    assert [zone["name"] for zone in zones] == ["crossing", "east-road"]
    assert len(zones[0]["vehicles"]) == len(zones[0]["counted_s"]) >= 28
    assert 'name: "zones", title: "Zones"' in text


def test_a_mistake_is_one_line() -> None:
    """Two zones of one name are refused with file, line, field, value and remedy."""
    with pytest.raises(InputError, match=r"zones: two zones are called crossing; give each a name of its own"):
        load(SCENARIO, ["zones.zones.1.name=crossing"])
