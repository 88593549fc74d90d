"""Texts of brackets, 200 KB of them, are refused at once and in one line, wherever a text comes in."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from cosim.audit.ledger_proofs import read_proof
from cosim.cli import main as cli
from cosim.cli.arguments import key_values
from cosim.data_text import MAX_DEPTH, json_data, toml_data
from cosim.errors import InputError
from cosim.etsi014.access import read_tokens
from cosim.mobility.catalog import resolve_map
from cosim.roads.siting import place_sites
from cosim.scenario.document import parse
from cosim.scenario.load import load
from cosim.scenario.traffic import MapSites

SIZE: Final = 200_000
BOMBS: Final = {
    "open": "[" * SIZE,
    "closed": "[" * (SIZE // 2) + "]" * (SIZE // 2),
    "mappings": "{" * SIZE,
    "mixed": "[{" * (SIZE // 2),
    "named": "{a: " * (SIZE // 4),
    "lines": "[\n" * (SIZE // 2),
    "dashes": "- " * (SIZE // 2),
    "keys": "? " * (SIZE // 2),
    "after a value": "a: '['\nb: " + "[" * SIZE,
}
WAYS: Final[dict[str, Callable[[Path, str], object]]] = {
    "scenario": lambda path, _: load(path),
    "override": lambda _, text: load("per_task", [f"radio={text}"]),
    "option": lambda _, text: key_values([f"a={text}"], "--option", "a=1"),
    "sites": lambda path, _: place_sites(MapSites(kind="map"), None, (0.0, 0.0, 1.0, 1.0), path),
    "tokens": lambda path, _: read_tokens(path, ["a"]),
    "proof": lambda path, _: read_proof(path),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(tmp_path: Path, way: str, name: str) -> None:
    """Every way in refuses every bomb in less than a second of processor time, in one line."""
    path = tmp_path / "text.yaml"
    path.write_text(BOMBS[name], encoding="utf-8")
    path.chmod(0o600)
    started_s = time.process_time()
    with pytest.raises(InputError) as caught:
        WAYS[way](path, BOMBS[name])
    assert time.process_time() - started_s < 1.0
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_brackets_in_text_are_no_depth() -> None:
    """Brackets in quotes, comments and plain text do not count, and lists one after another are as deep as one."""
    many = "[" * 100
    text = f'a: "{many}" # {many}\nb: x{many}\nc: [{"[1], " * 100}]\n'
    assert parse(text, "f").data == {"a": many, "b": f"x{many}", "c": [[1]] * 100}
    deepest = "[" * 31 + "]" * 31
    assert parse(f"a: {deepest}", "f").data["a"] == json_data(deepest)
    with pytest.raises(InputError, match="nested too deep; write at most 32 levels"):
        parse("[" * 33 + "]" * 33, "f")


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * SIZE,
        "a = " + "{a=" * (SIZE // 3),
        "a" + ".a" * (SIZE // 2) + " = 1",
        '["a"' + ' . "a"' * SIZE + "]",
    ],
)
def test_a_map_folder_with_deep_toml(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE.toml of a map folder that is nested deep is refused at once; so are dotted keys of thousands of parts."""
    home = tmp_path / "town"
    home.mkdir()
    (home / "net.net.xml").write_text("<net/>")
    (home / "rou.xml").write_text("<routes/>")
    (home / "SOURCE.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    started_s = time.process_time()
    with pytest.raises(InputError, match=rf"SOURCE\.toml: broken TOML, is nested deeper than {MAX_DEPTH} levels"):
        resolve_map("town", tmp_path)
    assert time.process_time() - started_s < 1.0


@pytest.mark.parametrize("text", ["a" * SIZE + " = 1", "a . " * 60 + "a = 1", "a = '" + "b." * 60 + "'"])
def test_toml_that_is_not_deep(text: str) -> None:
    """Long keys, and as many dots as may be, are read."""
    assert toml_data(text)


def test_a_deep_proof_at_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ledger check` of a proof that is nested thousands deep ends with 2 and one line."""
    (tmp_path / "proof.json").write_text('{"record": ' * 5_000 + "1" + "}" * 5_000)
    assert cli.status(["ledger", "check", str(tmp_path / "proof.json"), "--hash", "0" * 64]) == 2
    assert capsys.readouterr().err == (
        f"cosim: {tmp_path / 'proof.json'}: is no proof; give the file of `cosim ledger prove --out`\n"
    )
