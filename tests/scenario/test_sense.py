"""Scenarios that make no sense: each rule speaks of one that it is about, and is silent on a near one."""

import json
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.runner import simulate
from cosim.scenario.load import bundled_scenarios, given_scenario, load
from cosim.scenario.schema import Scenario
from cosim.scenario.sense import RULES, Shown, Stand, listed_stands, refuse_senseless, sense_notes

TWO = (Stand("a", 0.0, 0.0, 2), Stand("b", 100.0, 0.0, 2))
KEYED = {"keys": {"attacks": [{"kind": "cut", "ends": ["a", "b"], "start_s": 60, "end_s": 90}]}}
VOTED = {"ledger": {"faults": [{"kind": "silent", "validator": "a", "start_s": 50}]}}
PARTED: dict[str, Any] = {"ledger": {"partitions": [{"start_s": 1, "end_s": 2, "side": ["a"]}]}}
QUICK = {"name": "quick", "deadline_s": 0.01, "cycles": 1e9}


def _poisson(**fields: Any) -> dict[str, Any]:
    return {"tasks": {"arrivals": {"kind": "poisson", **fields}}}


def _synthetic(**fields: Any) -> dict[str, Any]:
    return {"mobility": {"kind": "synthetic", **fields}}


def _moved(action: str, validator: str) -> dict[str, Any]:
    return {
        "ledger": {"validators": ["a"], "membership": [{"height": 2, "validator": validator, "action": action}]},
    }


def _radio(**fields: Any) -> dict[str, Any]:
    return {"radio": {"link": {"kind": "mcs"}, **fields}}


def _types(**fields: Any) -> dict[str, Any]:
    return {"tasks": {"classes": [{"name": "one", **fields}]}}


