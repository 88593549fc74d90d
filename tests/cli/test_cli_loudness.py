"""`--quiet` and `--log-level`, before or after the command: what is printed, never what comes out."""

import json
import logging
from pathlib import Path

import pytest

from cosim.cli import main as cli

SCENARIO = """\
name: tiny
duration_s: 3
mobility: {kind: synthetic, vehicles: 5}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}]}
statistics: {batches: 2}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario, and we in it."""
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """What a command that goes well prints on stdout and stderr."""
    capfd.readouterr()
    assert cli.status(arguments) == 0
    return tuple(capfd.readouterr())


RUN = ("run", "tiny.yaml", "--no-picture", "--out")


@pytest.mark.parametrize("first", [True, False])
def test_a_quiet_run_prints_nothing(capfd: pytest.CaptureFixture[str], home: Path, first: bool) -> None:
    """With --quiet on either side of the command a run is written and nothing is printed."""
    command = ("--quiet", *RUN, "run") if first else (*RUN, "run", "--quiet")
    assert printed(capfd, *command) == ("", "")
    assert json.loads((home / "run" / "provenance.json").read_text())["status"] == "complete"
    assert "wall time" in printed(capfd, *RUN, "loud")[0]  # the next command is not quiet


def test_other_commands_that_write_are_quiet(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """So do the others that write files."""
    printed(capfd, *RUN, "run")
    for command in (
        ("report", "run"),
        ("compare", "tiny.yaml", "--policies", "local,random", "--seeds", "1", "--jobs", "1", "--out", "study"),
        ("trace", "export", "run", "--format", "chrome", "--out", "a.json"),
        ("map", "make", "intersection", "--name", "mine", "--vehicles", "3"),
        ("map", "record", "tiny.yaml", "traffic.parquet"),
    ):
        assert printed(capfd, *command, "--quiet") == ("", ""), command
    made = {"run", "study", "a.json", "mine", "traffic.parquet"}
    assert made <= {path.name for path in home.iterdir()}
    assert (home / "run" / "report.html").is_file()


def test_quiet_answers_and_checks(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """What is asked for is printed all the same, JSON too; a check prints only what failed, an error always."""
    told = json.loads(printed(capfd, *RUN, "run", "--json", "--quiet")[0])
    assert printed(capfd, "trace", "sql", "run", "SELECT 1 AS one", "--quiet") == ("one\n  1\n", "")
    assert "completed" in printed(capfd, "--quiet", "trace", "summary", "run")[0]
    assert printed(capfd, "trace", "verify", "run", "--quiet") == ("", "")
    said = json.loads((home / "run" / "provenance.json").read_text())
    assert said["digest"] == told["digest"]
    (home / "run" / "provenance.json").write_text(json.dumps({**said, "digest": "0" * 64}))
    assert cli.status(["trace", "verify", "run", "--quiet"]) == 1
    assert "digest" in capfd.readouterr().out
    assert cli.status(["run", "gone.yaml", "--quiet"]) == 2
    assert capfd.readouterr().err.startswith("cosim: gone.yaml: no such file")


def test_log_lines_go_to_stderr_only(
    capfd: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Levels show more and more lines, by option or environment; result, digest and stdout are those without them."""
    plain, silent = printed(capfd, *RUN, "plain", "--json")
    assert silent == ""
    found = {}
    for level in ("warning", "info", "debug"):
        out, found[level] = printed(capfd, *RUN, level, "--json", "--log-level", level)
        assert json.loads(out)["digest"] == json.loads(plain)["digest"]
    assert found["warning"] == ""
    assert "INFO cosim.runner: run tiny-" in found["info"]
    assert "INFO cosim.runner: run tiny-" in found["debug"]
    assert "DEBUG" not in found["info"]
    assert "DEBUG cosim.trace.store.writer: debug: " in found["debug"]
    assert {path.name for path in home.iterdir()} == {"tiny.yaml", "plain", "warning", "info", "debug"}
    monkeypatch.setenv("COSIM_LOG", "info")
    assert "INFO cosim.runner: " in printed(capfd, *RUN, "named")[1]
    assert printed(capfd, *RUN, "both", "--log-level", "warning")[1] == ""
    monkeypatch.setenv("COSIM_LOG", "loud")
    assert cli.status(["scenario", "list"]) == 2
    assert "'loud'" in capfd.readouterr().err
    assert logging.getLogger("cosim").handlers == []


def test_jobs_tell_when_they_begin_and_end(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """A comparison's runs are logged by name with the time that they took."""
    compare = ("compare", "tiny.yaml", "--policies", "local,random", "--seeds", "1", "--jobs", "1", "--out", "study")
    told = printed(capfd, "--log-level", "info", *compare)[1]
    for name in ("local", "random"):
        assert f"INFO cosim.experiments.jobs: {name} seed 1 begins\n" in told
        assert f"INFO cosim.experiments.jobs: {name} seed 1 ends after " in told
    assert "INFO cosim.report.picture.style: study/compare.png is drawn" in told
    assert home.joinpath("study", "compare.csv").is_file()
