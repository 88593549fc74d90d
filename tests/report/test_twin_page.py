"""The digital twin in headless Chromium: its figures and stories are there, without errors, on every screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from twinned_run import CAPACITY, PLAIN, Setting, craft

from cosim.report.page.html import write_report
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.reader import Trace

TITLES = "return [...document.querySelectorAll('h2, figure h3')].map(e => e.textContent)"
STORY = "return [...document.querySelectorAll('.story dt')].map(e => [e.textContent, e.nextSibling.textContent])"
TWINS = {
    "Digital twin",
    "Age of information",
    "Forecast error",
    "Inside the 90 % disc",
    "Synchronisation messages",
    "Synchronisation traffic",
    "Where twins live",
    "When twins move",
}
ARRIVALS, TOOK = "Task arrivals forecast", "How long moves took"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    """A browser, and pages of runs without and with twins, and of two side by side."""
    home = tmp_path_factory.mktemp("twinpage")
    with browser(home / "profile") as opened:
        (home / "plain.yaml").write_text(PLAIN)
        simulate(load(home / "plain.yaml"), home / "plain")
        craft(home / "plain", home / "placed", Setting())
        craft(home / "plain", home / "roaming", Setting(placed=False, forecast=False))
        craft(home / "plain", home / "idle", Setting(idle=True))
        for name in ("plain", "placed", "roaming", "idle"):
            write_report([home / name], home / f"{name}.html")
        write_report([home / "plain", home / "placed"], home / "side.html")
        yield opened, home


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("plain", set()),
        ("placed", TWINS | {ARRIVALS, TOOK}),
        ("roaming", TWINS),
        ("idle", TWINS | {TOOK}),
        ("side", set()),
    ],
)
def test_sections_of_a_run(window: tuple[Browser, Path], name: str, there: set[str]) -> None:
    """The twins' section is there only in the page of a run that has twins, and drawing it logs nothing."""
    opened, home = window
    opened.log("browser")
    opened.open(home / f"{name}.html")
    opened.run("cosim.seek(9); cosim.select('vehicle', 1); cosim.select('site', 1)")
    assert set(opened.run(TITLES)) & (TWINS | {ARRIVALS, TOOK}) == there
    assert opened.log("browser") == []
    empty = "return [...document.querySelectorAll('figure .plot')].filter(e => !e.children.length).length"
    assert opened.run(empty) == 0


@pytest.mark.parametrize("name", ["placed", "roaming"])
def test_a_vehicle_tells_of_its_twin(window: tuple[Browser, Path], name: str) -> None:
    """A vehicle's story tells how old its twin's state is at the time of the playback, and where the twin lives."""
    opened, home = window
    opened.open(home / f"{name}.html")
    with Trace.open(home / name) as trace:
        news = trace.sql("SELECT * FROM twin_synced WHERE vehicle = 3 ORDER BY time_s")
        homes = trace.sql("SELECT * FROM twin_moved WHERE vehicle = 3 ORDER BY time_s")
    for time_s in (0.05, 4.0, 9.0, 13.0):
        opened.run("cosim.seek(arguments[0]); cosim.select('vehicle', 3)", time_s)
        told, before = dict(opened.run(STORY)), news[news.time_s <= time_s]
        age_s = time_s - (before.generated_s.iloc[-1] if len(before) else 0.0)
        number, unit = told["age of its state"].split()
        assert float(number) * {"s": 1.0, "ms": 1e-3}[unit] == pytest.approx(age_s, abs=6e-3)
        assert int(told["its news so far"]) == len(before)
        if name == "roaming" and len(before):
            assert told["lives on"] == "abc"[before.node.iloc[-1]]
        under_way = homes[(homes.began_s <= time_s) & (homes.time_s > time_s)]
        if name == "placed" and len(under_way):
            assert (
                ("being made" in told["lives on"]) or ("copied to" in told["lives on"]) or "still" in told["lives on"]
            )
        elif name == "placed":
            assert told["lives on"] == "abc"[homes[homes.time_s <= time_s].to_node.iloc[-1]]


def test_a_twin_on_its_way_is_told(window: tuple[Browser, Path]) -> None:
    """While a twin moves the story says from where to where, and whether it stands still; later, when it was."""
    opened, home = window
    opened.open(home / "placed.html")
    with Trace.open(home / "placed") as trace:
        moved = "SELECT * FROM twin_moved WHERE from_node IS NOT NULL ORDER BY time_s - began_s DESC LIMIT 1"
        move = trace.sql(moved).iloc[0]
    start, end = "abc"[int(move.from_node)], "abc"[int(move.to_node)]
    moments = {
        (move.began_s + move.still_s) / 2: f"{start}, while it is copied to {end}",
        (move.still_s + move.time_s) / 2: f"it stands still, on its way from {start} to {end}",
        move.time_s + 0.01: end,
    }
    for time_s, text in moments.items():
        opened.run("cosim.seek(arguments[0]); cosim.select('vehicle', arguments[1])", time_s, int(move.vehicle))
        assert dict(opened.run(STORY))["lives on"] == text
    listed = opened.run("return document.querySelector('.story .moves li').textContent")
    assert listed.startswith(f"{move.time_s:.1f} s: from {start} to {end}, ")
    opened.run("cosim.seek(2); cosim.select('vehicle', 1)")
    assert dict(opened.run(STORY))["lives on"] == "on no host yet"


def test_a_site_tells_how_many_twins_it_carries(window: tuple[Browser, Path]) -> None:
    """A click on a site tells how many twins it carries at the time of the playback, and how many it may."""
    opened, home = window
    opened.open(home / "placed.html")
    with Trace.open(home / "placed") as trace:
        held = trace.sql("SELECT time_s, twins FROM twin_host_sampled WHERE node = 1").set_index("time_s").twins
    for time_s in (2.0, 7.5, 18.0):
        opened.run("cosim.seek(arguments[0])", time_s)
        opened.click("canvas", *opened.run("return cosim.sitePixel(1)"))
        assert dict(opened.run(STORY))["carries"] == f"{held[float(int(time_s))]} of at most {CAPACITY[1]}"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
@pytest.mark.long
def test_the_section_fits(window: tuple[Browser, Path], scheme: str, width: int) -> None:
    """With twins the page is no wider than the screen."""
    opened, home = window
    opened.prefer(scheme, width, 900)
    opened.open(home / "placed.html")
    opened.run("cosim.seek(9); cosim.select('vehicle', 3)")
    assert opened.run("return document.documentElement.scrollWidth") <= width
    assert opened.log("browser") == []
