"""What is built for users: the wheel in an environment of its own, the sdist with its tests."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import lacking

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
READ_FILES = (  # tests that read what lies beside the packages
    "tests/docs/test_pages.py::test_make_targets_exist",
    "tests/parts/test_outside_sections.py::test_a_section_is_loaded_checked_and_described",
    "tests/scenarios",
    "tests/install/test_needs.py",
)
IMPORTS = """
import agents, cosim, cosim_agents, cosim_zones, sys
assert all(sys.prefix in package.__file__ for package in (agents, cosim, cosim_agents)), cosim.__file__
assert hasattr(agents, "Runner") and not hasattr(agents, "train")
assert cosim.Simulation and cosim.load("intersection")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and sdist."""
    folder = tmp_path_factory.mktemp("dist")
    done(sys.executable, "-m", "hatchling", "build", "-d", str(folder), cwd=ROOT)
    return folder


def done(*command: str, cwd: Path, **environment: str) -> str:
    """Run a command that has to end well, without the checkout on its path; return what it printed."""
    plain = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "COSIM_TESTS", "SEEDS"}}
    ended = subprocess.run(command, cwd=cwd, env=plain | environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended.stdout


def test_the_wheel_brings_two_packages(built: Path) -> None:
    """At the top of the environment it puts `cosim`, `cosim_agents` and its own description, nothing else."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"cosim", "cosim_agents", "cosim_vec-0.1.0.dist-info"}
    assert "cosim/_data/scenarios/quickstart.yaml" in names
    assert "cosim/py.typed" in names


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Path]:
    """A new environment; it is large, so nothing of it is kept."""
    done(sys.executable, "-m", "venv", str(tmp_path / "env"), cwd=tmp_path)
    yield tmp_path / "env"
    shutil.rmtree(tmp_path / "env")


def test_the_wheel_beside_openai_agents(built: Path, env: Path, tmp_path: Path) -> None:
    """In a new environment with openai-agents, whose package is `agents`, cosim runs, trace and part included."""
    away = tmp_path / "away"
    away.mkdir()
    pip = [str(env / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--retries", "1"]
    probe = [*pip, "install", "--quiet", "--dry-run", "--no-deps", "openai-agents"]
    reached = subprocess.run(probe, capture_output=True, text=True, check=False)
    if reached.returncode != 0:
        lacking("index", f"pip reaches no package index: {' '.join(reached.stderr.split())[-200:]}")
    wheel, constraints = str(next(built.glob("*.whl"))), str(ROOT / "constraints.txt")
    part = str(ROOT / "examples" / "own_part")
    done(*pip, "install", "--quiet", "--constraint", constraints, wheel, part, "openai-agents", cwd=away)
    assert "No broken requirements found" in done(*pip, "check", cwd=away)
    done(str(env / "bin" / "python"), "-c", IMPORTS, cwd=away)
    cosim = str(env / "bin" / "cosim")
    assert "quickstart" in done(cosim, "scenario", "list", cwd=away)
    assert "FAIL" not in done(cosim, "doctor", cwd=away)
    done(
        cosim, "run", "intersection", "--set", "duration_s=5", "--set", "statistics.warmup_s=0", "--out", "a", cwd=away
    )
    assert "ok: complete run" in done(cosim, "trace", "verify", "a", cwd=away)
    versions = json.loads((away / "a" / "provenance.json").read_text(encoding="utf-8"))["versions"]
    assert versions["cosim"] == done(cosim, "--version", cwd=away).split()[-1] != ""
    done(cosim, "run", f"{part}/zones.yaml", "--set", "duration_s=5", "--no-picture", "--out", "b", cwd=away)
    assert "vehicles in a zone" in done(cosim, "trace", "summary", "b", cwd=away)
    train = subprocess.run(
        [cosim, "train", "intersection", "--agent", "dqn"],
        cwd=away,
        env={"PATH": "/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (train.returncode, train.stdout) == (2, "")
    assert "pip install 'cosim-vec[learn]'" in train.stderr


def test_the_sdist_brings_what_its_tests_need(built: Path, tmp_path: Path) -> None:
    """Unpacked, the tests of every module here are found, and those that read other files than packages pass."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as packed:
        packed.extractall(tmp_path, filter="data")
    unpacked = next(tmp_path.glob("cosim_vec-*"))
    path = f"{unpacked}{os.pathsep}{unpacked / 'agents'}"
    where = done(sys.executable, "-c", "import cosim; print(cosim.__file__)", cwd=unpacked, PYTHONPATH=path)
    assert Path(where.strip()).is_relative_to(unpacked)
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    found = done(*pytest_, "--collect-only", "-m", "", cwd=unpacked, PYTHONPATH=path).splitlines()
    here = {module.relative_to(ROOT).as_posix() for module in (ROOT / "tests").rglob("test_*.py")}
    assert {line.partition("::")[0] for line in found if "::" in line} == here
    assert " passed" in done(*pytest_, *READ_FILES, cwd=unpacked, PYTHONPATH=path)
