"""A section of behaviour from an installed package is stored, audited, measured and shown like a built-in one."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fog
import numpy as np
import pytest
from browser import browser
from crafted import CraftedRun, write_run
from effort import few
from fog import FOG, FogRolled, Haze
from substrate import facts

from cosim import subjects
from cosim.audit.verify import verify
from cosim.cli.main import status
from cosim.errors import InputError
from cosim.report.headline import headline
from cosim.report.page.html import page
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.scenario.schema import Scenario
from cosim.trace.facts.run import HostSampled
from cosim.trace.lateness.causes import attribute_delay, causes, part_names
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace
from cosim.types import Status

PLAIN = """\
duration_s: 10
mobility: {kind: synthetic, vehicles: 4}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}]}
radio: {path_loss: {kind: power_law}}
trace: {positions: true}
"""
PLAN = {"duration_s": 20, "statistics": {"batches": 5}, "keys": {}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was simulated without fog."""
    home = tmp_path_factory.mktemp("plain")
    (home / "plain.yaml").write_text(PLAIN)
    simulate(load(str(home / "plain.yaml")), home / "run")
    return home / "run"


@pytest.fixture(autouse=True)
def foggy(plain: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with fog is installed, and every scenario has its section."""
    assert plain.is_dir()
    monkeypatch.setattr(subjects, "_installed", lambda: iter([FOG]))
    for module in ("schema", "identity"):  # the scenario's model stays as it is: fog is no more than an attribute of it
        monkeypatch.setattr(f"cosim.scenario.{module}.outside", lambda: ())
    monkeypatch.setattr(Scenario, "fog", {}, raising=False)
    monkeypatch.setattr("cosim.audit.ledger_check.chain_findings", lambda _trace: iter(()))
    subjects.subjects.cache_clear()
    yield
    subjects.subjects.cache_clear()


def run(folder: Path, *more: FogRolled) -> Path:
    """The substrate with fog at both sites."""
    rows = [*facts(), FogRolled(3.0, 0, Haze.PEA_SOUP, 2.5), FogRolled(4.0, 1, Haze.THIN, 1.5), *more]
    return write_run(folder, sorted(rows, key=lambda row: row.time_s), PLAN, 20.0)


def drifted(plain: Path, folder: Path) -> Path:
    """The plain run with fog."""
    with Trace.open(plain) as trace:
        crafted = CraftedRun(folder)
        for site in range(2):
            crafted.record(HostSampled, site=site)
        crafted.copy(trace)
        crafted.add(FogRolled(3.0, 0, Haze.PEA_SOUP, 2.5))
        return crafted.close(trace.scenario, trace.complete_to_s)


def test_it_is_audited(tmp_path: Path) -> None:
    """Its rules of every moment and of the end, its checks and its codes name the rows that break them."""
    whys = {finding.why for finding in verify(run(tmp_path / "sound")).findings}
    assert not [why for why in whys if "fog" in why or "depth" in why]
    bad = run(tmp_path / "bad", FogRolled(3600.0, 7, 9, -1.0))
    found = [finding.why for finding in verify(bad).findings if finding.kind == "fog_rolled"]
    assert found == ["its depth is negative", "its haze is unknown", "it came on the hour"]
    dry = write_run(tmp_path / "dry", facts(), PLAN, 20.0)
    assert [one.why for one in verify(dry).findings if one.kind == "site_deployed"] == ["no fog came"] * 2


def test_it_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its figures follow those of the built-in subjects, and its headline is in the summary."""
    folder = run(tmp_path / "run")
    with Trace.open(folder) as trace:
        assert list(kpis(trace))[-1] == "fog_depth_mean"
        assert trace.sql("SELECT haze_name(haze) AS name FROM fog_rolled ORDER BY seq").name.tolist() == [
            "PEA_SOUP",
            "THIN",
        ]
    assert status(["trace", "summary", str(folder)]) == 0
    assert "depth of the fog" in capsys.readouterr().out


def test_a_figure_has_one_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure under the name of another subject's is refused instead of taking its place."""
    monkeypatch.setattr("fog.figures", lambda _trace, _slices: iter([("released", None)]))
    with Trace.open(run(tmp_path / "run")) as trace, pytest.raises(InputError, match="'released' of section fog"):
        kpis(trace)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("fog_depth_mean", "depth", 1.0), r"is not \(key, label, factor, unit\)"),
        (("fog_depth_mean", "depth", 1.0, "m", 2), r"is not \(key, label, factor, unit\)"),
        (("fog_depth_mean", "", 1.0, "m"), r"is not \(key, label, factor, unit\)"),
        (("fog_depth_mean", "depth", "1", "m"), r"is not \(key, label, factor, unit\)"),
        (5, r"is not \(key, label, factor, unit\)"),
        (("released", "released", 1.0, "tasks"), "'released' has a row already"),
    ],
)
def test_a_headline_that_is_none(monkeypatch: pytest.MonkeyPatch, row: Any, said: str) -> None:
    """A row of another shape, and one of a figure that has a row, are refused, naming the section."""
    monkeypatch.setattr(fog, "HEADLINE", (row,))
    with pytest.raises(InputError, match=f"headline of section fog: .*{said}"):
        headline()


