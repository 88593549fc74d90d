"""`radio.preset` lays what a scenario writes over named values; the result alone is the scenario."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.runner import simulate
from cosim.scenario.identity import as_json, identity
from cosim.scenario.load import describe_scenario, given_scenario, load
from cosim.scenario.preset_values import PRESETS, Preset, PresetName, Sourced
from cosim.scenario.presets import changed_fields, plain, preset_section
from cosim.scenario.radio import Grant, Handover, Radio, Umi
from cosim.scenario.schema import Scenario
from cosim.scenario.section import Section
from cosim.trace.store.reader import Trace

ROOT = Path(__file__).parents[2]
OTHER_WORDS = {"link.standard": "nr", "link.subcarrier_khz": 60}
"""Other values of fields that have few."""
LEAVES = [
    (name, field)
    for name, preset in PRESETS.items()
    for field, (value, _) in preset.values.items()
    if not field.endswith("kind") and value != OTHER_WORDS.get(field)
]
"""The values of all presets; what stands instead of a kind is another section."""
OTHER_KINDS = {
    "path_loss": {"kind": "power_law", "exponent": 3.0},
    "link": {"kind": "shannon"},
}


def flat(section: Section | dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """All values of a section by dotted field, without the name of the preset."""
    values = section.model_dump() if isinstance(section, Section) else section
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return {name: value for name, value in found.items() if name != "preset"}


def nested(field: str, value: Any) -> dict[str, Any]:
    """The value below the keys of a dotted field."""
    for part in reversed(field.split(".")):
        value = {part: value}
    return dict(value)


def other(name: str, field: str) -> Any:
    """Another value of a field of a preset."""
    return OTHER_WORDS.get(field) or float(PRESETS[name].values[field].value) * 1.25


def radio_of(written: Any) -> Radio:
    """The radio of a scenario that is given as a mapping."""
    return Scenario.model_validate({"radio": written}).radio


def test_the_presets_are_the_named_ones_with_their_sources() -> None:
    """Each preset has a title, and every value is one of a radio and has a source; nothing is told of other fields."""
    assert set(PRESETS) == set(get_args(PresetName))
    for name, preset in PRESETS.items():
        assert len(preset.title) > 20
        known = flat(radio_of({"preset": name}))
        for field, (value, source) in preset.values.items():
            assert known[field] == value, field
            assert len(source) > 15, field
        for field, value in flat(Radio()).items():
            assert field in preset.values or known.get(field, value) == value, field


@pytest.mark.parametrize("name", PRESETS)
def test_all_forms_give_one_radio(name: str, tmp_path: Path) -> None:
    """YAML, a mapping, keywords of Radio, --set and the values written out give the same radio."""
    file = tmp_path / "case.yaml"
    file.write_text(f"radio: {{preset: {name}}}\n")
    expected = Radio(preset=name)  # type: ignore[arg-type]
    assert load(file).scenario.radio == expected == radio_of({"preset": name})
    assert given_scenario({}, [f"radio.preset={name}"]).scenario.radio == expected
    assert given_scenario(Scenario(), [f"radio.preset={name}"]).scenario.radio == expected
    assert radio_of(preset_section(name)) == expected
    assert hash(radio_of(preset_section(name))) == hash(expected)
    assert expected != Radio()
    assert expected.preset == name


@pytest.mark.parametrize(("name", "field"), LEAVES)
def test_one_field_on_top_changes_that_field_alone(name: str, field: str, tmp_path: Path) -> None:
    """Written over a preset in YAML, Python or by --set, with and without `kind`, a field is the only other one."""
    value = other(name, field)
    alone = {"preset": name} | nested(field, value)
    section = field.partition(".")[0]
    own = preset_section(name)[section]
    file = tmp_path / "case.yaml"
    with file.open("w") as stream:
        YAML().dump({"radio": alone}, stream)
    found = [radio_of(alone), load(file).scenario.radio, Radio(**alone)]
    found += [given_scenario({"radio": {"preset": name}}, [f"radio.{field}={value}"]).scenario.radio]
    found += [given_scenario({}, [f"radio.{field}={value}", f"radio.preset={name}"]).scenario.radio]
    if isinstance(own, dict) and "kind" in own:
        found.append(radio_of(alone | {section: {**alone[section], "kind": own["kind"]}}))
    before = flat(radio_of({"preset": name}))
    for radio in found:
        assert flat(radio) == before | {field: value}
        assert changed_fields(radio, name) == [field]


@drawn(400)
@given(st.data())
def test_several_fields_on_top(data: st.DataObject) -> None:
    """Any fields, of the preset and others, that a scenario writes are as written, and no others change."""
    name = data.draw(st.sampled_from(list(PRESETS)))
    free = {
        "interference": True,
        "outage_s": 2.5,
        "noise_dbm": None,
        "handover.hysteresis_db": 1.5,
        "path_loss.shadowing": False,
    }
    leaves = {field: other(name, field) for one, field in LEAVES if one == name} | free
    chosen = data.draw(st.lists(st.sampled_from(sorted(leaves)), unique=True))
    written: dict[str, Any] = {"preset": name}
    for field in chosen:
        here = written
        *path, last = field.split(".")
        for part in path:
            here = here.setdefault(part, {})
        here[last] = leaves[field]
    radio = radio_of(written)
    assert flat(radio) == flat(radio_of({"preset": name})) | {field: leaves[field] for field in chosen}
    again = given_scenario(Scenario(radio=radio), ["seed=1"]).scenario.radio
    assert again == radio
    assert again.preset == name


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("section", OTHER_KINDS)
def test_another_kind_replaces_the_section(name: str, section: str) -> None:
    """A section of another kind has nothing of the preset's: what it leaves out are its own defaults."""
    written = OTHER_KINDS[section]
    expected = getattr(radio_of({section: written}), section)
    for radio in (
        radio_of({"preset": name, section: written}),
        given_scenario({"radio": {"preset": name}}, [f"radio.{section}={json.dumps(written)}"]).scenario.radio,
        given_scenario(
            {"radio": {"preset": name}}, [f"radio.{section}.{key}={value}" for key, value in reversed(written.items())]
        ).scenario.radio,
    ):
        assert getattr(radio, section) == expected
        assert {key: value for key, value in flat(radio).items() if not key.startswith(section)} == {
            key: value for key, value in flat(radio_of({"preset": name})).items() if not key.startswith(section)
        }
        assert changed_fields(radio, name) == [f"{section}.kind"]


