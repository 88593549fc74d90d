"""Sections of installed packages: found by entry point, refused in one line, and gone without harm."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import cosim_agents
import pytest

import cosim
from cosim import subjects
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.scenario.load import json_schema, load
from cosim.trace.store.writer import TraceWriter

PACKAGE = Path(__file__).parents[2] / "examples" / "own_part"
SCENARIO = PACKAGE / "zones.yaml"
Declare = Callable[..., None]

KIND_TWICE = """
from dataclasses import dataclass
from cosim.subjects import Subject
@dataclass(frozen=True)
class ZoneCounted:
    time_s: float
FACTS = (ZoneCounted,)
SUBJECT = Subject(name="others", facts="others:FACTS", section="cosim_zones.section:Zones", part="x:y")
"""
NO_SECTION = """
from cosim.subjects import Subject
SUBJECT = Subject(name="others", section="fractions:Fraction", part="x:y")
OWN = Subject(name="radio", section="cosim_zones.section:Zones", part="x:y")
LAME = Subject(name="others")
NOTHING = 3
ONE = Subject(name="others", facts="cosim_zones.facts:ZoneCounted", section="cosim_zones.section:Zones", part="x:y")
BARE = Subject(name="others", facts="others:BARES", section="cosim_zones.section:Zones", part="x:y")
CORE = Subject(name="core", section="cosim_zones.section:Zones", part="x:y")
COPY = Subject(name="copy", section="cosim_zones.section:Zones", part="x:y")
HIDDEN = Subject(name="_others", section="cosim_zones.section:Zones", part="x:y")
DASHED = Subject(name="my-part", section="cosim_zones.section:Zones", part="x:y")
from dataclasses import dataclass
@dataclass(frozen=True)
class Bare:
    time_s: float
