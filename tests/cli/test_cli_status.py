"""The command line ends with 0, 1 or 2, and an expected failure is one line on stderr."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cosim import __version__
from cosim.cli import main as cli
from cosim.errors import InputError, RunError


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Status and the only line on stderr."""
    status = cli.status(arguments)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("cosim: ")
    return status, printed.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run"], "Missing argument 'SCENARIO'"),
        (["fly"], "No such command 'fly'"),
        (["run", "--sede", "3", "x"], "No such option"),
        (["run", "none.yaml"], "none.yaml: no such file or bundled scenario"),
        (["scenario", "check", "none.yaml"], "none.yaml: no such file or bundled scenario"),
        (["trace", "summary", "nowhere"], "nowhere: not a run folder"),
        (["trace", "verify", "nowhere"], "nowhere: not a run folder"),
        (["trace", "task", "nowhere", "x"], "Invalid value"),
    ],
)
def test_bad_input_is_2_and_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """Wrong arguments and missing files end with 2 and one line."""
    status, line = refused(capsys, *arguments)
    assert status == 2
    assert told in line


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (
            InputError("seed = -1: must not be negative; raise it"),
            2,
            "cosim: seed = -1: must not be negative; raise it",
        ),
        (RunError("SUMO was killed at t = 3 s"), 1, "cosim: SUMO was killed at t = 3 s"),
        (KeyboardInterrupt(), 1, "cosim: interrupted; what was written is kept"),
        (OSError(28, "No space left on device", "runs/x"), 1, "cosim: runs/x: no space left on device; make room"),
    ],
)
def test_failures_have_a_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, told: str
) -> None:
    """Bad input ends with 2; a broken run, a full disk and Ctrl-C end with 1; each is one line."""

    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("cosim.scenario.load.json_schema", broken)
    found, line = refused(capsys, "scenario", "schema")
    assert found == status
    assert line.startswith(told)


def test_a_fault_of_cosim_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody expected comes out with its traceback."""

    def broken() -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("cosim.scenario.load.json_schema", broken)
    with pytest.raises(ZeroDivisionError):
        cli.status(["scenario", "schema"])


def test_version_and_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version, `scenario schema` a JSON Schema; both end with 0."""
    assert cli.status(["--version"]) == 0
    assert capsys.readouterr().out == f"cosim {__version__}\n"
    assert cli.status(["scenario", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Scenario"


def test_help_imports_little() -> None:
    """`cosim --help` is quick because it imports no model, no SUMO, no table and no learning library."""
    code = (
        "import sys; from cosim.cli import main as cli; assert cli.status(['--help']) == 0;"
        "heavy = {'numpy', 'scipy', 'pandas', 'pyarrow', 'duckdb', 'pydantic', 'simpy', 'libsumo', 'traci', 'sumolib',"
        "         'matplotlib', 'networkx', 'torch', 'pennylane'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_system_without_file_locks_is_told() -> None:
    """Where Python has no fcntl, as on Windows, each command ends with 2 and one line that names the remedy."""
    commands = [["run", "intersection"], ["train", "intersection"], ["doctor"], ["paper", "list"]]
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "from cosim.cli import main\n"
        f"print([main.status(command) for command in {commands}])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == f"{[2] * len(commands)}\n"
    lines = ended.stderr.splitlines()
    assert len(lines) == len(commands)
    assert all(line.startswith("cosim: this system") and "on Windows inside WSL" in line for line in lines)


def test_a_closed_pipe_is_quiet() -> None:
    """A reader that goes away, as `head` does, leaves no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "cosim.cli.main", "scenario", "schema"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr == ""


def test_check_names_map_and_policy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`scenario check` looks at the map and the policy too, without running anything."""
    path = tmp_path / "case.yaml"
    path.write_text("name: a\nmobility: {kind: synthetic}\nsites: {kind: grid, spacing_m: 500}\npolicy: local\n")
    assert cli.status(["scenario", "check", str(path)]) == 0
    assert "straight roads" in capsys.readouterr().out
    assert cli.status(["scenario", "check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scenario"]["policy"]["name"] == "local"
    status, line = refused(capsys, "scenario", "check", str(path), "--set", "policy=locla")
    assert (status, "did you mean local?" in line) == (2, True)
    status, line = refused(
        capsys, "scenario", "check", str(path), "--set", "mobility={kind: libsumo}", "--set", "map=atlantis"
    )
    assert (status, "map=atlantis: no such map" in line) == (2, True)


def test_doctor_says_what_is_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` ends with 0 on a good machine, with 1 and the fix where a check fails."""
    assert cli.status(["doctor"]) == 0
    good = capsys.readouterr().out
    assert "FAIL" not in good
    assert "SUMO" in good
    monkeypatch.setattr("cosim.validation.doctor.OLDEST_ARROW", 1000)
    assert cli.status(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [check["fix"] for check in told["checks"] if not check["ok"]] == [
        "pip install 'pyarrow>=1000' (for libsumo beside it)"
    ]
