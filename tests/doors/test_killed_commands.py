"""Commands that are ended at any moment: nothing half-made stands under a final name, and the same command works."""

import random
import shutil
import signal
from pathlib import Path

import pytest
from effort import count, seeds
from started_at_once import CommandServer, content

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.locks import LOCK

UNSEALED = "provenance.json: was not finished"
"""What is said of a run that was killed between its last manifest and its last provenance."""


def hidden(folder: Path) -> list[str]:
    """What is hidden below a folder."""
    return sorted(path.name for path in folder.rglob(".*"))


def ended(server: CommandServer, arguments: list[str], whole_s: float, seed: int) -> None:
    """End a command at some moment; what it says of it is one line, and it succeeds only if it was too quick.

    Args:
        server: starts it.
        arguments: its words.
        whole_s: how long it takes when nobody ends it.
        seed: of signal and moment.
    """
    number, status, told = server.ended_early(arguments, whole_s, random.Random(seed))
    if status == 0:
        return
    if number == signal.SIGKILL or not told:  # or so early that nobody listened
        assert status in (-number, 1), told
        return
    assert (status, told.count("\n")) == (1, 1), told
    assert told.startswith("cosim: interrupted"), told


def test_runs(place: Path, server: CommandServer) -> None:
    """What an ended run leaves verifies as a partial run, or is no run and is taken by the next one."""
    words = ["run", "small.yaml", "--no-picture", "--quiet", "--out"]
    whole_s = server.undisturbed_s([*words, "whole"])
    digest = verify(place / "whole").digest
    for seed in seeds(40, least=2):
        run = place / f"run{seed}"
        ended(server, [*words, run.name], whole_s, seed)
        begun = (run / "manifest.json").exists()
        if begun:
            report = verify(run)
            assert report.ok or UNSEALED in "".join(map(str, report.lines)), report.lines
            assert not report.complete or report.digest == digest
            assert not [path for path in run.rglob("*.tmp") if report.complete]
        assert cli.status([*words, run.name]) == (2 if begun else 0)
        if not begun:
            assert verify(run).digest == digest
            assert hidden(run) == []
        shutil.rmtree(run)


def test_imports(place: Path, server: CommandServer) -> None:
    """A map folder is whole or not there; the next import clears what was left hidden."""
    assert cli.status(["map", "make", "intersection", "--name", "town", "--vehicles", "5", "--quiet"]) == 0
    words = ["map", "import", "town/net.net.xml.gz", "--vehicles-per-hour", "300", "--end", "600", "--quiet", "--name"]
    whole_s = server.undisturbed_s([*words, "whole"])
    names = list(content(place / "whole"))
    for seed in seeds(40, least=2):
        made = place / f"made{seed}"
        ended(server, [*words, made.name], whole_s, seed)
        there = made.exists()
        assert not there or list(content(made)) == names
        assert cli.status([*words, made.name]) == (2 if there else 0)
        assert list(content(made)) == names
        if not there:
            assert [name for name in hidden(place) if any(place.glob(f"{name}/{LOCK}"))] == []
        shutil.rmtree(made)


def test_comparisons(place: Path, server: CommandServer) -> None:
    """Every run that stands under its name is complete; the same command ends with the same table."""
    words = ["compare", "small.yaml", "--policies", "local,nearest", "--seeds", "1", "--jobs", "1", "--quiet", "--out"]
    whole_s = server.undisturbed_s([*words, "whole"])
    table = (place / "whole" / "compare.csv").read_bytes()
    for seed in seeds(40, least=2):
        study = place / f"study{seed}"
        ended(server, [*words, study.name], whole_s, seed)
        assert all(verify(run).ok and verify(run).complete for run in study.glob("[!.]*/seed*"))
        assert not (study / "compare.csv").exists() or (study / "compare.csv").read_bytes() == table
        assert cli.status([*words, study.name]) == 0
        assert (study / "compare.csv").read_bytes() == table
        assert (study / "compare.png").read_bytes() == (place / "whole" / "compare.png").read_bytes()
        assert [name for name in hidden(study) if name != ".compare.csv.tmp"] == []
        shutil.rmtree(study)


def test_reports(place: Path, server: CommandServer) -> None:
    """A page is whole or not there; the next report is the same and leaves nothing hidden."""
    assert cli.status(["run", "small.yaml", "--out", "run", "--no-picture", "--quiet"]) == 0
    words = ["report", "run", "--quiet", "--out"]
    whole_s = server.undisturbed_s([*words, "whole.html"])
    page = (place / "whole.html").read_bytes()
    for seed in seeds(40, least=2):
        path = place / f"page{seed}.html"
        ended(server, [*words, path.name], whole_s, seed)
        assert not path.exists() or path.read_bytes() == page
        assert cli.status([*words, path.name]) == 0
        assert path.read_bytes() == page
        assert hidden(place) == []


@pytest.mark.parametrize("moments", [count(12, least=2)])
def test_a_killed_run_is_cleared_by_nobody(place: Path, server: CommandServer, moments: int) -> None:
    """What a killed run has committed is never taken over by another command, whichever."""
    words = ["run", "small.yaml", "--no-picture", "--quiet", "--set", "duration_s=1e5", "--out", "run"]
    for seed in range(moments):
        server.ended_early(words, 2.0, random.Random(f"cleared {seed}"))
        if not (place / "run" / "manifest.json").exists():
            continue
        before = {name: text for name, text in content(place / "run").items() if name != LOCK}
        assert cli.status(words) == 2
        assert cli.status(["compare", "small.yaml", "--policies", "local", "--out", "run", "--quiet"]) == 2
        assert {name: text for name, text in content(place / "run").items() if name != LOCK} == before
        shutil.rmtree(place / "run")
