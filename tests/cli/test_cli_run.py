"""`cosim run` writes a run folder that `cosim trace` reads; `cosim map` makes and records."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import main as cli

SCENARIO = """\
name: tiny
duration_s: 20
mobility: {kind: synthetic, vehicles: 20}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}]}
statistics: {batches: 5}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scenario and one finished run."""
    home = tmp_path_factory.mktemp("home")
    (home / "tiny.yaml").write_text(SCENARIO)
    assert cli.status(["run", str(home / "tiny.yaml"), "--out", str(home / "run"), "--no-picture"]) == 0
    return home


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The JSON object that a command prints."""
    capsys.readouterr()
    assert cli.status([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_is_one_object(capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path) -> None:
    """`run --json` prints one object with folder, digest and figures; a pipe gets no progress bar."""
    told = answer(capsys, "run", home / "tiny.yaml", "--out", tmp_path / "run", "--no-picture")
    assert told["folder"] == str(tmp_path / "run")
    assert len(told["digest"]) == 64
    assert told["kpis"]["completed_ratio"]["value"] > 0
    assert told["digest"] == json.loads((home / "run" / "provenance.json").read_text())["digest"]


def test_policy_and_seed_come_from_the_command_line(
    capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--policy, --seed and --set change the run; without --out each run gets a folder of its own under runs/."""
    monkeypatch.chdir(tmp_path)
    command = ("run", home / "tiny.yaml", "--policy", "local", "--seed", "9", "--set", "duration_s=5", "--no-picture")
    first, second = answer(capsys, *command), answer(capsys, *command)
    assert first["folder"].endswith("-local-s9")
    assert second["folder"] == first["folder"] + "-2"
    assert second["digest"] == first["digest"]
    said = json.loads((tmp_path / first["folder"] / "provenance.json").read_text())
    assert (said["policy"], said["seed"], said["scenario"]["duration_s"]) == ("local", 9, 5)


def test_a_taken_folder_is_refused(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A run never writes over another: the status is 2 and the older run stands."""
    before = (home / "run" / "provenance.json").read_bytes()
    assert cli.status(["run", str(home / "tiny.yaml"), "--out", str(home / "run"), "--no-picture"]) == 2
    assert str(home / "run") in capsys.readouterr().err
    assert (home / "run" / "provenance.json").read_bytes() == before


def test_trace_commands_read_the_run(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """summary, task, sql and verify read a run folder, for people and as JSON."""
    run = home / "run"
    summary = answer(capsys, "trace", "summary", run)
    assert summary["complete_to_s"] == 20
    task = answer(capsys, "trace", "task", run, 3)
    assert task["steps"][0]["event"].startswith("released")
    rows = answer(capsys, "trace", "sql", run, "SELECT count(*) AS n FROM task_released")["rows"]
    assert rows == [{"n": summary["kpis"]["released"]["value"]}]
    assert answer(capsys, "trace", "verify", run)["ok"] is True
    for arguments in (["summary", run], ["task", run, 3], ["verify", run], ["sql", run, "SELECT 1 AS one"]):
        assert cli.status(["trace", *map(str, arguments)]) == 0
    assert capsys.readouterr().out.endswith("one\n  1\n")


@pytest.mark.parametrize(
    "arguments", [["task", "123456"], ["task", "-1"], ["sql", "SELECT nothing"], ["sql", "DROP x"]]
)
def test_questions_without_an_answer(capsys: pytest.CaptureFixture[str], home: Path, arguments: list[str]) -> None:
    """No such task, or SQL that is wrong or no SELECT, is one line and status 2."""
    capsys.readouterr()
    assert cli.status(["trace", arguments[0], str(home / "run"), "--", *arguments[1:]]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_verify_ends_with_1_on_a_changed_run(capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path) -> None:
    """A run whose digest does not fit its provenance makes `trace verify` end with 1."""
    changed = tmp_path / "changed"
    subprocess.run(["cp", "-r", str(home / "run"), str(changed)], check=True)
    said = json.loads((changed / "provenance.json").read_text())
    (changed / "provenance.json").write_text(json.dumps({**said, "digest": "0" * 64}))
    assert cli.status(["trace", "verify", str(changed)]) == 1
    assert "digest" in capsys.readouterr().out


def test_traffic_is_recorded(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """`map record` writes a recording, and a scenario that replays it gives the digest of the live run."""
    told = answer(capsys, "map", "record", home / "tiny.yaml", home / "traffic.parquet")
    assert told["rows"] >= 20 * 20
    replay = [
        "--set",
        "mobility={kind: replay, file: traffic.parquet}",
        "--out",
        str(home / "replayed"),
        "--no-picture",
    ]
    digest = answer(capsys, "run", home / "tiny.yaml", *replay)["digest"]
    assert digest == json.loads((home / "run" / "provenance.json").read_text())["digest"]


def test_a_map_is_made_and_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`map make intersection` makes a folder that a scenario can name; `map list` knows SUMO's own maps."""
    made = ["map", "make", "intersection", "--name", "cross", "--vehicles", "5", "--out", str(tmp_path)]
    assert cli.status(made) == 0
    assert (tmp_path / "cross" / "net.net.xml.gz").is_file()
    assert cli.status(made) == 2
    capsys.readouterr()
    assert {"sumo:a10kw", "sumo:berlin"} <= {entry["name"] for entry in answer(capsys, "map", "list")["maps"]}


@pytest.mark.long
def test_interrupted_run_is_readable(home: Path, tmp_path: Path) -> None:
    """Ctrl-C ends a run with 1 and one line; what was committed verifies as a partial run."""
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "cosim.cli.main",
        "run",
        str(home / "tiny.yaml"),
        "--out",
        str(run),
        "--no-picture",
    ]
    long = ["--set", "duration_s=1e6", "--set", "trace.part_s=5", "--set", "mobility.vehicles=50"]
    with subprocess.Popen([*command, *long], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 20
        while not list(run.glob("**/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told.startswith(f"cosim: interrupted; what was written is kept; look at it with `cosim trace summary {run}`")
    assert told.count("\n") == 1
    assert json.loads((run / "provenance.json").read_text())["status"] == "partial"
    assert cli.status(["trace", "verify", str(run)]) == 0


def test_a_run_with_a_rule_imports_no_learning_library(home: Path, tmp_path: Path) -> None:
    """`cosim run` with a rule policy imports neither torch nor PennyLane nor Matplotlib unless it draws."""
    arguments = [
        "run",
        str(home / "tiny.yaml"),
        "--out",
        str(tmp_path / "run"),
        "--no-picture",
        "--set",
        "duration_s=1",
    ]
    code = (
        f"import sys; from cosim.cli import main as cli; assert cli.status({arguments!r}) == 0;"
        "print(sorted({'torch', 'pennylane', 'matplotlib', 'libsumo'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
