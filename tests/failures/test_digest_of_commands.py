"""What `cosim run` writes into provenance.json as digest, from command to command, on a crossing that SUMO drives."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import provenance, started
from effort import rest_long

CROSSING = """\
name: crossing
map: intersection
duration_s: 30
policy: random
mobility: {kind: libsumo, begin_s: 30}
sites: {kind: map}
tasks: {arrivals: {kind: poisson, rate_per_s: 1}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scenario, its recording and a first run."""
    place = tmp_path_factory.mktemp("digests")
    (place / "crossing.yaml").write_text(CROSSING)
    command = [sys.executable, "-m", "cosim.cli.main", "map", "record", "crossing.yaml", "traffic.parquet"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    digests(place, "first", PYTHONHASHSEED="0")
    return place


def digests(place: Path, run: str, *arguments: str, **environment: str) -> dict[str, str]:
    """Digests by kind, and `all`, of a run in a process of its own."""
    command = ["run", place / "crossing.yaml", "--no-picture", "--out", place / run, *arguments]
    with started(*command, **environment) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    said = provenance(place / run)
    assert said["status"] == "complete"
    return {**said["digests"], "all": said["digest"]}


@pytest.fixture(scope="module")
def first(place: Path) -> dict[str, str]:
    """Digests of the first run, through libsumo."""
    said = provenance(place / "first")
    assert said["facts"] > 200
    return {**said["digests"], "all": said["digest"]}


@pytest.mark.parametrize(
    ("name", "arguments"),
    rest_long(
        [
            ("replay", ["--set", "mobility={kind: replay, file: traffic.parquet}"]),
            ("again", []),
            ("traci", ["--set", "mobility.kind=traci"]),
        ]
    ),
)
@pytest.mark.long
def test_process_hash_seed_and_source(place: Path, first: dict[str, str], name: str, arguments: list[str]) -> None:
    """Another process with another PYTHONHASHSEED, SUMO over a socket, and SUMO's recording give the same digests."""
    assert digests(place, name, *arguments, PYTHONHASHSEED="4711") == first


@pytest.mark.long
def test_another_seed(place: Path, first: dict[str, str]) -> None:
    """Another seed gives other traffic, other tasks and another digest."""
    other = digests(place, "seed", "--seed", "2")
    assert other["all"] != first["all"]
    assert other["task_released"] != first["task_released"]


@pytest.mark.long
def test_another_policy(place: Path, first: dict[str, str]) -> None:
    """Another policy gives other outcomes to the same arrivals of the same vehicles."""
    other = digests(place, "policy", "--policy", "local")
    assert other["all"] != first["all"]
    assert other["task_ended"] != first["task_ended"]
    assert other["task_released"] == first["task_released"]
    assert other["vehicle_entered"] == first["vehicle_entered"]
