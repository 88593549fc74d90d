"""What the code of users does to the process changes no answer, no exit status and no place of results."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import rest_long

from cosim import subjects
from cosim.cli import main as cli
from cosim.types import FloatArray
from cosim.user_code import guarded

TINY = """\
name: tiny
duration_s: 2
policy: {policy}
mobility: {{kind: synthetic, vehicles: 4, length_m: 400}}
sites: {{kind: listed, sites: [{{name: a, x_m: 200, y_m: 10}}]}}
statistics: {{batches: 2}}
{more}
"""
POLICY = """
import io
import os
import sys
import numpy as np
from cosim.decision import Action
{imported}
class Own:
    def __init__(self, levels=()):
        levels = list(levels)
        {made}
    def decide(self, observation):
        {decides}
        return Action(observation.expected_s.argmin(axis=1))
"""
DEEDS = {
    "nothing": "pass",
    "print": "print('noise')",
    "descriptor": "os.write(1, b'noise')",
    "C": "__import__('ctypes').CDLL(None).puts(b'noise')",
    "child": "__import__('subprocess').run(['echo', 'noise'], check=True)",
    "chdir": "os.chdir('/')",
    "close": "sys.stdout.close(); sys.stderr.close()",
    "detach": "sys.stdout.detach().write(b'noise'); sys.stderr.detach()",
    "wrap": "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-8'); print('noise')",
    "with": "exec('with sys.stdout as stream: stream.write(\\'noise\\')')",
    "originals": "sys.__stdout__.flush(); sys.stdout = sys.stderr = open(os.devnull, 'w')",
    "descriptors": "os.closerange(1, 3)",
}
"""What a user's code may do to the process without harm to others."""
LOUD = ("print", "descriptor", "C", "child", "detach", "wrap", "with")
PACKAGE = '''
import io
import os
import sys
import numpy as np
from cosim.audit.rule import Rule
from cosim.part import Part
from cosim.scenario.section import Section
from cosim.subjects import Subject
from cosim.tasks.arrivals import Arrived
from cosim.trace.metrics.statistics import Estimate

class Plan(Section):
    """A section."""

class Quiet(Part):
    """A part."""
    def __init__(self, plan, context):
        {part}
        context.clock.process(self.watch(context.clock))
        self.seen = 0
    def watch(self, clock):
        yield clock.until(0.5)
        {process}
    def tick(self, frame, tick):
        {tick}
    def released(self, releases):
        {released}
    def turned(self, action):
        {turned}
    def finish(self):
        {finish}

def figures(trace, slices):
    {figures}
    yield "quiet_mean", Estimate(1.0, unit="")

def rules():
    {rules}
    return [Rule("site_deployed", "never", "SELECT seq FROM site_deployed WHERE false")]

def checks(trace):
    {checks}
    return iter(())

SUBJECT = Subject("quiet", section="quietly:Plan", part="quietly:Quiet", figures="quietly:figures",
                  rules="quietly:rules", checks="quietly:checks")

class Arrivals:
    """One task a tick of each vehicle."""
    def __init__(self, rng, levels=()):
        {arrivals}
        self.time_s = np.empty(0)
    def enter(self, entries):
        {enter}
    def draw(self, fleet, start_s, end_s):
        {draw}
        return Arrived(np.full(len(fleet.numbers), start_s), fleet.numbers)

class Loss:
    """100 dB."""
    shadowed = los_drawn = False
    def loss_db(self, distance_m, los):
        {loss}
        return np.full(np.shape(distance_m), 100.0)
    def los_probability(self, distance_m):
        return np.ones(np.shape(distance_m))
    def sigma_db(self, los):
        return np.zeros(np.shape(los))
    def correlation_m(self, los):
        return np.ones(np.shape(los))
'''
PLACES = {
    "part": "plan", "process": "clock", "tick": "frame.xy_m", "released": "releases.input_bit",
    "turned": "action.option", "finish": "self", "figures": "trace", "rules": "", "checks": "trace", "arrivals": "rng",
    "enter": "entries", "draw": "fleet.numbers", "loss": "distance_m",
}  # fmt: skip
"""Functions of a package that cosim calls, and what each is given."""
SECTIONS = "quiet: {}\ntasks: {arrivals: {kind: plugin, name: own}}\nradio: {path_loss: {kind: plugin, name: own}}"
RUN = ("run", "tiny.yaml", "--json", "--no-picture", "--out", "out")
Answer = dict[str, Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def package(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, from which a package `quietly` with entry points is imported."""
    monkeypatch.syspath_prepend(str(home))
    groups = {subjects.GROUP: [("quiet", "SUBJECT")], "cosim.arrivals": [("own", "Arrivals")]}
    groups["cosim.path_loss"] = [("own", "Loss")]
    found = {
        group: [EntryPoint(name, f"quietly:{value}", group) for name, value in entries]
        for group, entries in groups.items()
    }
    for module in ("cosim.subjects", "cosim.plugins"):
        monkeypatch.setattr(f"{module}.entry_points", lambda group: found.get(group, []))
    yield home
    subjects.subjects.cache_clear()
    sys.modules.pop("quietly", None)


def installed(home: Path, **deeds: str) -> None:
    """Write the package, with what each of its functions does first."""
    (home / "quietly.py").write_text(PACKAGE.format(**{place: deeds.get(place, "pass") for place in PLACES}))
    (home / "tiny.yaml").write_text(TINY.format(policy="greedy-latency", more=SECTIONS))
    sys.modules.pop("quietly", None)
    subjects.subjects.cache_clear()


def policy(home: Path, **deeds: str) -> None:
    """Write a policy, with what it does when it is imported, made and asked."""
    places = {place: deeds.get(place, "pass") for place in ("imported", "made", "decides")}
    (home / "own.py").write_text(POLICY.format(**places))
    (home / "tiny.yaml").write_text(TINY.format(policy="own.py:Own", more=""))


def answered(capfd: pytest.CaptureFixture[str], *arguments: str) -> Answer:
    """The JSON object of a command that succeeds."""
    capfd.readouterr()
    here, streams = Path.cwd(), (sys.stdout, sys.stderr)
    assert cli.status(arguments) == 0
    assert (Path.cwd(), sys.stdout, sys.stderr) == (here, *streams)
    answer: Answer = json.loads(capfd.readouterr().out)
    return answer


def line(capfd: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """The only line on stderr of a command that fails, and prints nothing else."""
    capfd.readouterr()
    assert cli.status(arguments) == status
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith("cosim: ")
    return printed.err


def same(capfd: pytest.CaptureFixture[str], home: Path, write: Callable[..., None], **deeds: str) -> str:
    """Look whether a run with deeds answers as one without: digest, place, files, audit; return what it printed."""
    if write.__name__ not in WITHOUT:
        os.chdir(made(home / "quiet"))
        write(home / "quiet")
        WITHOUT[write.__name__] = answered(capfd, *RUN)["digest"], files(home / "quiet")
    os.chdir(made(home / "loud"))
    write(home / "loud", **deeds)
    capfd.readouterr()
    assert cli.status(RUN) == 0
    printed = capfd.readouterr()
    answer = json.loads(printed.out)
    assert (answer["digest"], files(home / "loud")) == WITHOUT[write.__name__]
    assert answer["folder"] == "out"
    assert answered(capfd, "trace", "verify", "out", "--json")["ok"]
    return printed.err


WITHOUT: dict[str, tuple[str, list[str]]] = {}
"""Digest and files of the run without deeds, by what was written for it; it is the same for all deeds."""


def made(folder: Path) -> Path:
    """The folder, once it is made."""
    folder.mkdir()
    return folder


def files(folder: Path) -> list[str]:
    """The files of a run, as paths."""
    return sorted(str(path.relative_to(folder)) for path in (folder / "out").rglob("*"))


@pytest.mark.parametrize(
    "deed", rest_long(sorted(DEEDS, key=["C", "chdir", "descriptors", "close", "wrap", *DEEDS].index), 5)
)
def test_a_policy_that_prints_or_goes_elsewhere(capfd: pytest.CaptureFixture[str], home: Path, deed: str) -> None:
    """Printing in every way, going elsewhere, closing streams, when imported, made and asked: the answer stays."""
    noise = same(capfd, home, policy, imported=DEEDS[deed], made=DEEDS[deed], decides=DEEDS[deed])
    assert ("noise" in noise) == (deed in LOUD)


@pytest.mark.parametrize("deed", rest_long(sorted([*DEEDS][1:], key="descriptors".__ne__), 1))
def test_packages_that_print_or_go_elsewhere(
    capfd: pytest.CaptureFixture[str], package: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    """The same for arrivals, path losses, parts with their processes, figures and rules of a package."""

    def package_in(folder: Path, **deeds: str) -> None:
        monkeypatch.syspath_prepend(str(folder))
        installed(folder, **deeds)

    same(capfd, package, package_in, **dict.fromkeys(PLACES, DEEDS[deed]))


@pytest.mark.parametrize("deed", ["sys.exit(0)", "raise ValueError('no\\nidea')"])
@pytest.mark.parametrize("place", rest_long(sorted(PLACES, key=["process", "figures", "loss", *PLACES].index), 3))
def test_a_package_that_fails(capfd: pytest.CaptureFixture[str], package: Path, place: str, deed: str) -> None:
    """An error or an exit in any function of a package is one line with its file and line."""
    installed(package, **{place: deed})
    number = [text.strip() for text in (package / "quietly.py").read_text().splitlines()].index(deed) + 1
    late = place in ("rules", "checks")
    if late:
        answered(capfd, *RUN)
    told = line(capfd, 2 if place in ("part", "arrivals") else 1, *(("trace", "verify", "out") if late else RUN))
    assert ("SystemExit: 0" if "exit" in deed else "ValueError: no idea") in told
    assert f" at quietly.py:{number}\n" in told


@pytest.mark.parametrize("place", rest_long(["tick", "draw", "released", "turned", "loss"], 2))
def test_a_package_that_writes(capfd: pytest.CaptureFixture[str], package: Path, place: str) -> None:
    """A write to any array that a function of a package is given is one line with its file and line."""
    installed(package, **{place: f"{PLACES[place]}[...] = 0"})
    told = line(capfd, 1, *RUN)
    assert "read-only, as all that it is given: write to a copy" in told
    assert " at quietly.py:" in told


def test_a_policy_that_writes(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """The case from the field: a policy that scales its input in place ends in one line with its file and line."""
    policy(home, decides="observation.input_bit[...] *= 0.1")
    told = line(capfd, 1, *RUN)
    assert told.startswith("cosim: policy own.py:Own failed at t=")
    assert "(ValueError: output array is read-only, as all that it is given: write to a copy)" in told
    assert told.endswith("; correct its decide() at own.py:13\n")


TENSOR = "__import__('warnings').simplefilter('ignore'); __import__('torch').from_numpy({}).mul_(0.1)"


@pytest.mark.parametrize("name", ["input_bit", "expected_s"])
def test_a_policy_that_writes_through_a_tensor(capfd: pytest.CaptureFixture[str], home: Path, name: str) -> None:
    """PyTorch does not ask whether it may write to an array: what it wrote is found, with where decide() stands."""
    policy(home, decides=TENSOR.format(f"observation.{name}"))
    told = line(capfd, 1, *RUN)
    assert told.startswith("cosim: policy own.py:Own at t=")
    assert told.endswith(
        f": observation.{name} is read-only and was written to: write to a copy; correct its decide() at own.py:12\n"
    )


def test_a_policy_that_reads_through_a_tensor(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """A tensor of an observation's array that is only read changes nothing."""
    same(capfd, home, policy, decides=TENSOR.replace("mul_", "mul").format("observation.input_bit"))


@pytest.mark.parametrize(("place", "status"), [("made", 2), ("decides", 1)])
def test_a_decorator_is_not_where_a_policy_fails(
    capfd: pytest.CaptureFixture[str], home: Path, place: str, status: int
) -> None:
    """A policy under a decorator of another package, as PyTorch's, is told with its own line."""
    policy(home, **{place: "1 / 0"})
    text = (home / "own.py").read_text().replace("    def ", "    @torch.no_grad()\n    def ")
    (home / "own.py").write_text(f"import torch{text}")
    number = text.splitlines().index("        1 / 0") + 1
    assert f" at own.py:{number}\n" in line(capfd, status, *RUN)


@pytest.mark.parametrize(("place", "status", "number"), [("imported", 2, 7), ("made", 2, 11), ("decides", 1, 13)])
@pytest.mark.parametrize(("deed", "told"), [("1 / 0", "ZeroDivisionError"), ("sys.exit(0)", "SystemExit: 0")])
def test_where_a_policy_fails(
    capfd: pytest.CaptureFixture[str], home: Path, place: str, status: int, number: int, deed: str, told: str
) -> None:
    """An error or exit in a policy's module, constructor or decide() is told with its line, also from elsewhere."""
    policy(home, **{place: f"os.chdir('/'); {deed}"})
    text = line(capfd, status, *RUN)
    assert text.startswith("cosim: policy own.py:Own")
    assert told in text
    assert f" at own.py:{number}\n" in text


def test_arrays_of_a_function_of_a_package() -> None:
    """A guarded function gets copies that it cannot write, named ones too; what it returns it may write again."""
    kept = {}

    def scaled(value: FloatArray, *, by: FloatArray) -> FloatArray:
        kept.update(value=value, by=by, result=value * by)
        return kept["result"]

    value, by = np.ones(2), np.full(2, 3.0)
    found = guarded("it", scaled)(value, by=by)
    for name, given in (("value", value), ("by", by)):
        assert not kept[name].flags.writeable, name
        assert not np.shares_memory(kept[name], given), name
        assert given.flags.writeable, name
    kept["result"][:] = 0.0
    assert found.tolist() == [3.0, 3.0]


def test_options_stay_as_they_are(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """A policy that changes the options that it was made with changes no run id and no stored scenario."""
    policy(home, made="levels.append(3)")
    (home / "own.py").write_text((home / "own.py").read_text().replace("levels = list(levels)", "pass"))
    options = "policy={name: 'own.py:Own', options: {levels: [1, 2]}}"
    answer = answered(capfd, *RUN, "--set", options)
    assert json.loads((home / "out" / "provenance.json").read_text())["scenario"]["policy"]["options"] == {
        "levels": [1, 2]
    }
    assert answered(capfd, "trace", "verify", "out", "--json")["ok"]
    assert answer["run_id"]


def test_what_runs_as_the_process_ends(home: Path) -> None:
    """What a policy has registered for the exit prints beside the answer, not after it."""
    policy(home, imported="import atexit; atexit.register(print, 'noise')")
    code = "from cosim.cli.main import main; main()"
    ended = subprocess.run([sys.executable, "-c", code, *RUN], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["folder"] == "out"
    assert "noise" in ended.stderr