def test_it_makes_tasks_late(tmp_path: Path) -> None:
    """Its cause takes its part of the time before the first step, and the parts still sum up."""
    with Trace.open(run(tmp_path / "run")) as trace:
        table = attribute_delay(trace, "task = 0")
    parts = [f"{name}_s" for name in part_names()]
    assert parts[:3] == ["decision_wait_s", "fog_s", "key_s"]
    assert table[parts].to_numpy().sum() == pytest.approx(table.elapsed_s[0])


def test_it_is_on_the_page(plain: Path, tmp_path: Path) -> None:
    """Its panel, its part of a site's story and its note are shown, though its script has names that the page has."""
    out = tmp_path / "report.html"
    out.write_text(page([drifted(plain, tmp_path / "run")]))
    with browser(tmp_path / "profile") as window:
        window.open(out)
        assert window.log("browser") == []
        assert window.run("return [...document.querySelectorAll('h2')].map((one) => one.textContent)")[-1] == "Fog"
        assert window.run("return document.querySelector('.fog').textContent").startswith("a name")
        assert "pea soup" in window.run("return document.querySelector('main').innerText")
        assert "Fog is drawn as text." in window.run("return document.querySelector('footer').innerText")
        window.run("window.cosim.select('site', 0)")
        assert window.run("return document.querySelector('.deep').textContent") == "2500 mm"


def panel(cards: str = "[]", more: str = "") -> str:
    """JavaScript of the fog's part."""
    return f"SUBJECTS.push({{ name: 'fog', title: 'Fog', cards: () => {cards}{more} }});"


HOOKS = {"under": "(paint) => { paint.translate(99, 99); boom(); }", "siteStory": "() => 5"}
FAULTY = {
    "no JavaScript": "SUBJECTS.push({{{",
    "an error in cards": panel("{ card('lost', '', () => {}); boom(); }"),
    "an error in open": panel(more=", open: async () => boom()"),
    **{
        hook: panel(more=f", open: () => ({{ {hook}: {HOOKS.get(hook, '() => boom()')} }})")
        for hook in ("under", "siteStory", "legend", "mark", "vehicleStory", "note")
    },
    "an error at once": "throw new Error('boom');",
    "no cards": panel("5"),
    "an error in drawing": panel("[card('a', 'b', () => boom())]"),
}
"""The first five differ most."""


