"""What `--json` prints is described: each command's keys, no more and no less (cosim/cli/answers.py)."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import main as cli
from cosim.cli.answers import ANSWERS, answer_rows
from cosim.etsi014 import serving
from cosim.experiments.papers import registry
from cosim.experiments.papers.registry import PaperEntry

SCENARIO = """\
name: tiny
duration_s: 8
mobility: {kind: synthetic, vehicles: 10}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}, {name: c, x_m: 900, y_m: 20}]}
statistics: {batches: 2}
tasks: {classes: [{name: hard, deadline_s: 0.3}]}
"""
SECURED = """\
keys:
  rate: {kind: decoy_bb84}
  topology: {shape: ring}
ledger:
  block: {interval_s: 2}
"""
LONG = {"train", "circuit show"}
"""Commands whose libraries take seconds to import."""


def paths(value: Any, at: str = "") -> Iterator[str]:
    """Every leaf of a JSON value: keys after dots, `[]` for the elements of a list, also of an empty one."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from paths(item, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        yield from (path for item in value for path in paths(item, f"{at}[]"))
        if not value:
            yield f"{at}[]"
    else:
        yield at


def fits(described: str, path: str) -> bool:
    """A path is of a described key: `*` is a name that depends on the run, `**` whatever lies below.

    What is null, or empty, in all answers stands for the keys below it.
    """
    pattern = re.escape(described).replace(r"\*\*", ".+").replace(r"\*", r"[^\[\]]+?")
    return re.fullmatch(pattern, path) is not None or described.startswith((f"{path}.", f"{path}["))


def fullest(found: set[str]) -> set[str]:
    """Without what is null or empty in one answer and not in another."""
    return {path for path in found if not any(other.startswith((f"{path}.", f"{path}[")) for other in found)}


