"""A paper is its folder and a line of the registry: made, listed and refused without a change elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cosim.cli.main import status
from cosim.experiments.papers import registry
from cosim.experiments.papers.registry import PaperEntry
from cosim.experiments.papers.report import write_results


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, we in it, and a second paper known."""
    monkeypatch.setattr(registry, "PAPERS", {**registry.PAPERS, "T1": PaperEntry("a made-up one", "tiny_paper")})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_made_up_paper(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its figure, table, claims and provenance stand in folders of its name; what is measured is not measured again."""
    assert status(["paper", "t1", "--quick", "--jobs", "1"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("paper T1, QUICK run, 2 seeds; 0 trainings and 4 measurements\n")
    out = home / "results" / "papers" / "t1-quick"
    assert sorted(path.name for path in out.iterdir()) == ["claims.csv", "fig2.csv", "lengths.csv", "provenance.json"]
    assert len(list((home / "runs" / "papers" / "t1-quick").rglob("piece.json"))) == 4
    assert (out / "lengths.csv").read_text() == "seconds,run\n10,QUICK\n"
    assert (out / "claims.csv").read_text().splitlines()[1].endswith(",2,0,2,yes,QUICK")
    stored = json.loads((out / "provenance.json").read_text())
    assert (stored["paper"], stored["run"], stored["roll_out_s"]) == ("T1", "QUICK", 10.0)
    assert (stored["figures"]["fig2"]["seeds_of_measurement"], stored["figures"]["lengths"]["trained_on"]) == (
        [1, 2],
        {},
    )
    assert status(["paper", "T1", "--quick", "--figure", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    names = [str(Path("results/papers/t1-quick") / name) for name in ("fig2.csv", "claims.csv")]
    assert (answer["paper"], answer["files"], answer["claims"][0]["holds"]) == ("T1", names, "yes")
    assert status(["paper", "T1", "--quick"]) == 0
    assert "0 trainings and 0 measurements" in capsys.readouterr().out


def test_refusals_name_the_paper(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A figure that it lacks, fewer seeds than its results have, a paper that is not known: one line with 2."""
    assert status(["paper", "T1", "--figure", "3"]) == 2
    assert capsys.readouterr().err == "cosim: --figure 3: paper T1 has results in figures 2\n"
    assert status(["paper", "T2"]) == 2
    assert capsys.readouterr().err == "cosim: T2: no such paper; use S1, T1\n"
    assert not list(home.iterdir())
    stored = home / "results" / "papers" / "t1-quick"
    stored.mkdir(parents=True)
    figures = {"fig2": {"seeds_of_measurement": [1, 2], "seeds_of_training": []}}
    write_results(stored, {"paper": "T1", "run": "QUICK", "figures": figures})
    assert status(["paper", "T1", "--quick", "--seeds", "1"]) == 2
    assert "holds results of 2 seeds, these are of 1; give another --out" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_papers_share_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """The results of one paper are not merged into those of another that stand in the same folder."""
    Path("shared").mkdir()
    write_results(Path("shared"), {"paper": "S1", "run": "QUICK"})
    assert status(["paper", "T1", "--quick", "--jobs", "1", "--out", "shared"]) == 2
    assert capsys.readouterr().err == "cosim: shared: holds results of paper S1, these are of T1; give another --out\n"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "options",
    [
        ["--quick"],
        ["--figure", "99"],
        ["--out", "a"],
        ["--work", "a"],
        ["--seeds", "2"],
        ["--jobs", "1"],
        ["--quick", "--json"],
    ],
)
def test_options_need_a_paper(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An option of an experiment without the paper's name is bad input, and no list."""
    assert status(["paper", *options]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "cosim: name a paper: S1, T1\n")


def test_the_help_is_that_of_any_paper(capsys: pytest.CaptureFixture[str]) -> None:
    """Options tell folders and numbers of whichever paper is named."""
    assert status(["paper", "--help"]) == 0
    options = capsys.readouterr().out.partition("cosim paper S1")[0]
    assert "s1" not in options
    assert "10, or 2" not in options


@pytest.mark.usefixtures("home")
def test_papers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """`cosim paper` has a line for each paper."""
    assert status(["paper"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["paper", "S1", "T1"]
    assert "a made-up one" in lines[2]
    assert status(["paper", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["papers"]["T1"] == "a made-up one"


def test_listing_imports_nothing_slow() -> None:
    """Neither the list nor the help, which has it too, imports a paper, NumPy or torch."""
    code = (
        "import sys; from cosim.cli import main as cli; assert cli.status(['paper']) == 0;"
        "assert cli.status(['paper', '--help']) == 0;"
        "print(sorted({'torch', 'numpy', 'cosim.experiments.papers.s1'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
    assert f"S1: {registry.PAPERS['S1'].subject}" in ended.stdout


def test_papers_have_the_names_of_their_lines() -> None:
    """Each line's module is the paper of that name."""
    for name, entry in registry.PAPERS.items():
        chosen = registry.import_paper(entry)
        assert chosen.name == name
        assert (chosen.full.run, chosen.quick.run) == ("full", "QUICK")