def test_an_object_is_given_whole() -> None:
    """A section that is an object has all its values, also those that nobody wrote, and keeps them."""
    radio = Radio(preset="lte_20mhz", path_loss=Umi(), handover=Handover(interruption_s=0.2), grant_s=Grant(uplink=1.0))
    assert radio.path_loss == Umi()
    assert radio.handover == Handover(interruption_s=0.2)
    assert radio.grant_s == Grant(uplink=1.0)
    other = given_scenario(Scenario(radio=radio), ["radio.preset=nr_20mhz_fr1"]).scenario.radio
    assert (other.path_loss, other.grant_s) == (Umi(), Grant(uplink=1.0))
    assert other.noise_figure_db == PRESETS["nr_20mhz_fr1"].values["noise_figure_db"].value


def test_null_is_written_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Null over a value of a preset is what the scenario has; `preset: null` is no preset."""
    values = {**PRESETS["lte_20mhz"].values, "max_efficiency_bps_hz": Sourced(3.9, "made up")}
    monkeypatch.setitem(PRESETS, "lte_20mhz", Preset("made up", values))  # type: ignore[arg-type]
    assert radio_of({"preset": "lte_20mhz"}).max_efficiency_bps_hz == 3.9
    assert radio_of({"preset": "lte_20mhz", "max_efficiency_bps_hz": None}).max_efficiency_bps_hz is None
    assert radio_of({"preset": None}) == Radio()
    lte = {"radio": {"preset": "lte_20mhz"}}
    assert given_scenario(lte, ["radio.max_efficiency_bps_hz=null"]).scenario.radio.max_efficiency_bps_hz is None
    assert given_scenario(lte, ["radio.preset=null"]).scenario.radio == Radio()


def test_the_preset_of_a_made_scenario_can_be_changed() -> None:
    """Over a scenario that is loaded or made, another preset takes the place of the first one's values."""
    made = Scenario(radio=Radio(preset="lte_10mhz", noise_figure_db=9.0))
    loaded = given_scenario({"radio": {"preset": "lte_10mhz", "noise_figure_db": 9.0}})
    for given_one in (made, loaded):
        radio = given_scenario(given_one, ["radio.preset=nr_20mhz_fr1"]).scenario.radio
        assert radio == Radio(preset="nr_20mhz_fr1", noise_figure_db=9.0)
        assert given_scenario(given_one, ["radio.preset=null"]).scenario.radio == Radio(noise_figure_db=9.0)


