"""The run id is a name and a hash of the content, whatever the spelling."""

from pathlib import Path

import pytest

from cosim.scenario.load import load

PLAIN = "name: a\nseed: 5\nduration_s: 60\nradio: {bandwidth_hz: 20000000, noise_figure_db: 9}\n"


def run_id(tmp_path: Path, text: str, *overrides: str) -> str:
    path = tmp_path / "one.yaml"
    path.write_text(text)
    return load(path, overrides).run_id


@pytest.mark.parametrize(
    "other",
    [
        "# a comment\nradio: {noise_figure_db: 9.0, bandwidth_hz: 20e6}\nduration_s: 60.0\nseed: 5\nname: a\n",
        PLAIN + "policy: greedy-latency\n",
        PLAIN + "policy: {name: greedy-latency, options: {}}\nbackhaul: {bandwidth_bps: 1e9}\n",
        '{"name": "a", "seed": 5, "duration_s": 60, "radio": {"bandwidth_hz": 2e7}}',
    ],
)
def test_spelling_does_not_matter(tmp_path: Path, other: str) -> None:
    """Key order, comments, 5 against 5.0, defaults written out and JSON give the same run id."""
    assert run_id(tmp_path, other) == run_id(tmp_path, PLAIN)


def test_content_matters(tmp_path: Path) -> None:
    """Every changed value gives another run id; an override equals the same value in the file."""
    changed = [
        run_id(tmp_path, PLAIN, override) for override in ("seed=6", "duration_s=61", "policy=local", "cloud={}")
    ]
    assert len({run_id(tmp_path, PLAIN), *changed}) == 5
    assert changed[0] == run_id(tmp_path, PLAIN.replace("seed: 5", "seed: 6"))


def test_the_id_is_a_safe_folder_name(tmp_path: Path) -> None:
    """A name with slashes, spaces and other letters still gives one short folder name."""
    folder = run_id(tmp_path, PLAIN, "name=../a b/ü" + "x" * 150)
    assert folder.startswith("---a-b--x")
    assert len(folder) == 60 + 13