def test_a_fault_of_a_package_ends_nothing_else(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its JavaScript does wrong, the rest of the page stands, answers, and says what is left out."""
    folder, out = drifted(plain, tmp_path / "run"), tmp_path / "report.html"
    with browser(tmp_path / "profile") as window:
        for name, source in few(FAULTY.items(), 5):
            monkeypatch.setattr("fog.PANELS", source)
            out.write_text(page([folder]))
            window.open(out)
            window.run("cosim.seek(0); cosim.select('site', 0)")
            assert "NaN" not in window.run("return document.querySelector('.story').textContent"), name
            window.run("cosim.seek(5); cosim.select('vehicle', 0); cosim.select('site', 0)")
            assert window.run("return document.querySelector('.story h3').textContent") == "a", name
            assert window.run("return document.querySelectorAll('figure svg').length") >= 5, name
            assert window.run("return document.querySelectorAll('.figures, .tiles').length") >= 1, name
            said = window.run("return document.getElementById('faults').textContent")
            assert said.startswith("The part of section fog is left out: "), name
            assert window.run("return document.querySelector('canvas').getContext('2d').getTransform().e") == 0, name


@pytest.mark.parametrize("source", ["</script>", "x < 1; <!-- y"])
def test_a_script_that_would_end_its_element(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """JavaScript that HTML would cut is refused in one line."""
    monkeypatch.setattr("fog.PANELS", source)
    with pytest.raises(InputError, match="panels of section fog"):
        page([drifted(plain, tmp_path / "run")])


def test_a_section_that_is_called_like_a_series(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A section may not take the place of a series that every page has."""
    monkeypatch.setattr(subjects, "_installed", lambda: iter([replace(FOG, name="traffic")]))
    monkeypatch.setattr(Scenario, "traffic", {}, raising=False)
    subjects.subjects.cache_clear()
    with pytest.raises(InputError, match="section traffic: the page has a series of that name"):
        page([drifted(plain, tmp_path / "run")])


def test_hosts_that_are_sampled_at_the_start(plain: Path, tmp_path: Path) -> None:
    """A sample at t = 0 ends no span of time: the hosts' mean numbers of tasks are those without it."""
    shown = []
    for folder in (plain, drifted(plain, tmp_path / "run")):
        text = page([folder])
        shown.append(
            json.loads(text.partition('id="data">')[2].partition("</script>")[0])["runs"][0]["series"]["hosts"]
        )
    assert shown[0] == shown[1]
    assert shown[0]["until_s"][0] > 0


def test_a_run_without_it_shows_nothing_of_it(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a run whose scenario lacks the section neither figure nor panel stands."""
    folder = drifted(plain, tmp_path / "run")
    monkeypatch.setattr(Scenario, "fog", None, raising=False)
    text = page([folder])
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert data["runs"][0]["series"]["fog"] is None
    assert "fog_depth_mean" not in data["runs"][0]["kpis"]
    assert 'SUBJECTS.push({ name: "fog"' not in text


@pytest.mark.parametrize(
    ("step", "claim_s"),
    [
        ("arrival", 0.1),
        ("uplink", 0.1),
        ("execution", 0.1),
        ("decision", float("nan")),
        ("queue", float("inf")),
        ("back", -1e-3),
        ("there", None),
    ],
)
def test_a_claim_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, claim_s: float | None
) -> None:
    """A claim of an unknown step, or of times that are none, is refused, naming cause and section."""
    times = lambda task: np.zeros(1) if claim_s is None else np.full(len(task), claim_s)  # noqa: E731
    claiming = replace(fog.CAUSES[0], claim=lambda _trace, task, _facts: {step: times(task)})
    monkeypatch.setattr(fog, "CAUSES", (claiming,))
    refused = pytest.raises(InputError, match=f"cause 'fog' of section fog: .*'{step}'")
    with Trace.open(run(tmp_path / "run")) as trace, refused:
        attribute_delay(trace, "true")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"has_part": False}, "claims time and has no part"),
        ({"status": Status.NO_COVERAGE}, "is that of cause 'coverage'"),
        ({"status": Status.NO_KEY}, "is that of cause 'key'"),
    ],
)
def test_causes_that_contradict(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], said: str) -> None:
    """A claim whose time no part would show, and a status that another cause has, are refused."""
    monkeypatch.setattr(fog, "CAUSES", (replace(fog.CAUSES[0], **fields),))
    with pytest.raises(InputError, match=f"cause 'fog' of section fog: .*{said}"):
        causes()


@pytest.mark.parametrize("field", ["name", "after"])
def test_a_cause_without_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """A cause with another's name, or behind one that nobody knows, is refused."""
    monkeypatch.setattr(fog, "CAUSES", (replace(fog.CAUSES[0], **{field: "queue" if field == "name" else "mist"}),))
    with (
        Trace.open(run(tmp_path / "run")) as trace,
        pytest.raises(InputError, match="of section fog: its name must be"),
    ):
        attribute_delay(trace)