def test_kinds_of_a_made_scenario_are_kept() -> None:
    """Sections given as objects without a kind of their own keep it when a made scenario is changed."""
    made = Scenario(radio=Radio(path_loss=Umi(shadowing=False)))
    assert given_scenario(made, ["seed=2"]).scenario == made.model_copy(update={"seed": 2})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("preset: lte_20", "radio.preset = lte_20: is not one of the choices; did you mean lte_20mhz?"),
        ("preset: 5g", "radio.preset = 5g: is not one of the choices; known: lte_10mhz, lte_20mhz, nr_20mhz_fr1"),
        ("preset: 20", "radio.preset = 20: is not one of the choices; known: lte_10mhz, lte_20mhz, nr_20mhz_fr1"),
        ("preset: [lte_20mhz]", "radio.preset: is not one of the choices; did you mean lte_20mhz?"),
        ("preset: {a: 1}", "radio.preset: is not one of the choices; known: lte_10mhz, lte_20mhz, nr_20mhz_fr1"),
        ("preset: lte_20mhz, link: {kind: mcss}", "radio.link.kind = mcss: is unknown; did you mean mcs?"),
        ("preset: lte_20mhz, link: mcs", "radio.link = mcs: must be a mapping; write keys and values below it"),
        (
            "preset: lte_20mhz, handover: null",
            "radio.handover = null: must be a mapping; write keys and values below it",
        ),
        ("preset: lte_20mhz, noise_figure_db: -1", "radio.noise_figure_db = -1: must be greater than or equal to 0; "),
        ("preset: lte_20mhz, path_loss: {exponent: 3}", "radio.path_loss.exponent: is an unknown key; known: "),
        ("preset: lte_20mhz, access: {}", "radio.access: has no kind; add kind: with one of ofdma, fixed, noma"),
        ("link: {}", "radio.link: has no kind; add kind: with one of shannon, attenuated, mcs"),
        ("presets: lte_20mhz", "radio.presets: is an unknown key; did you mean preset?"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, written: str, told: str) -> None:
    """A preset that there is not, and what is wrong over one, is told with file, line, field, value and remedy."""
    file = tmp_path / "case.yaml"
    file.write_text(f"duration_s: 60\nradio: {{{written}}}\n")
    with pytest.raises(InputError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}:2: {told}")
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_of_an_override_is_told() -> None:
    """The line names the override."""
    with pytest.raises(
        InputError, match=r"^--set radio.preset=nr_20mhz: radio.preset = nr_20mhz: is not one .*nr_20mhz_fr1\?$"
    ):
        given_scenario({}, ["radio.preset=nr_20mhz"])


@pytest.mark.parametrize("name", PRESETS)
def test_the_name_is_no_part_of_the_run_id(name: str) -> None:
    """A scenario that names a preset and one that writes its values out have one run id; another value another one."""
    named, written = (given_scenario({"name": "a", "radio": one}) for one in ({"preset": name}, preset_section(name)))
    assert named.run_id == written.run_id
    assert named.scenario == written.scenario
    changed = given_scenario({"name": "a", "radio": {"preset": name}}, ["radio.noise_figure_db=5.5"])
    assert changed.run_id != named.run_id
    assert len({given_scenario({"radio": {"preset": other}}).run_id for other in PRESETS}) == len(PRESETS)


def test_scenarios_without_a_preset_keep_their_ids() -> None:
    """Nothing of presets is in the identity, and a scenario of before presets has the run id of before."""
    assert identity(Scenario()) == '{"defaults":2,"differs":{}}'
    before = {"name": "a", "radio": {"bandwidth_hz": 20000000, "noise_figure_db": 9}, "seed": 5, "duration_s": 60}
    assert given_scenario(before).run_id == "a-22da9c1ff3f5"


