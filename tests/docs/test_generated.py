"""The pages that are made of the code have an entry with a meaning for everything that the code has."""

from pathlib import Path

import pytest
import substrate
from generated import PAGES
from generated.audit import audit_rules
from generated.commands import commands
from generated.facts import facts
from generated.scenario import section_entries
from pandas import isna

from cosim.cli.main import status
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.scenario.schema import scenario_model
from cosim.subjects import fact_kinds
from cosim.trace.facts.column import columns
from cosim.trace.metrics.definitions import definitions
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.layout import kind_name
from cosim.trace.store.reader import Trace

TWINS = """\
duration_s: 20
statistics: {warmup_s: 5, batches: 3}
mobility: {kind: synthetic, vehicles: 8}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}]}
radio: {path_loss: {kind: power_law}}
twin: {loss: 0.1, placement: {tiers: {edge: {places: 5, compute_hz: 8e9}}}}
"""


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with keys and a ledger."""
    return substrate.write(tmp_path_factory.mktemp("keyed") / "run", substrate.facts())


@pytest.fixture(scope="module")
def twinned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with twins that have homes."""
    home = tmp_path_factory.mktemp("twinned")
    (home / "twins.yaml").write_text(TWINS)
    simulate(load(str(home / "twins.yaml")), home / "run")
    return home / "run"


@pytest.mark.parametrize("path", PAGES)
def test_page_is_made(path: str) -> None:
    """A page has a title and no text of Python's own for a value."""
    text = PAGES[path]()
    assert text.startswith("# ")
    for odd in ("Undefined", "<class", "<function", " at 0x", "Annotated["):
        assert odd not in text


def test_every_section_and_field_of_a_scenario_is_told() -> None:
    """The reference has the sections of the JSON schema with their fields, and each says what it is and its type."""
    schema = scenario_model().model_json_schema()
    wanted = {name: set(section.get("properties", ())) for name, section in schema["$defs"].items()}
    wanted["Scenario"] = set(schema["properties"])
    told = {}
    for entry in section_entries():
        assert entry.description, f"{entry.model} has no docstring"
        told[entry.model] = {field.name for field in entry.fields} | ({"kind"} if entry.kind else set())
        for field in entry.fields:
            assert field.description.strip(), f"{entry.model}.{field.name} has no description"
            assert field.type, f"{entry.model}.{field.name} has no type"
            assert field.default, f"{entry.model}.{field.name} has no default"
    assert told == wanted


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("duration_s", "s"),
        ("radio.bandwidth_hz", "Hz"),
        ("radio.max_efficiency_bps_hz", "bit/s/Hz"),
        ("tasks.classes.cycles", "cycle"),
        ("keys.environment.noise_frequency_rad_per_s", "rad/s"),
        ("tasks.arrivals.rate_per_s", "1/s"),
        ("seed", ""),
        ("cloud.bandwidth_bps", "bit/s"),
    ],
)
def test_unit_is_that_of_the_name(field: str, unit: str) -> None:
    """A quantity's unit is read from the longest end of its name that is one."""
    path, _, name = field.rpartition(".")
    found = {one.unit for entry in section_entries() if entry.path == path for one in entry.fields if one.name == name}
    assert found == {unit}


def test_every_fact_and_column_is_told() -> None:
    """The reference has all kinds of facts and their columns, and each says what it is."""
    told = {kind.kind: kind for _, kinds in facts() for kind in kinds}
    assert set(told) == {kind_name(fact) for fact in fact_kinds()}
    for fact in fact_kinds():
        kind = told[kind_name(fact)]
        assert kind.meaning, kind.kind
        assert [column.name for column in kind.columns] == ["seq", *columns(fact)]
        for column in kind.columns:
            assert column.meaning.strip(), f"{kind.kind}.{column.name} has no meaning"


@pytest.mark.parametrize("run", ["keyed", "twinned"])
def test_every_figure_is_defined(run: str, request: pytest.FixtureRequest) -> None:
    """What a run measures has a definition with its unit, and the query of the definition gives its value."""
    known = {name: one for _, own in definitions() for name, one in own.items()}
    with Trace.open(request.getfixturevalue(run)) as trace:
        begin_s, queries = trace.scenario.statistics.warmup_s, 0
        for name, estimate in kpis(trace).items():
            one = known.get(name) or known[f"{name.partition('/')[0]}/*"]
            assert one.meaning.strip(), name
            assert one.unit == estimate.unit, name
            if one.sql:
                queries += 1
                value = trace.sql(one.query(begin_s, trace.complete_to_s)).iloc[0, 0]
                assert value == pytest.approx(estimate.value, rel=1e-9) or (isna(value) and isna(estimate.value)), name
    assert queries > 30


def test_every_definition_is_of_a_figure(keyed: Path, twinned: Path) -> None:
    """No definition is left of a figure that is not measured any more."""
    measured: set[str] = set()
    for run in (keyed, twinned):
        with Trace.open(run) as trace:
            measured |= {f"{name.partition('/')[0]}/*" if "/" in name else name for name in kpis(trace)}
    defined = {name for _, own in definitions() for name in own}
    assert defined - measured == {"semantic_performance"}  # of classes with a semantic section, which neither run has


def test_every_rule_says_what_is_wrong() -> None:
    """Each subject's rules are on the page, each with its kind and why."""
    found = {subject.name: rules for subject, rules in audit_rules()}
    assert set(found) >= {"core", "keys", "ledger", "twin"}
    assert all(rule.kind and rule.why for rules in found.values() for rule in rules)


def test_every_command_and_option_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The reference has the commands that `cosim --help` names, and every argument and option says what it does."""
    told = list(commands())
    for command in told:
        assert command.help, command.name
        for one in (*command.arguments, *command.options):
            assert one.help.strip(), f"{command.name} {one.name}"
    assert status(["--help"]) == 0
    shown = capsys.readouterr().out
    assert {command.name.split()[1] for command in told} == {
        word for word in ("run", "doctor", "trace", "ledger", "map", "kms", "scenario", "twin", "circuit", "report",
                          "train", "evaluate", "compare", "paper", "fork") if word in shown
    }  # fmt: skip
    run = next(command for command in told if command.name == "cosim run")
    assert [one.name for one in run.arguments] == ["[SCENARIO]"]
    assert "--picture / --no-picture" in {one.name for one in run.options}
    assert "cosim run quickstart" in run.examples