CAME = Shown(TWO, frozenset({"car", "bus"}), {"released": 7.0, "coverage_ratio": 0.5, "key_generated": 1.0})
CASES: list[tuple[str, dict[str, Any], Shown, dict[str, Any], Shown]] = [
    ("never begins", {**KEYED, "duration_s": 60}, CAME, {**KEYED, "duration_s": 60.5}, CAME),
    ("never begins", {**VOTED, "duration_s": 50}, CAME, {**VOTED, "duration_s": 51}, CAME),
    ("never begins", {"ledger": {"loss": 0.1, "loss_start_s": 700}}, CAME, {"ledger": {"loss_start_s": 700}}, CAME),
    (
        "period too long",
        {"duration_s": 5, **_synthetic(step_s=5)},
        CAME,
        {"duration_s": 5, **_synthetic(step_s=1)},
        CAME,
    ),
    ("period too long", {"trace": {"sample_s": 600}}, CAME, {"trace": {"sample_s": 599}}, CAME),
    ("period too long", {"keys": {"slot_s": 60, "block_slots": 10}}, CAME, {"keys": {"slot_s": 60}}, CAME),
    ("period too long", {"ledger": {"block": {"interval_s": 600}}}, CAME, {"ledger": {}}, CAME),
    ("period too long", {"twin": {"sync": {"kind": "periodic", "period_s": 900}}}, CAME, {"twin": {}}, CAME),
    ("period too long", {"twin": {"site_period_s": 900}}, CAME, {"twin": {"site_period_s": 9}}, CAME),
    ("period too long", {"duration_s": 10, "twin": {}}, CAME, {"duration_s": 11, "twin": {}}, CAME),
    ("period too long", {"twin": {"placement": {"period_s": 600}}}, CAME, {"twin": {"placement": {}}}, CAME),
    ("one place", {}, Shown((TWO[0], Stand("c", 0.0, 0.0, 1))), {}, Shown((TWO[0], Stand("c", 0.0, 0.1, 1)))),
    ("no cores", {}, Shown((Stand("a", 0.0, 0.0, 0),)), {"cloud": {}}, Shown((Stand("a", 0.0, 0.0, 0),))),
    (
        "sidelink for nobody",
        {"radio": {"sidelink": {}}, "compute": {"vehicle": {"shared": False}}},
        CAME,
        {"radio": {"sidelink": {}}},
        CAME,
    ),
    ("unfelt link", _radio(max_efficiency_bps_hz=3), CAME, {"radio": {"max_efficiency_bps_hz": 3}}, CAME),
    ("unfelt link", _radio(max_efficiency_bps_hz=None), CAME, _radio(max_efficiency_bps_hz=7.4063), CAME),
    ("unfelt link", _radio(min_snr_db=-5), CAME, _radio(min_snr_db=-2), CAME),
    (
        "unfelt link",
        {"radio": {"vehicle_noise_figure_db": 7, "noise_dbm": -90}},
        CAME,
        {"radio": {"vehicle_noise_figure_db": 7}},
        CAME,
    ),
    ("no channel", _radio(bandwidth_hz=12e6), CAME, {"radio": {"bandwidth_hz": 12e6}}, CAME),
    ("no channel", _radio(downlink_bandwidth_hz=40e6), CAME, _radio(downlink_bandwidth_hz=10e6), CAME),
    ("no channel", _radio(sidelink={"bandwidth_hz": 7e6}), CAME, _radio(sidelink={}), CAME),
    (
        "grant for nobody",
        {"radio": {"grant_s": {"sidelink": 0.01}}},
        CAME,
        {"radio": {"grant_s": {"sidelink": 0.01}, "sidelink": {}}},
        CAME,
    ),
    (
        "grant for nobody",
        {"radio": {"grant_s": {"uplink": 0.1, "sidelink": 0.1}}},
        CAME,
        {"radio": {"grant_s": {"uplink": 0.1}}},
        CAME,
    ),
    ("no coverage", {}, Shown(TWO, frozenset({"car"}), {"coverage_ratio": 0.0}), {}, CAME),
    ("no traffic", _synthetic(vehicles=0), Shown(TWO), _synthetic(vehicles=1), Shown(TWO)),
    ("no traffic", {}, Shown(TWO, frozenset(), {"released": 0.0}), {}, CAME),
    ("no task", _poisson(rate_per_s=0), CAME, _poisson(rate_per_s=0.01), CAME),
    (
        "no task",
        _poisson(profile=[{"time_s": 0, "factor": 0}, {"time_s": 600, "factor": 0}, {"time_s": 700, "factor": 1}]),
        CAME,
        _poisson(profile=[{"time_s": 0, "factor": 0}, {"time_s": 599, "factor": 0}, {"time_s": 700, "factor": 1}]),
        CAME,
    ),
    ("no task", {}, Shown(TWO, frozenset({"car"}), {"released": 0.0}), {}, CAME),
    (
        "profile later",
        _poisson(profile=[{"time_s": 600, "factor": 1}, {"time_s": 700, "factor": 2}]),
        CAME,
        _poisson(profile=[{"time_s": 599, "factor": 1}, {"time_s": 700, "factor": 2}]),
        CAME,
    ),
    ("no such type", _types(vehicle_types=["truck"]), CAME, _types(vehicle_types=["bus"]), CAME),
    ("no such type", _poisson(type_factor={"truck": 2}), CAME, _poisson(type_factor={"bus": 2}), CAME),
    ("never on time", {"tasks": {"classes": [QUICK]}}, CAME, {"tasks": {"classes": [{**QUICK, "cycles": 9e6}]}}, CAME),
    (
        "never on time",
        {"decisions": {"kind": "per_task", "inference_s": 2}},
        CAME,
        {"decisions": {"kind": "per_task", "inference_s": 0.5}},
        CAME,
    ),
    (
        "knob of nothing",
        {"decisions": {"kind": "periodic", "knobs": ["target", "cpu_share"]}},
        CAME,
        {
            "decisions": {"kind": "periodic", "knobs": ["cpu_share"]},
            "compute": {"edge": {"discipline": "processor_sharing"}},
        },
        CAME,
    ),
    ("no key", {"keys": {}}, Shown(TWO, frozenset({"car"}), {"key_generated": 0.0}), {"keys": {}}, CAME),
    (
        "no key",
        {"keys": {"pool": {"capacity_bit": 100, "low_water_bit": 100}}},
        CAME,
        {"keys": {"pool": {"capacity_bit": 100, "low_water_bit": 99}}},
        CAME,
    ),
    ("no key", {"keys": {"vehicle": {"kind": "site", "low_water_bit": 0}}}, CAME, {"keys": {}}, CAME),
    (
        "no key",
        {"keys": {"vehicle": {"kind": "site", "initial_bit": 65537}}},
        CAME,
        {"keys": {"vehicle": {"kind": "site", "initial_bit": 65536}}},
        CAME,
    ),
    ("all seated", {"ledger": {"committee": 2}}, CAME, {"ledger": {"committee": 1}}, CAME),
    ("one voter", {"ledger": {}}, Shown(TWO[:1]), {"ledger": {}}, CAME),
    ("one voter", {"ledger": {"validators": ["b"]}}, CAME, {"ledger": {"validators": ["a", "b"]}}, CAME),
    (
        "parts nobody",
        {"ledger": {"partitions": [{"start_s": 1, "end_s": 2, "side": ["a", "b"]}]}},
        CAME,
        PARTED,
        CAME,
    ),
    ("moves nobody", _moved("join", "a"), CAME, _moved("join", "b"), CAME),
    ("moves nobody", _moved("leave", "b"), CAME, _moved("join", "b"), CAME),
    ("nothing heard", {"ledger": {"loss": 1}}, CAME, {"ledger": {"loss": 1, "loss_end_s": 599}}, CAME),
    ("nothing heard", {"twin": {"loss": 1}}, CAME, {"twin": {"loss": 0.99}}, CAME),
    (
        "nothing heard",
        {"twin": {"sync": {"kind": "budget", "messages_per_s": 0}}},
        CAME,
        {"twin": {"sync": {"kind": "budget", "messages_per_s": 0.1}}},
        CAME,
    ),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_each_rule(case: int) -> None:
    """A rule speaks once of a scenario that it is about, names field and remedy, and is silent on a near one."""
    name, about, shown, near, shown_near = CASES[case]
    (rule,) = [one for one in RULES if one.name == name]
    (remark,) = rule.remarks(Scenario(**about), shown)
    assert remark.isprintable()
    assert "; " in remark or "move one" in remark
    assert remark in sense_notes(Scenario(**about), shown)
    assert not list(rule.remarks(Scenario(**near), shown_near)), name


def test_all_rules_are_tried() -> None:
    """Every rule has a case above, and a name of its own."""
    assert {rule.name for rule in RULES} == {case[0] for case in CASES}
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_bundled_scenarios_make_sense() -> None:
    """Nothing is to be said of a bundled scenario at its own length."""
    for name in bundled_scenarios():
        scenario = load(name).scenario
        refuse_senseless(scenario)
        assert sense_notes(scenario, Shown(listed_stands(scenario))) == [], name


def test_no_decision_falls_within_the_run(tmp_path: Path) -> None:
    """A period of decisions as long as the run is refused before anything is written."""
    with pytest.raises(InputError, match=r"decisions.period_s=2: no decision falls within duration_s=2, .*; lower it"):
        simulate(
            load("per_task", ["duration_s=2", "statistics.warmup_s=0", "decisions={kind: periodic, period_s: 2}"]),
            tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_notes_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The notes of a run, of its summary and of the check of its scenario are told, each once, with what came of it."""
    sites = [{"name": name, "x_m": 500, "y_m": 0} for name in ("a", "b")]
    senseless = {
        "duration_s": 3,
        "mobility": {"kind": "synthetic", "vehicles": 3},
        "sites": {"kind": "listed", "sites": sites},
        "tasks": {"arrivals": {"kind": "poisson", "type_factor": {"tram": 2}}},
        "radio": {"interference": True, "min_snr_db": 200},
    }
    result = simulate(given_scenario(senseless), tmp_path / "run")
    fields = [note.partition(":")[0].partition(",")[0] for note in result.notes]
    assert fields == ["sites a and b stand in one place", "radio", "tasks.arrivals.type_factor"]
    assert cli.status(["trace", "summary", str(tmp_path / "run"), "--json"]) == 0
    assert tuple(json.loads(capsys.readouterr().out)["notes"]) == result.notes
    (tmp_path / "s.yaml").write_text(json.dumps(senseless))
    assert cli.status(["scenario", "check", str(tmp_path / "s.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [result.notes[0]]


def test_a_class_that_is_never_on_time_is_always_late(tmp_path: Path) -> None:
    """The bound below which no deadline can be met is one: of such a class nothing completes in time."""
    told = ["duration_s=6", "statistics.warmup_s=0", "mobility.vehicles=20"]
    one = {"name": "one", "cycles": {"kind": "uniform", "low": 9e8, "high": 2e9}, "deadline_s": 0.1}
    classes = [f"tasks.classes={json.dumps([one])}", "compute.edge.core_hz=3e9", "tasks.on_deadline=finish"]
    result = simulate(load("per_task", [*told, *classes]), tmp_path / "run")
    assert any("deadline_s=0.1: tasks of one take at least" in note for note in result.notes)
    assert result.kpis["completed"].value == 0
    assert result.kpis["late"].value > 0