@pytest.mark.parametrize("name", PRESETS)
def test_a_later_preset_alters_no_stored_scenario(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What provenance keeps is read as the same scenario by a version whose preset has other values, or more fields."""
    scenario = Scenario.model_validate({"radio": {"preset": name, "noise_figure_db": Radio().noise_figure_db}})
    text = json.dumps(as_json(scenario))
    before = identity(scenario)
    later = {field: Sourced(value, "later") for field, value in flat(preset_section("lte_20mhz")).items()}
    later |= {
        field: Sourced(float(value) * 2, "later")
        for field, (value, _) in PRESETS[name].values.items()
        if isinstance(value, float)
    }
    later["outage_s"] = Sourced(77.0, "a field that presets had none of")
    monkeypatch.setitem(PRESETS, name, Preset("changed", later))  # type: ignore[arg-type]
    assert radio_of({"preset": name}).outage_s == 77.0
    stored = json.loads(text)
    del stored["radio"]["outage_s"]  # as if the version that wrote it had no such field
    again = Scenario.model_validate_json(json.dumps(stored))
    assert again == scenario
    assert identity(again) == before
    assert again.radio.noise_figure_db == Radio().noise_figure_db


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs(name: str, tmp_path: Path) -> None:
    """A small run of each preset completes tasks, its provenance is of the values, and so is its digest."""
    top = {"preset": name, "noise_figure_db": 4.0, "link": {"kind": "mcs"}}
    plan = {
        "name": "small",
        "duration_s": 4,
        "mobility": {"kind": "synthetic", "vehicles": 8, "length_m": 300, "speed_mps": 10},
        "sites": {"kind": "listed", "sites": [{"name": "a", "x_m": 150, "y_m": 10}]},
        "radio": top,
        "tasks": {"classes": [{"name": "a", "input_bit": 1e5, "output_bit": 1e4, "cycles": 1e8, "deadline_s": 2}]},
        "policy": "nearest",
    }
    loaded = given_scenario(plan)
    result = simulate(loaded, tmp_path / "run")
    assert result.kpis["completed"].value > 0
    stored = json.loads((tmp_path / "run" / "provenance.json").read_text())["scenario"]["radio"]
    assert flat(stored) == flat(json.loads(loaded.scenario.radio.model_dump_json()))
    assert "preset" not in stored
    assert {field: flat(stored)[field] for field in PRESETS[name].values} == {
        field: value for field, (value, _) in PRESETS[name].values.items()
    } | {"noise_figure_db": 4.0}
    with Trace.open(tmp_path / "run") as trace:
        assert trace.scenario == loaded.scenario
    written = given_scenario({**plan, "radio": preset_section(name) | {"noise_figure_db": 4.0}})
    again = simulate(written, tmp_path / "again")
    assert (written.run_id, again.digest) == (loaded.run_id, result.digest)
    assert verify(tmp_path / "run").findings == ()


def test_check_tells_preset_and_changes() -> None:
    """`cosim scenario check` names the preset and the fields that the scenario has otherwise."""
    said = describe_scenario(given_scenario({"radio": {"preset": "lte_10mhz"}}))["radio"]
    assert said == "umi, ofdma, mcs, 10.00 MHz; preset lte_10mhz, changed: nothing"
    said = describe_scenario(
        given_scenario({"radio": {"preset": "lte_10mhz", "bandwidth_hz": 5e6, "path_loss": {"kind": "v2v_urban"}}})
    )["radio"]
    assert said == "v2v_urban, ofdma, mcs, 5.000 MHz; preset lte_10mhz, changed: bandwidth_hz, path_loss.kind"


def test_the_command_shows_what_a_preset_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """`cosim scenario presets` lists them, and with a name every value with its source; an unknown one is one line."""
    assert cli.status(["scenario", "presets"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name} " in shown and preset.title in shown for name, preset in PRESETS.items())
    for name, preset in PRESETS.items():
        assert cli.status(["scenario", "presets", name]) == 0
        shown = capsys.readouterr().out
        for field, (value, source) in preset.values.items():
            assert f"radio.{field} " in shown
            assert plain(value) in shown
            assert source in shown
    assert cli.status(["scenario", "presets", "lte_20"]) == 2
    assert capsys.readouterr().err == "cosim: lte_20: no such preset; did you mean lte_20mhz?\n"


def test_the_page_has_the_values() -> None:
    """The table of docs/scenarios.md has every field of every preset, with its value."""
    text = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    table = {
        cells[0].strip("`"): [cell.strip("` ") for cell in cells[1:]]
        for cells in lines
        if len(cells) == 1 + len(PRESETS)
    }
    fields = dict.fromkeys(field for preset in PRESETS.values() for field in preset.values)
    assert list(table) == list(fields)
    for field, cells in table.items():
        told = [preset.values.get(field) for preset in PRESETS.values()]
        assert cells == [plain(one.value) if one else "-" for one in told], field
