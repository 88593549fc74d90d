"""A scenario file becomes a checked scenario, or one line that names file, line, field, value and remedy."""

import json
from pathlib import Path

import pytest
from rich_scenario import RICH

from cosim.errors import InputError
from cosim.scenario.load import describe_scenario, json_schema, load
from cosim.scenario.schema import Scenario


def refusal(tmp_path: Path, text: str | bytes, *overrides: str) -> str:
    """The one-line error of a file, without the folder."""
    path = tmp_path / "case.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError) as caught:
        load(path, overrides)
    message = str(caught.value)
    assert message.isprintable()
    return message.replace(f"{tmp_path}/", "")


def test_a_rich_file_loads(tmp_path: Path) -> None:
    """Values arrive as written: YAML 1.2 numbers, text, lists, null, and the defaults for the rest."""
    (tmp_path / "rich.yaml").write_text(RICH)
    loaded = load(tmp_path / "rich.yaml")
    assert loaded.folder == tmp_path
    assert loaded.scenario.radio.bandwidth_hz == 20e6
    assert loaded.scenario.radio.max_efficiency_bps_hz is None
    assert loaded.scenario.tasks.classes[1].vehicle_types == ("bus",)
    assert loaded.scenario.backhaul.bandwidth_bps == Scenario().backhaul.bandwidth_bps
    assert describe_scenario(loaded)["run id"] == loaded.run_id


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: a\nradio:\n  bandwidth_hz: -5\n",
            "case.yaml:3: radio.bandwidth_hz = -5: must be greater than 0; use a larger value",
        ),
        ("radio:\n  bandwith_hz: 5\n", "case.yaml:2: radio.bandwith_hz: is an unknown key; did you mean bandwidth_hz?"),
        ("statistics: {x: 1}\n", "case.yaml:1: statistics.x: is an unknown key; known: batches, confidence, warmup_s"),
        (
            "mobility:\n  kind: libsum\n",
            "case.yaml:1: mobility.kind = libsum: is unknown; did you mean libsumo?",
        ),
        (
            "mobility: {step_s: 1}\n",
            "case.yaml:1: mobility: has no kind; add kind: with one of libsumo, traci, replay, synthetic",
        ),
        (
            "compute:\n  vehicle:\n    core_hz: {kind: uniform, low: 1, high: fast}\n",
            (
                "case.yaml:3: compute.vehicle.core_hz.high = fast: must be a number, "
                "not text or a truth value; write it plainly"
            ),
        ),
        (
            "tasks:\n  classes:\n    - deadline_s: 1\n",
            "case.yaml:3: tasks.classes.0.name: is missing; add it",
        ),
        (
            "tasks:\n  classes:\n    - name: a\n      deadline_s: 0\n",
            "case.yaml:3: tasks.classes.0: deadline_s can be 0; give it a positive value",
        ),
        ("seed: 1.5\n", "case.yaml:1: seed = 1.5: must be a whole number; round it"),
        (
            "radio: {bandwidth_hz: 1e300}\n",
            (
                "case.yaml:1: radio.bandwidth_hz = 1e+300: must be 0 or between 1e-30 and 1e18 in size; "
                "choose such a value or check the unit"
            ),
        ),
        (
            "compute:\n  vehicle: {core_hz: {kind: uniform, low: 0, high: 1}}\n",
            "case.yaml:2: compute.vehicle: core_hz can be 0; give it a positive value",
        ),
        ("radio: [1]\n", "case.yaml:1: radio: must be a mapping; write keys and values below it"),
        ("tasks: {classes: {name: a}}\n", "case.yaml:1: tasks.classes: must be a list; write a list"),
        ("tasks: {classes: []}\n", "case.yaml:1: tasks.classes: must have at least 1 item, not 0; add an item"),
        (
            "radio: {handover: {transfer: restrt}}\n",
            "case.yaml:1: radio.handover.transfer = restrt: is not one of the choices; did you mean restart?",
        ),
        (
            "duration_s: -1\nseed: -1\nname: ''\n",
            "case.yaml:1: duration_s = -1: must be greater than 0; use a larger value (and 2 more)",
        ),
        (
            "statistics: {warmup_s: 1000}\n",
            "case.yaml: statistics.warmup_s=1000 leaves nothing of duration_s=600; lower it",
        ),
    ],
)
def test_an_impossible_scenario_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    """An error names file, line, field, value and remedy, and counts the others."""
    assert refusal(tmp_path, text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("- 1\n", "case.yaml:1: is not a mapping"),
        ("just words\n", "case.yaml:1: is not a mapping"),
        ("name: [1,\nseed: }\n", "case.yaml:2: is not valid YAML"),
        ("name: a: b\n", "case.yaml:1: is not valid YAML"),
        ("seed: 1\nname: x\nname: y\n", "case.yaml:3: name: is given twice"),
        ("radio: {x: 1, x: 2}\n", "radio.x: is given twice"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML"),
        ("duration_s: .nan\n", "duration_s: .nan is not a finite number"),
        ("duration_s: 1e999\n", "duration_s: 1e999 is not a finite number"),
        ("policy: {name: local, options: {x: -.inf}}\n", "policy.options.x: -.inf is not a finite number"),
        (f"seed: 1{'0' * 5000}\n", "is not a finite number"),
        ("5: 1\n", "the key 5 is not text"),
        ("? [a]\n: 1\n", "is not text"),
        ("<<: {seed: 1}\n", "merge keys"),
        ("name: !!python/object:os.system x\n", "is not supported"),
        ("name: !!set {a}\n", "is not supported"),
        ("[" * 2000, "nested too deep"),
        ("a: " + "{a: " * 40 + "1" + "}" * 40, "nested too deep"),
        ("a: &a [*a]\n", "nested too deep"),
        (b"\xff\xfe\x00\x01", "is not UTF-8 text"),
        (b"name: a\x00b\n", "is not valid YAML"),
        (b"seed: 1\nname: \xff\n", "case.yaml:2: is not UTF-8 text"),
        (b"#" * 4_000_001, "4000001 bytes"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    """Whatever the bytes are, the answer is one line."""
    assert told in refusal(tmp_path, text)


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    """Ten lines that expand to a billion values are refused before they fill the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "use fewer aliases" in refusal(tmp_path, "\n".join(lines))


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a missing file, a name with a typo and a device are each told apart in one line."""
    (tmp_path / "scenarios" / "faults").mkdir(parents=True)
    (tmp_path / "scenarios" / "quickstart.yaml").write_text("seed: 1\n")
    (tmp_path / "scenarios" / "faults" / "dark.yaml").write_text("seed: 2\n")
    monkeypatch.setattr("cosim.scenario.load.bundled", lambda folder: tmp_path / folder)
    assert load("quickstart").scenario.seed == 1
    assert load("faults/dark").scenario.seed == 2
    for name, told in [
        (str(tmp_path), "is a folder"),
        ("quickstrat", "no such file or bundled scenario; did you mean quickstart?"),
        (f"{tmp_path}/none.yaml", "known: faults/dark, quickstart"),
        ("/dev/null", "not a regular file"),
        ("a\0b", "no such file"),
        ("x" * 5000, "check the path"),
    ]:
        with pytest.raises(InputError) as caught:
            load(name)
        assert told in str(caught.value)
        assert str(caught.value).isprintable()


def test_json_schema_accepts_what_load_accepts() -> None:
    """The schema for editors is JSON, closed against unknown keys, and knows the short form of a policy."""
    schema = json.loads(json_schema())
    assert schema["additionalProperties"] is False
    assert {"type": "string", "minLength": 1} in schema["properties"]["policy"]["anyOf"]
    assert "bandwidth_hz" in schema["$defs"]["Radio"]["properties"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('name: "\\ud800\\udc00"\nduration_s: 5\n', ":1: name: "),
        ('duration_s: 5\nenergy: {vehicle_budget_j: "\\udfff"}\n', ":2: energy.vehicle_budget_j: "),
        ('tasks:\n  arrivals: {kind: poisson, rate_per_s: 1, type_factor: {"\\ud800": 1}}\n', ":2: tasks.arrivals"),
    ],
)
def test_halves_of_characters(tmp_path: Path, text: str, place: str) -> None:
    """Surrogates, which YAML lets be escaped and no file can hold, are refused with file, line and field."""
    path = tmp_path / "half.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="has half of a character") as failed:
        load(path)
    assert place in str(failed.value)
    assert str(failed.value).isprintable()
