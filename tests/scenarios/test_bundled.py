"""Every bundled scenario runs, audits and finishes tasks."""

from pathlib import Path
from typing import Any

import pytest
from effort import count

from cosim.audit.verify import verify
from cosim.runner import simulate
from cosim.scenario.load import bundled_scenarios, load
from cosim.scenario.schema import Scenario

SHORT = {
    "quickstart": 20,
    "grid": 20,
    "highway_v2v": 30,
    "per_task": 20,
    "s1_semantic_iov": 60,
    "intersection": 30,
    "qib_vec": 40,
    "s5_placement_paper": 30,
    "s5_placement_physical": 30,
    "s5_placement_city": 20,
}
ELSEWHERE = {
    "traci": "determinism/test_same_digest.py",
    "replay": "determinism/test_same_digest.py",
    "file": "support/stories.py",
    "plugin": "tasks/test_task_source.py",
    "decoy_bb84": "support/secured.py",
    "dock": "support/secured.py",
    "bbm92": "stories/test_any_secured_story.py",
    "finite_key": "stories/test_any_secured_story.py",
    "free_space": "stories/test_key_sessions.py",
    "otp": "stories/test_key_sessions.py",
    "none": "stories/test_key_sessions.py",
    "restart": "stories/test_vote_goes_on.py",
    "silent": "stories/test_ledger.py",
    "slow": "stories/test_ledger.py",
    "equivocate": "stories/test_ledger.py",
    "double_vote": "stories/test_ledger.py",
    "invalid": "stories/test_ledger.py",
    "last": "twin/test_twin_runs.py",
    "constant_turn": "twin/test_twin_runs.py",
    "kalman": "twin/test_twin_runs.py",
    "holt": "twin/test_twin_runs.py",
    "attenuated": "radio_models/test_link_adaptation.py",
    "on_change": "twin/test_twin_runs.py",
    "budget": "twin/test_twin_runs.py",
    "realised": "learners/test_train.py",
}
"""Kinds that need a second process, a recording, a file or a plug-in, and those beside paper S3, are used by these."""

UNDISTURBED = ("qib_vec", "s1_semantic_iov", "s5_placement_city", "s5_placement_paper", "s5_placement_physical")
"""The papers' scenarios: their equations have no interference between cells."""


@pytest.mark.parametrize("name", bundled_scenarios())
def test_bundled_scenario_runs_and_adds_up(name: str, tmp_path: Path) -> None:
    """A bundled scenario, shortened, completes tasks, and its audit with Little's law and energy finds nothing."""
    duration_s = count(SHORT[name], least=SHORT[name] * 2 // 5)
    shortened = [f"duration_s={duration_s}", "statistics.warmup_s=0", "statistics.batches=4"]
    loaded = load(name, shortened)
    result = simulate(loaded, tmp_path / "run")
    assert result.kpis["completed"].value > 0
    notes = [note.partition(":")[0] for note in result.notes if f"duration_s={duration_s}" not in note]
    assert notes == (["interference off"] if name in UNDISTURBED else [])
    report = verify(result.folder)
    assert report.complete
    assert report.findings == ()
    assert report.digest == result.digest


def test_bundled_scenarios_say_what_they_are() -> None:
    """Each bundled scenario bears its file's name and a description of one line."""
    for name, path in bundled_scenarios().items():
        scenario = load(path).scenario
        assert scenario.name == name
        assert 20 < len(scenario.description) < 120


def test_every_kind_is_used() -> None:
    """Each `kind` that a scenario can choose stands in a bundled scenario, or in the tests named here."""
    chosen = {kind for name in bundled_scenarios() for kind in _kinds(load(name).scenario.model_dump(mode="json"))}
    offered = set(_kinds_of_schema(Scenario.model_json_schema()))
    assert offered - chosen - set(ELSEWHERE) == set()
    for kind, path in ELSEWHERE.items():
        assert kind in (Path(__file__).parents[1] / path).read_text()


def _kinds(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["kind"]] if "kind" in value else []
        return own + [kind for item in value.values() for kind in _kinds(item)]
    return [kind for item in value for kind in _kinds(item)] if isinstance(value, list) else []


def _kinds_of_schema(schema: dict[str, Any]) -> list[str]:
    kinds = [part["properties"]["kind"] for part in schema["$defs"].values() if "kind" in part.get("properties", {})]
    return [word for kind in kinds for word in kind.get("enum", [kind.get("const")])]
