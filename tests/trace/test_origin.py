"""Edits of provenance.json: run id, hashed text and scenario hang together, so that one of them alone cannot change."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hashes import rehashed

from cosim.audit import origin
from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.runner import simulate
from cosim.scenario.identity import defaults_number, run_id
from cosim.scenario.load import load
from cosim.trace.store.manifest import read_manifest

Edit = Callable[[dict[str, Any]], object]
SHORT = ("duration_s=4", "statistics.warmup_s=0", "keys={}", "decisions.reward.scale=2")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run; to be read only."""
    return simulate(load("per_task", SHORT), tmp_path_factory.mktemp("origin") / "run").folder


@pytest.fixture
def run(simulated: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(simulated, tmp_path / "run"))


def said(run: Path) -> dict[str, Any]:
    """What provenance.json holds."""
    found: dict[str, Any] = json.loads((run / "provenance.json").read_text())
    return found


def edited(run: Path, edit: Edit) -> list[str]:
    """What the audit finds once provenance.json is edited, by an author who gives it the hash of its values."""
    now = said(run)
    edit(now)
    (run / "provenance.json").write_text(json.dumps(now))
    manifest = read_manifest(rehashed(run))
    return [str(finding) for finding in origin.origin_findings(run, manifest, manifest.digests)]


def retold(edit: Edit) -> Edit:
    """Edit what differs, as the hashed text has it."""

    def edit_text(provenance: dict[str, Any]) -> None:
        text = json.loads(provenance["identity"])
        edit(text)
        provenance["identity"] = json.dumps(text, sort_keys=True, separators=(",", ":"))

    return edit_text


def named_anew(edit: Edit) -> Edit:
    """Edit, and give the run the id of its text, as an author would who knows how."""

    def edit_both(provenance: dict[str, Any]) -> None:
        edit(provenance)
        provenance["run_id"] = run_id(provenance["scenario"]["name"], provenance["identity"])

    return edit_both


def test_a_run_keeps_the_text_that_was_hashed(run: Path) -> None:
    """Provenance holds the text; its hash is the run id that `load` gives, and the run verifies."""
    loaded = load("per_task", SHORT)
    text = said(run)["identity"]
    assert json.loads(text)["differs"]["decisions"]["reward"] == {"scale": 2}
    assert json.loads(text)["differs"]["keys"] == {}
    assert run_id("per_task", text) == loaded.run_id == said(run)["run_id"]
    assert edited(run, lambda _: None) == []
    assert verify(run).ok


