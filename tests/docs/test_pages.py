"""The code blocks of README and of the pages in docs/ run as they stand, in order, in one empty folder each."""

import re
import shlex
from pathlib import Path

import pytest

from cosim.cli.main import status
from cosim.scenario.load import load

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


PAGES = [README, *sorted((README.parent / "docs").glob("*.md"))]


def _blocks(page: Path) -> list[tuple[str, str]]:
    return [(language, text) for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_block_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands end with 0, the scenario is accepted and runs, Python runs, and the policy decides a run."""
    monkeypatch.chdir(tmp_path)
    blocks = _blocks(page)
    languages = [language for language, _ in blocks]
    assert languages.count("console") >= 2
    assert languages.count("python") >= 2
    for number, (language, text) in enumerate(blocks):
        if language == "console":
            for line in text.splitlines():
                assert line.startswith("$ cosim "), f"{page.name} shows a command that is not checked: {line}"
                assert status(shlex.split(line)[2:]) == 0, f"{line}: {capsys.readouterr().err}"
        elif language == "yaml":
            name = "crossing" if "name: crossing" in text else f"block{number}"
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
            load(tmp_path / f"{name}.yaml")
            command = ["run", f"{name}.yaml", "--out", f"runs/{name}", "--no-picture"]
            assert status(command) == 0, capsys.readouterr().err
            assert status(["trace", "verify", f"runs/{name}"]) == 0, capsys.readouterr().out
        elif language == "python":
            exec(compile(text, page.name, "exec"), {"__name__": "readme"})  # noqa: S102 - our own pages
            if "class LeastLoaded" in text:
                (tmp_path / "least_loaded.py").write_text(text, encoding="utf-8")
                command = ["run", "crossing.yaml", "--policy", "least_loaded.py:LeastLoaded", "--out", "runs/mine"]
                assert status([*command, "--no-picture"]) == 0, capsys.readouterr().err


def test_the_two_commands_are_in_the_makefile() -> None:
    """What README calls by make is there."""
    targets = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", README.read_text(encoding="utf-8")):
        if target != "grid":  # of `cosim map make grid`
            assert f"\n{target}:" in targets, target


def test_map_of_the_code_names_what_exists() -> None:
    """Each path of the map of the code is there."""
    rows = re.findall(r"^\| (`.*?) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    folder = README.parent
    for row in rows:
        for name in re.findall(r"`([^`]+)`", row):
            assert (folder / name).exists() or (folder / "cosim" / name).exists(), name