class Home:
    """A folder in which commands run, with what they need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cache  # noqa: B019 - there is one of it
    def file(self, secured: bool = False) -> str:
        """A scenario."""
        name = "secured.yaml" if secured else "tiny.yaml"
        (self.folder / name).write_text(SCENARIO + (SECURED if secured else ""))
        return name

    @cache  # noqa: B019
    def run(self, name: str, *more: str) -> str:
        """A run folder."""
        file = self.file(name == "secured")
        assert cli.status(["run", file, "--out", name, "--no-picture", "--quiet", *more]) == 0
        return name

    @cache  # noqa: B019
    def broken(self) -> str:
        """A run whose digest and a block's hash are not what was written."""
        run = self.folder / self.run("broken", "--set", "duration_s=3")
        said = json.loads((run / "provenance.json").read_text())
        (run / "provenance.json").write_text(json.dumps({**said, "digest": "0" * 64}))
        return str(run)

    @cache  # noqa: B019
    def map(self) -> str:
        """A map folder."""
        assert cli.status(["map", "make", "intersection", "--name", "mine", "--vehicles", "3", "--quiet"]) == 0
        return "./mine"

    def recording(self) -> str:
        """Recorded traffic, as SUMO writes it."""
        head = "timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_speed;vehicle_angle"
        rows = [f"{time_s}.00;car;{10 * time_s}.00;5.00;10.00;90.00" for time_s in range(5)]
        (self.folder / "fcd.csv").write_text("\n".join([head, *rows, ""]))
        return "fcd.csv"

    @cache  # noqa: B019
    def proof(self) -> tuple[str, str]:
        """A proof's file and the hash of its block."""
        run = self.run("secured")
        assert cli.status(["ledger", "prove", run, "--record", "a", "0", "--out", "proof.json", "--quiet"]) == 0
        return "proof.json", json.loads((self.folder / "proof.json").read_text())["block_hash"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A folder, and we in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.chdir(folder)
        yield Home(folder)


SHORT = ("--seeds", "1", "--jobs", "1", "--set", "duration_s=3")
TRAIN = ("--epochs", "2", "--option", "feature_epochs=2", "--option", "warmup_epochs=1")
CALLS: Mapping[str, Callable[[Home], list[Sequence[str]]]] = {
    "run": lambda home: [(home.file(), "--out", "again", "--set", "duration_s=3")],
    "fork": lambda home: [(home.run("plain"), "--at", "2", "--policy", "local", "--out", "forked")],
    "doctor": lambda _: [()],
    "report": lambda home: [(home.run("run"),)],
    "train": lambda home: [(home.file(), "--agent", "ddpg", "--seeds", "1", "--episodes", "1", *TRAIN, "--out", "new")],
    "evaluate": lambda home: [(home.file(), "--policy", "local", *SHORT)],
    "compare": lambda home: [(home.file(), "--policies", "local,random", *SHORT, "--out", "study")],
    "paper": lambda _: [(), ("T1", "--quick", "--seeds", "1", "--jobs", "1")],
    "trace summary": lambda home: [(home.run("run"),)],
    "trace task": lambda home: [(home.run("secured"), task) for task in ("0", "3", "10")],
    "trace late": lambda home: [(home.run("run"),)],
    "trace diff": lambda home: [(home.run("run"), home.run("local", "--policy", "local"))],
    "trace schema": lambda _: [()],
    "trace sql": lambda home: [(home.run("run"), "SELECT task, status FROM task_ended LIMIT 2")],
    "trace verify": lambda home: [(home.run("run"),), (home.broken(),)],
    "ledger show": lambda home: [(home.run("secured"),)],
    "ledger verify": lambda home: [(home.run("secured"),)],
    "ledger check": lambda home: [(home.proof()[0], "--hash", block) for block in (home.proof()[1], "0" * 64)],
    "map list": lambda _: [()],
    "map show": lambda home: [(home.map(),)],
    "map import": lambda home: [(home.recording(), "--name", "imported")],
    "map sites": lambda home: [
        (home.map(), *["--count", "2", "--method", "grid", "--seconds", "1", "--out", "sites.yaml"])
    ],
    "map record": lambda home: [(home.file(), "other.parquet")],
    "scenario list": lambda _: [()],
    "scenario check": lambda home: [(home.file(),)],
    "scenario presets": lambda _: [(), ("nr_20mhz_fr1",)],
    "twin score": lambda home: [(home.file(), "--horizons", "1", "--seconds", "5")],
    "twin gap": lambda _: [("paper", "--count", "2", "--set", "places=3")],
    "kms serve": lambda _: [("qib_vec",)],
    "circuit show": lambda _: [("zz", "--qubits", "2")],
}
"""Calls of each command that show all its keys together."""


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in ANSWERS]
)
def test_json_has_the_described_keys(
    command: str, home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every key that a command prints with --json is described, and every described key is printed."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "papers")
    monkeypatch.setattr(registry, "PAPERS", {**registry.PAPERS, "T1": PaperEntry("a made-up one", "tiny_paper")})
    monkeypatch.setattr(serving, "serve_keys", lambda *given: given[-2]("http://here", ("a", "b"), Path("tokens.yaml")))
    found: set[str] = set()
    for arguments in CALLS[command](home):
        capsys.readouterr()
        assert cli.status([*command.split(), *arguments, "--json"]) in (0, 1)
        found.update(paths(json.loads(capsys.readouterr().out)))
    described, found = [one.key for one in ANSWERS[command]], fullest(found)
    assert sorted(path for path in found if not any(fits(key, path) for key in described)) == []
    assert [key for key in described if not any(fits(key, path) for path in found)] == []


def test_every_command_with_json_is_described() -> None:
    """The description has a section for each command that takes --json, and no other."""
    taking = set()
    for group, app in {"": cli.app, **cli.GROUPS}.items():
        for name, info in app.commands(group).items():
            if "json" in info.callback.__annotations__:
                taking.add(name)
    assert set(ANSWERS) == taking


def test_descriptions_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of command, key, unit and meaning for a reference; the help of a command names its keys."""
    rows = list(answer_rows())
    assert (
        "trace summary",
        "kpis.*.value",
        "kpis.*.unit",
        "the figure; names as in `cosim trace summary --all`",
    ) in rows
    assert len(set(rows)) == len(rows)
    assert all(row.meaning and len({*row}) for row in rows)
    assert cli.status(["trace", "diff", "--help"]) == 0
    assert "Keys of --json: tasks, done, latency, completed, " in " ".join(capsys.readouterr().out.split())