EDITS: dict[str, tuple[Edit, str]] = {
    "run id": (lambda p: p.update(run_id="per_task-000000000000"), "run_id per_task-000000000000 is not that of"),
    "name": (lambda p: p["scenario"].update(name="other"), "is not that of its name and identity, other-"),
    "a value that differs": (lambda p: p["scenario"].update(duration_s=5.0), "duration_s differs"),
    "a value in a section": (lambda p: p["scenario"]["radio"].update(bandwidth_hz=1e6), "radio.bandwidth_hz differs"),
    "a default": (lambda p: p["scenario"]["keys"].update(slot_s=2.0), "keys.slot_s differs"),
    "a section at its default": (lambda p: p["scenario"]["trace"].update(part_s=30.0), "trace.part_s differs"),
    "a section more": (lambda p: p["scenario"].update(twin={}), "twin differs"),
    "a section less": (lambda p: p["scenario"].update(keys=None), "keys differs"),
    "a list": (lambda p: p["scenario"]["tasks"]["classes"][0].update(name="b"), "tasks.classes[0].name differs"),
    "an impossible scenario": (lambda p: p["scenario"].update(duration_s=-1), "duration_s differs"),
    "an unknown key": (lambda p: p["scenario"].update(futuristic={"a": 1}), "futuristic differs"),
    "an unknown key in a section": (lambda p: p["scenario"]["keys"].update(futuristic=1), "none that this cosim knows"),
    "seed": (lambda p: p.update(seed=9), "its seed 9 is not the scenario's 1"),
    "policy": (lambda p: p.update(policy="optimal"), "its policy optimal is not the scenario's"),
    "digest": (lambda p: p.update(digest="0" * 64), "is not the rows'"),
    "digests": (lambda p: p["digests"].update(task_ended="0" * 64), "its digests are not those of the rows"),
    "no digests": (lambda p: p.update(digests=None), "its digests is null, expected is a mapping to text"),
    "facts": (lambda p: p.update(facts=p["facts"] + 1), "is not that of the rows"),
    "the text": (retold(lambda t: t["differs"].update(seed=9)), "is not that of its name and identity"),
    "the text and the id": (named_anew(retold(lambda t: t["differs"].update(seed=9))), "seed differs"),
    "less text and the id": (named_anew(retold(lambda t: t["differs"].pop("keys"))), "keys differs"),
    "a default in the text": (named_anew(retold(lambda t: t["differs"]["keys"].update(slot_s=1))), "keys.slot_s"),
    "another spelling": (named_anew(lambda p: p.update(identity=p["identity"] + " ")), "the scenario differs"),
    "no text": (lambda p: p.pop("identity"), "is not that of its name and scenario"),
    "an empty text": (lambda p: p.update(identity=""), "is not that of its name and scenario"),
    "a text that is none": (named_anew(lambda p: p.update(identity="x")), "its identity is none"),
    "a text of something else": (named_anew(lambda p: p.update(identity="[1]")), "its identity is none"),
    "no scenario": (lambda p: p.update(scenario={}), "is not that of its name"),
    "a scenario that is none": (lambda p: p.update(scenario=[]), "its scenario is [], expected is a mapping"),
    "a text that is no text": (lambda p: p.update(identity=5), "its identity is 5, expected is text"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_found(run: Path, name: str) -> None:
    """Each edit of run id, text or scenario is a finding of provenance.json."""
    edit, told = EDITS[name]
    found = edited(run, edit)
    assert any(told in one for one in found), found
    assert all(one.startswith("provenance.json: its ") for one in found)


@pytest.mark.parametrize("name", ["run id", "a default", "the text and the id"])
def test_the_command_ends_with_1(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`trace verify` prints the finding of such a run, and ends with 1."""
    edit, told = EDITS[name]
    edited(run, edit)
    assert cli.status(["trace", "verify", str(run)]) == 1
    printed = capsys.readouterr()
    assert told in printed.out
    assert printed.err == ""


def test_a_run_of_other_defaults(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run made under another number of the defaults is held to what its text tells, and to no default of today."""
    monkeypatch.setattr(origin, "defaults_number", lambda sections: defaults_number(sections) + 1)
    assert edited(run, lambda p: p["scenario"]["keys"].update(slot_s=2.0)) == []
    assert "duration_s differs" in edited(run, lambda p: p["scenario"].update(duration_s=5.0))[0]


def test_a_scenario_that_is_not_known_here(run: Path) -> None:
    """With a section of a package that is not installed the text is still held to the scenario, as far as it goes."""
    more = {"rate_per_s": 1.0, "sites": ["a"]}

    def add(provenance: dict[str, Any]) -> None:
        provenance["scenario"]["quakes"] = more
        retold(lambda text: text["differs"].update(quakes={"rate_per_s": 1, "sites": ["a"]}))(provenance)
        provenance["scenario"]["unused"] = None

    assert edited(run, named_anew(add)) == []
    default = said(run)["scenario"]["statistics"]["confidence"]
    found = edited(run, lambda p: p["scenario"]["statistics"].update(confidence=0.5))
    assert found == ["provenance.json: its identity is not that of its scenario: statistics.confidence differs"]
    assert edited(run, lambda p: p["scenario"]["statistics"].update(confidence=default)) == []
    for value in (2.0, True):
        more["rate_per_s"] = value
        assert "quakes.rate_per_s differs" in edited(run, lambda p: p["scenario"].update(quakes=more))[0]
