"""Keys and ledger in headless Chromium: their figures and stories are there, without errors, on every screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from secured_run import PLAIN, Setting, craft

from cosim.report.page.html import write_report
from cosim.runner import simulate
from cosim.scenario.load import load

TITLES = "return [...document.querySelectorAll('h2, figure h3')].map(e => e.textContent)"
KEYS = {"Quantum keys", "Key pools", "Key rate", "QBER", "Vehicles' keys", "Waiting for keys", "Key waits"}
LEDGER = {"Ledger", "Blocks", "Time to finality", "Records per block", "Stakes", "The ledger's share of the hosts"}


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    """A browser, and pages of runs without and with keys and a ledger, and of two side by side."""
    home = tmp_path_factory.mktemp("securedpage")
    with browser(home / "profile") as opened:
        (home / "plain.yaml").write_text(PLAIN)
        simulate(load(home / "plain.yaml"), home / "plain")
        craft(home / "plain", home / "both", Setting(nodes=4, reach=2))
        craft(home / "plain", home / "keys", Setting(), ledger=False)
        craft(home / "plain", home / "ledger", Setting(), keys=False)
        craft(home / "plain", home / "idle", Setting(idle=True))
        for name in ("plain", "both", "keys", "ledger", "idle"):
            write_report([home / name], home / f"{name}.html")
        write_report([home / "plain", home / "both"], home / "side.html")
        yield opened, home


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("plain", set()),
        ("keys", KEYS),
        ("ledger", LEDGER),
        ("both", KEYS | LEDGER),
        ("idle", KEYS | LEDGER),
        ("side", set()),
    ],
)
def test_sections_of_a_run(window: tuple[Browser, Path], name: str, there: set[str]) -> None:
    """A section is there only in the page of a run that has it, and drawing it logs nothing."""
    opened, home = window
    opened.log("browser")
    opened.open(home / f"{name}.html")
    opened.run("cosim.seek(9)")
    assert set(opened.run(TITLES)) & (KEYS | LEDGER) == there
    assert opened.log("browser") == []
    empty = "return [...document.querySelectorAll('figure .plot')].filter(e => !e.children.length).length"
    assert opened.run(empty) == 0


def test_a_site_tells_keys_and_stake(window: tuple[Browser, Path]) -> None:
    """A click on a site tells what its links store at the time of the playback, and its stake."""
    opened, home = window
    opened.open(home / "both.html")
    story = "return [...document.querySelectorAll('.story dt')].map(e => [e.textContent, e.nextSibling.textContent])"
    opened.run("cosim.seek(2)")
    opened.click("canvas", *opened.run("return cosim.sitePixel(1)"))
    early = dict(opened.run(story))
    opened.run("cosim.seek(18)")
    late = dict(opened.run(story))
    assert {"to a", "to c", "stake", "height now"} <= set(late)
    assert late["to a"].endswith("of 2 Mbit")
    assert early["to a"] != late["to a"]
    assert int(late["height now"]) > int(early["height now"])
    opened.run("cosim.seek(8)")
    assert dict(opened.run(story))["to a"].endswith("aborted")


def test_figures_answer_the_pointer(window: tuple[Browser, Path]) -> None:
    """Under the pointer a link's error rate is told with the state of the link, and a block with its proposer."""
    opened, home = window
    opened.open(home / "both.html")
    hover = (
        "const all = [...document.querySelectorAll('figure')];"
        "const f = all.find(e => e.querySelector('h3').textContent === arguments[0]);"
        "const g = f.querySelector('svg'), b = g.getBoundingClientRect();"
        "const at = {clientX: b.left + arguments[1] * b.width, clientY: b.top + 60};"
        "g.dispatchEvent(new PointerEvent('pointermove', at));"
        "return document.getElementById('tip').textContent"
    )
    assert "a\u2013b aborted" in opened.run(hover, "QBER", 0.45)
    told = " ".join(opened.run(hover, "Blocks", part / 300) for part in range(300))
    for text in ("block 1, round 0, by b", "two votes by b", "no block", "parted: a | b, c"):
        assert text in told


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
@pytest.mark.long
def test_sections_fit(window: tuple[Browser, Path], scheme: str, width: int) -> None:
    """With keys and ledger the page is no wider than the screen."""
    opened, home = window
    opened.prefer(scheme, width, 900)
    opened.open(home / "both.html")
    assert opened.run("return document.documentElement.scrollWidth") <= width
    assert opened.log("browser") == []
