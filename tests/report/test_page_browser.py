"""The page in headless Chromium: it loads without errors or requests and answers slider, click and keyboard."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, browser
from matplotlib.image import imread

from cosim.report.page.html import write_report
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
SPACE, RIGHT, ESCAPE, TAB = " ", "\ue014", "\ue00c", "\ue004"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    """A browser, and a folder with a run and its page."""
    home = tmp_path_factory.mktemp("browser")
    with browser(home / "profile") as opened:
        (home / "small.yaml").write_text(SCENARIO)
        simulate(load(home / "small.yaml"), home / "run")
        simulate(load(home / "small.yaml", ["policy=local", "trace.positions=false"]), home / "other")
        write_report([home / "run"], home / "page.html")
        write_report([home / "other", home / "run"], home / "both.html")
        yield opened, home


@pytest.fixture
def loaded(window: tuple[Browser, Path]) -> Browser:
    """The page, just loaded."""
    for kind in ("browser", "performance"):
        window[0].log(kind)
    window[0].open(window[1] / "page.html")
    return window[0]


def test_no_errors_and_no_requests(loaded: Browser) -> None:
    """Loading asks for the file itself and for nothing else, and the console stays empty."""
    loaded.run("cosim.seek(5)")
    assert loaded.log("browser") == []
    asked = [entry["message"] for entry in loaded.log("performance") if "Network.requestWillBeSent" in entry["message"]]
    assert [text for text in asked if "page.html" not in text and '"url":"data:' not in text] == []
    assert (
        loaded.run("return performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length")
        == 0
    )
    assert loaded.run("return document.querySelectorAll('figure svg').length") >= 8


def test_places_in_the_page_are_the_frames(loaded: Browser, window: tuple[Browser, Path]) -> None:
    """At every tick the page puts each vehicle within 0.1 m of its frame, and half way between them in between."""
    with Trace.open(window[1] / "run") as trace:
        frames = trace.sql("SELECT vehicle, time_s, x_m, y_m FROM vehicle_moved ORDER BY vehicle, time_s")
    rows = frames[["vehicle", "time_s"]].to_numpy(np.float64).tolist()
    places = np.array(loaded.run("return arguments[0].map(([v, t]) => cosim.place(v, t))", rows), dtype=np.float64)
    wanted = frames[["x_m", "y_m"]].to_numpy(np.float64)
    assert np.abs(places - wanted).max() <= 0.1
    half = loaded.run("return cosim.place(arguments[0], arguments[1])", 0, (rows[0][1] + rows[1][1]) / 2)
    assert np.abs(np.array(half) - (wanted[0] + wanted[1]) / 2).max() <= 0.1


def test_the_slider_moves_vehicles(loaded: Browser) -> None:
    """Right on the focused slider and its value move time, and with it the vehicles on the canvas."""
    ask = "return [cosim.state().time_s, cosim.pixel(0)[0], document.querySelector('canvas').toDataURL()]"
    before = loaded.run(ask)
    loaded.focus("input[type=range]")
    loaded.keys(*[RIGHT] * 5)
    after = loaded.run(ask)
    assert after[0] > before[0]
    assert after[1] != before[1]
    loaded.run(
        "const r = document.querySelector('input[type=range]'); r.value = 8; r.dispatchEvent(new Event('input'))"
    )
    assert loaded.run(ask)[0] == 8.0
    assert loaded.run(ask)[2] != before[2]


def test_a_click_opens_the_story(loaded: Browser) -> None:
    """A click on a site and on a vehicle opens its story with its tasks; Escape closes it."""
    loaded.run("cosim.seek(9)")
    loaded.click("canvas", *loaded.run("return cosim.sitePixel(1)"))
    assert loaded.run("return document.querySelector('.story h3').textContent") == "b"
    found = loaded.run(
        "for (let v = 0; v < 20; v++) { const p = cosim.pixel(v), far = [0, 1].every(s => "
        "Math.hypot(p[0] - cosim.sitePixel(s)[0], p[1] - cosim.sitePixel(s)[1]) > 60); if (far) return [v, p]; }"
    )
    loaded.click("canvas", *found[1])
    chosen = loaded.run("return cosim.state().selected")
    assert chosen["kind"] == "vehicle"
    assert loaded.run("return document.querySelector('.story h3').textContent") == f"Vehicle {chosen['number']}"
    assert loaded.run("return document.querySelectorAll('.story .tasks li').length") > 0
    loaded.focus("canvas")
    loaded.keys(ESCAPE)
    assert loaded.run("return cosim.state().selected") is None


def test_the_keyboard_is_enough(loaded: Browser) -> None:
    """Space plays and pauses, arrows step, n opens a story, and Tab reaches the next control with a visible name."""
    loaded.focus("canvas")
    time_s = loaded.run("return cosim.state().time_s")
    loaded.keys(RIGHT)
    assert loaded.run("return cosim.state().time_s") > time_s
    loaded.keys(SPACE)
    assert loaded.run("return cosim.state().playing")
    loaded.keys(SPACE)
    assert not loaded.run("return cosim.state().playing")
    loaded.keys("n")
    assert loaded.run("return cosim.state().selected.kind") == "vehicle"
    loaded.keys(TAB)
    assert loaded.run("return document.activeElement.getAttribute('aria-label')") == "Zoom in (+)"
    nameless = (
        "return [...document.querySelectorAll('button, input, select, canvas, svg[role]')]"
        ".filter(e => !e.getAttribute('aria-label') && !e.textContent).length"
    )
    assert loaded.run(nameless) == 0


def test_runs_stand_side_by_side(window: tuple[Browser, Path]) -> None:
    """Two runs have a column each and a button each; one without positions says so and shows everything else."""
    opened, home = window
    opened.open(home / "both.html")
    assert opened.run("return document.querySelectorAll('.figures thead th').length") >= 4
    assert "recorded no positions" in opened.run("return document.querySelector('.story').textContent")
    assert opened.run("return cosim.state().shown") == 0
    opened.run("window.cosim.loaded = false; document.querySelectorAll('nav button')[1].click()")
    for _ in range(100):
        if opened.run("return cosim.loaded && cosim.state().shown > 0"):
            break
        time.sleep(0.05)
    assert opened.run("return cosim.state().shown") == 20
    assert opened.log("browser") == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_it_fits(window: tuple[Browser, Path], tmp_path: Path, scheme: str, width: int) -> None:
    """The page follows the colour scheme and is never wider than the screen, on a phone either."""
    opened, home = window
    opened.prefer(scheme, width, 900)
    opened.open(home / "page.html")
    assert opened.run("return document.documentElement.scrollWidth") <= width
    opened.picture(tmp_path / "screen.png")
    brightness = float(np.median(imread(tmp_path / "screen.png")[..., :3]))
    assert brightness > 0.9 if scheme == "light" else brightness < 0.2
