"""Runs that stop at a moment of the simulated time, and copies of a folder as a kill would leave it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cosim.runner import simulate
from cosim.scenario.load import Loaded, load

ALL_PARTS = (
    "duration_s=4",
    "statistics.warmup_s=0",
    "statistics.batches=2",
    "mobility.vehicles=8",
    "trace.part_s=1",
    "keys={slot_s: 0.5}",
    "ledger={}",
    "twin={}",
)


def stop_at(time_s: float) -> Callable[[float], None]:
    """A progress callback that is Ctrl-C at a time of the run."""

    def told(now_s: float) -> None:
        if now_s >= time_s:
            raise KeyboardInterrupt

    return told


def interrupted(loaded: Loaded, run: Path, at_s: float) -> Path:
    """A run that Ctrl-C ends at a time."""
    with pytest.raises(KeyboardInterrupt):
        simulate(loaded, run, stop_at(at_s))
    return run


@contextmanager
def snapshots(run: Path, into: Path, wanted: Callable[[int], bool]) -> Iterator[list[Path]]:
    """Within it the folder is copied after each sync for which `wanted` holds, as kill -9 would leave it."""
    sync, taken, count = os.fsync, [], 0

    def copied(handle: int) -> None:
        nonlocal count
        sync(handle)
        if (run / "manifest.json").exists() and wanted(count):
            taken.append(Path(shutil.copytree(run, into / f"kill{count}")))
        count += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cosim.trace.store.durable.os.fsync", copied)
        yield taken


def written(run: Path) -> dict[str, bytes]:
    """The bytes of every file of a run but of those that tell of machine and time."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "provenance.json")
    }


TURNER = """
import os
from pathlib import Path

import numpy as np
from cosim import Action


class Turner:
    \"\"\"Turns every knob, and decides otherwise from a time on that a file beside it names.\"\"\"

    def __init__(self, rng, knob="none"):
        self._rng, self._knob, self._epoch = rng, knob, 0

    def decide(self, observation):
        mood = Path(os.environ["MOOD"])
        turned = observation.time_s >= float(mood.read_text()) if mood.exists() else False
        self._epoch += 1
        tasks, draw = len(observation), self._rng.uniform
        usable = observation.feasible.argmax(axis=1)
        answer = {"share": draw(0.1, 2.0, tasks), "power_w": draw(0.01, 0.5, tasks), "cpu_share": draw(0.2, 1.0, tasks)}
        if observation.keys is not None and self._epoch % 3:
            answer["detector"] = draw(-0.1, 1.1, len(observation.keys.detector))
        if observation.stake is not None and self._epoch % 2:
            answer["proposer"] = self._epoch % len(observation.stake)
        if turned and self._knob in ("detector", "proposer"):
            answer[self._knob] = None
        elif turned and self._knob == "option":
            usable = usable + 1
        elif turned and self._knob in answer:
            answer[self._knob] = answer[self._knob] * 0.5
        return Action(option=usable, **answer)
"""
"""A policy whose answers depend on what no hash covers: the file that MOOD names."""
KNOBS = "decisions.knobs=[target, share, power, cpu_share, detector, proposer]"


def turner(folder: Path, knob: str = "none", *changes: str) -> Loaded:
    """The scenario with all parts under the policy that turns all knobs."""
    (folder / "turner.py").write_text(TURNER)
    policy = f"policy={{name: '{folder / 'turner.py'}:Turner', options: {{knob: {knob}}}}}"
    return load("per_task", [*ALL_PARTS, KNOBS, policy, *changes])
