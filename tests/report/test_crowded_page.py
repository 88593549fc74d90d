"""Maps with many sites, or with no roads at all, on the page in headless Chromium."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, browser

from cosim.report.page.html import write_report
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace

CROWDED = """\
name: crowded
duration_s: 3
mobility: {kind: synthetic, vehicles: 20, roads: 5, length_m: 1000, spacing_m: 250}
sites: {kind: grid, spacing_m: 70}
radio: {path_loss: {kind: power_law}}
trace: {positions: true}
"""
SEEN = """\
name: seen
map: synthetic
duration_s: 20
mobility: {kind: replay, file: seen.csv}
sites: {kind: listed, sites: [{name: a, x_m: 470, y_m: 30}]}
trace: {positions: true}
"""
BOXES = """
const names = cosim.data.runs[0].sites.map((site) => site.name);
const paint = document.querySelector('canvas').getContext('2d');
paint.font = '600 11px system-ui, sans-serif';
return cosim.state().named.map((i) => {
  const [x, y] = cosim.sitePixel(i), half = paint.measureText(names[i]).width / 2;
  return [x - half, x + half, y];
});
"""
HOVER = """
const canvas = document.querySelector('canvas'), box = canvas.getBoundingClientRect(), [x, y] = arguments;
canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + x, clientY: box.top + y, bubbles: true}));
"""
FIGURE = """
const [title, css] = arguments;
const card = [...document.querySelectorAll('figure.card')].find((one) => one.querySelector('h3').textContent === title);
return [...card.querySelectorAll(css)].map((one) => one.textContent);
"""
FIGURE_HEIGHTS = "return [...document.querySelectorAll('figure.card')].map((one) => one.clientHeight)"
NARROW = """\
name: narrow
duration_s: 3
mobility: {kind: synthetic, vehicles: 20, roads: 2, length_m: 2000, spacing_m: 50}
sites: {kind: listed, sites: [{name: west, x_m: 0, y_m: 0}, {name: north-east, x_m: 2000, y_m: 50}]}
radio: {path_loss: {kind: power_law}}
trace: {positions: true}
"""
INK = """
const canvas = document.querySelector('canvas'), dense = devicePixelRatio || 1, [x, y] = arguments[0];
const around = canvas.getContext('2d').getImageData((x - 2) * dense, (y - 2) * dense, 4 * dense, 4 * dense).data;
return Math.max(...around.filter((_, i) => i % 4 === 3));
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    """A browser, and a folder with three pages."""
    home = tmp_path_factory.mktemp("crowded")
    with browser(home / "profile") as window:
        rows = "".join(f"{t};v;{20 * t};{10 * t};22,4;60\n".replace(",", ".") for t in range(25))
        head = "timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_speed;vehicle_angle\n"
        (home / "seen.csv").write_text(head + rows)
        for name, text in (("crowded", CROWDED), ("seen", SEEN), ("narrow", NARROW)):
            (home / f"{name}.yaml").write_text(text)
            simulate(load(home / f"{name}.yaml"), home / name)
            write_report([home / name], home / f"{name}.html")
        yield window, home


def test_names_do_not_cover_each_other(opened: tuple[Browser, Path]) -> None:
    """Sites that stand close are named by the pointer or when chosen; closer up all whose names stand apart."""
    window, home = opened
    window.prefer("light", 1280, 900)
    window.open(home / "crowded.html")
    sites = window.run("return cosim.data.runs[0].sites.length")
    assert window.run("return cosim.state().named") == []
    x, y = window.run("return cosim.sitePixel(3)")
    window.run(HOVER, x, y)
    assert window.run("return document.getElementById('tip').textContent").startswith("rsu3")
    window.run("cosim.select('site', 7)")
    assert window.run("return cosim.state().named") == [7]
    window.run("cosim.select(null)")
    window.focus("canvas")
    window.keys(*"++")
    named = window.run("return cosim.state().named")
    assert 10 < len(named) <= sites
    boxes = np.array(window.run(BOXES))
    for number, (left, right, y) in enumerate(boxes):
        others = np.delete(boxes, number, axis=0)
        level = others[np.abs(others[:, 2] - y) < 11.0]
        assert ((level[:, 0] >= right) | (level[:, 1] <= left)).all()


def test_many_sites_are_ranked_and_folded(opened: tuple[Browser, Path]) -> None:
    """Of many hosts the ten busiest and the four idlest have a row; the others are in a distribution and on a map."""
    window, home = opened
    window.prefer("light", 1280, 900)
    window.open(home / "crowded.html")
    with Trace.open(home / "crowded") as trace:
        measured = kpis(trace)
    shares = {name.split("/")[1]: one.value for name, one in measured.items() if name.startswith("utilisation/")}
    ranked = sorted(shares, key=lambda name: (-shares[name], list(shares).index(name)))
    rows = window.run(FIGURE, "Utilisation", "svg:not([aria-hidden]) text.tick")
    names = [text for text in rows if text in shares]
    assert names == [*ranked[:10], *ranked[-4:]]
    between = f"{len(shares) - 14} between; all {len(shares)}: median {100 * np.median(list(shares.values())):.1f} %"
    assert between in rows
    counts = [int(text.split()[0]) for text in window.run(FIGURE, "Utilisation", "rect.spread title")]
    assert counts == np.histogram(list(shares.values()), np.linspace(0.0, 1.0, 21))[0].tolist()
    assert len(window.run(FIGURE, "Utilisation", "circle")) == len(shares)
    assert f"{len(shares) - 14} between" in window.run(FIGURE, "Queues", "svg text.tick")
    heights = window.run(FIGURE_HEIGHTS)
    assert max(heights) < 1000


def test_ways_stand_in_for_roads(opened: tuple[Browser, Path]) -> None:
    """Without roads a faint line is where the vehicle drove, the page says so, and all of it is inside the frame."""
    window, home = opened
    window.prefer("light", 1280, 900)
    window.open(home / "seen.html")
    assert "The map has no roads" in window.run("return document.querySelector('.story').textContent")
    assert "Faint lines are where vehicles drove" in window.run("return document.querySelector('.story').textContent")
    window.run("cosim.seek(12)")
    passed, size = window.run(
        "const c = document.querySelector('canvas'); return [cosim.pixel(0), [c.clientWidth, c.clientHeight]]"
    )
    assert 0 < passed[0] < size[0]
    assert 0 < passed[1] < size[1]
    window.run("cosim.seek(2)")
    assert window.run(INK, passed) > 0
    assert window.run(INK, [passed[0], passed[1] - 40]) == 0


def test_a_long_road_is_said_to_be_stretched_and_lies_beside_the_buttons(opened: tuple[Browser, Path]) -> None:
    """A long road fills the stage up to the zoom buttons, no site under them; the page says that it is stretched."""
    window, home = opened
    window.prefer("light", 1280, 900)
    window.open(home / "narrow.html")
    assert "is stretched" in window.run("return document.querySelector('.story').textContent")
    left, width = window.run(
        "return [document.querySelector('.zoom').offsetLeft, document.querySelector('canvas').clientWidth]"
    )
    x, _ = window.run("return cosim.sitePixel(1)")
    assert left - 40 < x + 10 < left < width
    window.open(home / "crowded.html")
    assert "stretched" not in window.run("return document.querySelector('.story').textContent")