BARES = (Bare,)
"""


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Declare]:
    """Declare entry points of `cosim.parts`; the example package and modules of `tmp_path` can be imported."""
    monkeypatch.syspath_prepend(str(PACKAGE))
    monkeypatch.syspath_prepend(str(tmp_path))

    def declare(*entries: tuple[str, str]) -> None:
        found = [EntryPoint(name, value, subjects.GROUP) for name, value in entries]
        for module in ("cosim.subjects", "cosim.plugins"):
            monkeypatch.setattr(f"{module}.entry_points", lambda group: found if group == subjects.GROUP else [])
        subjects.subjects.cache_clear()

    yield declare
    subjects.subjects.cache_clear()
    sys.modules.pop("others", None)


def test_a_section_is_loaded_checked_and_described(declared: Declare) -> None:
    """With the package the section is part of a scenario and of its JSON schema; without a value it is null."""
    declared(("zones", "cosim_zones:SUBJECT"))
    assert load(SCENARIO).scenario.zones.zones[1].radius_m == 100.0
    assert load("intersection").scenario.zones is None
    assert '"zones"' in json_schema()
    with pytest.raises(InputError, match=r"zones\.zones\.0\.radius_m = -1"):
        load(SCENARIO, ["zones.zones.0.radius_m=-1"])


def test_a_scenario_crosses_to_other_processes(declared: Declare) -> None:
    """With a package installed scenarios can be pickled, as comparisons need it, with its section and without."""
    declared(("zones", "cosim_zones:SUBJECT"))
    for loaded in (load(SCENARIO), load("intersection")):
        assert pickle.loads(pickle.dumps(loaded)) == loaded  # noqa: S301 - our own bytes


def test_a_package_changes_no_id(declared: Declare) -> None:
    """A section that a scenario does not use changes no run id."""
    declared()
    before = load("intersection").run_id
    declared(("zones", "cosim_zones:SUBJECT"))
    assert load("intersection").run_id == before
    assert load(SCENARIO).run_id != load(SCENARIO, ["zones=null"]).run_id


def test_a_section_without_its_package(declared: Declare, capsys: pytest.CaptureFixture[str]) -> None:
    """One line names file, line, key and what to install; exit status 2."""
    declared()
    assert cli.status(["scenario", "check", str(SCENARIO)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "zones.yaml:10: zones: is an unknown key" in lines[0]
    assert "install the package that brings this section (cosim.parts: none)" in lines[0]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([("zones", "no_such_module_here:SUBJECT")], r"'zones' .* cannot be imported"),
        ([("zones", "cosim_zones:NOTHING")], r"'zones' .* cannot be imported"),
        ([("zones", "cosim_zones:SUBJECT"), ("zones", "others:SUBJECT")], "'zones' .* declared more than once"),
        ([("circles", "cosim_zones:SUBJECT")], "declares the section 'zones'; give both one name"),
        ([("others", "others:NOTHING")], r"is no cosim\.subjects\.Subject"),
        ([("others", "others:LAME")], "lacks section or part"),
        ([("others", "others:SUBJECT")], r"section others \(fractions:Fraction\) is no cosim\.scenario\.section"),
        ([("radio", "others:OWN")], r"section radio .* has the name of one of cosim's own"),
        ([("copy", "others:COPY")], r"section copy .* has the name of one of cosim's own"),
        ([("core", "others:CORE")], "'core' of cosim.parts: is no name for a section"),
        ([("_others", "others:HIDDEN")], "is no name for a section"),
        ([("my-part", "others:DASHED")], "is no name for a section"),
        ([("others", "others:ONE")], "facts of section others .* are no tuple of dataclasses"),
        ([("others", "broken_module:SUBJECT")], "cannot be imported: SyntaxError"),
    ],
)
def test_faulty_packages(
    declared: Declare, tmp_path: Path, capsys: pytest.CaptureFixture[str], entries: list[tuple[str, str]], said: str
) -> None:
    """Two packages with one section, a failing import and every other faulty declaration: one line, exit status 2."""
    (tmp_path / "others.py").write_text(NO_SECTION)
    (tmp_path / "broken_module.py").write_text("def :\n")
    declared(*entries)
    assert cli.status(["scenario", "check", "intersection"]) == 2
    captured = capsys.readouterr().err
    assert len(captured.splitlines()) == 1
    with pytest.raises(InputError, match=said):
        raise InputError(captured)


def test_a_kind_whose_fields_are_no_columns(declared: Declare, tmp_path: Path) -> None:
    """A fact with a field that says nothing of its type and unit is refused in one line, before a run is made."""
    (tmp_path / "others.py").write_text(NO_SECTION)
    declared(("others", "others:BARE"))
    with pytest.raises(InputError, match="fact Bare: time_s is no column; annotate it with a Column"):
        TraceWriter(tmp_path / "run", 10.0)


def test_one_kind_of_two_packages(declared: Declare, tmp_path: Path) -> None:
    """A kind of fact that two sections declare is refused, naming both."""
    (tmp_path / "others.py").write_text(KIND_TWICE)
    declared(("zones", "cosim_zones:SUBJECT"), ("others", "others:SUBJECT"))
    with pytest.raises(InputError, match="fact ZoneCounted is declared by the sections others and zones"):
        load("intersection")


def test_a_run_with_an_installed_section(declared: Declare, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its part runs and its figures are told; without the package the run still verifies and answers SQL."""
    declared(("zones", "cosim_zones:SUBJECT"))
    run = tmp_path / "run"
    shorter = ("--set", "duration_s=4", "--set", "statistics.warmup_s=0", "--no-picture")
    assert cli.status(["run", str(SCENARIO), "--out", str(run), *shorter]) == 0
    assert "vehicles in a zone" in capsys.readouterr().out
    declared()
    assert cli.status(["trace", "verify", str(run)]) == 0
    assert "zone_counted" in capsys.readouterr().out
    query = "SELECT count(*) AS n FROM zone_counted WHERE vehicles >= 0"
    assert cli.status(["trace", "sql", str(run), query, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["n"] > 0
    assert cli.status(["trace", "summary", str(run)]) == 0


@pytest.mark.long  # an environment of its own, and seven processes
def test_the_example_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """Installed by pip, the example's own tests pass; its run opens, verifies and tells what is missing without it."""
    env = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True)
    python = env / "bin" / "python"
    own = [str(Path(str(package.__file__)).parents[1]) for package in (cosim, cosim_agents)]
    paths = [*own, *(path for path in sys.path if path.endswith("site-packages"))]
    site = next((env / "lib").glob("python*")) / "site-packages"
    (site / "parent.pth").write_text("\n".join(paths))
    installing = ("--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check", str(PACKAGE))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *installing]
    done = subprocess.run(pip, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-m", "cosim.cli.main"]
    tests = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", str(PACKAGE / "tests")]
    done = subprocess.run(tests, check=False, capture_output=True, text=True, env=plain, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    run = tmp_path / "run"
    made = [*command, "run", str(SCENARIO), "--out", str(run), "--set", "duration_s=5", "--no-picture"]
    done = subprocess.run(made, check=False, capture_output=True, text=True, env=plain)
    assert done.returncode == 0, done.stderr
    assert "vehicles in a zone" in done.stdout
    shorter = ("--set", "duration_s=4", "--set", "statistics.warmup_s=0", "--out", str(tmp_path / "compared"))
    compared = [*command, "compare", str(SCENARIO), "--policies", "local,random", "--seeds", "2", "--jobs", "2"]
    done = subprocess.run([*compared, *shorter], check=False, capture_output=True, text=True, env=plain)
    assert done.returncode == 0, done.stderr
    without = [sys.executable, "-m", "cosim.cli.main", "trace"]
    done = subprocess.run([*without, "verify", str(run)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "zone_counted" in done.stdout
    query = "SELECT count(*) AS n FROM zone_counted WHERE vehicles >= 0"
    done = subprocess.run([*without, "sql", str(run), query, "--json"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*without, "summary", str(run)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
