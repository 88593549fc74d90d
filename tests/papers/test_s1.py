"""Paper S1's experiment in miniature: pieces, results, refusals."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cosim_agents.learners.catalog import agent_settings

from cosim.cli.main import status
from cosim.errors import InputError
from cosim.experiments.jobs import Job, Watch
from cosim.experiments.papers import report
from cosim.experiments.papers.measured import StudyTraining
from cosim.experiments.papers.s1.paper import PAPER
from cosim.experiments.papers.s1.plan import AGENTS, FIGURES, FULL, QUICK, SETTINGS, S1Plan, training_scenarios
from cosim.experiments.papers.study import run_study

TINY = replace(QUICK, seeds=2, episodes=2, duration_s=20.0, bandwidth_mhz=(3.0, 9.0))


class Stopper(Watch):
    """Ctrl-C after some pieces."""

    def __init__(self, pieces: int) -> None:
        self._left = pieces

    def ended(self, job: int) -> None:  # noqa: ARG002
        """Counts."""
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


def stopping_after(pieces: int) -> Any:
    @contextmanager
    def watching(_: Sequence[Job[Any]]) -> Iterator[Watch]:
        yield Stopper(pieces)

    return watching


@pytest.mark.long
def test_stopped_and_gone_on_with(tmp_path: Path) -> None:
    """A stopped experiment goes on with the next piece, and ends with the CSV files of one that was not stopped."""
    with pytest.raises(KeyboardInterrupt):
        run_study(PAPER, 4, TINY, tmp_path / "a", tmp_path / "work", 1, stopping_after(2))
    assert not list((tmp_path / "a").iterdir())
    done = run_study(PAPER, 4, TINY, tmp_path / "a", tmp_path / "work", 1, stopping_after(10**6))
    assert done.trained == len(AGENTS) * 2 - 2
    again = run_study(PAPER, 4, TINY, tmp_path / "b", tmp_path / "work", 1, stopping_after(10**6))
    assert (again.trained, again.measured) == (0, 0)
    run_study(PAPER, 4, TINY, tmp_path / "c", tmp_path / "elsewhere", 2, stopping_after(10**6))
    for name in ("fig4.csv", "claims.csv"):
        table = (tmp_path / "a" / name).read_bytes()
        assert table == (tmp_path / "b" / name).read_bytes() == (tmp_path / "c" / name).read_bytes()
        rows = table.decode().splitlines()
        assert len(rows) > 1
        assert all(row.endswith(",QUICK") for row in rows[1:])


@pytest.mark.parametrize("figure", ["2", "10"])
def test_no_such_figure(figure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A figure without results is one line, and nothing is trained."""
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    assert status(["paper", "S1", "--figure", figure, *folders]) == 2
    told = capsys.readouterr().err
    assert told == f"cosim: --figure {figure}: paper S1 has results in figures 3, 4, 5, 6, 7, 8, 9\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--work", "--out"])
def test_no_place_to_write(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that cannot be made is one line, before anything is trained."""
    (tmp_path / "file").touch()
    places = {"--work": str(tmp_path / "work"), "--out": str(tmp_path / "out"), option: str(tmp_path / "file" / "x")}
    folders = [word for place in places.items() for word in place]
    assert status(["paper", "S1", "--figure", "4", "--quick", "--jobs", "1", *folders]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [f"cosim: {told[0].split(': ')[1]}: cannot be made: not a directory; give another {option}"]
    assert not list(tmp_path.glob("*/*"))


def test_no_such_paper(capsys: pytest.CaptureFixture[str]) -> None:
    """So is a paper that is not there."""
    assert status(["paper", "S9"]) == 2
    assert capsys.readouterr().err == "cosim: S9: no such paper; use S1\n"


def test_quick_never_touches_full(tmp_path: Path) -> None:
    """A folder holds full or quick results, never both, nothing else, and is not replaced by fewer seeds."""
    report.write_results(tmp_path, {"paper": "S1", "run": "full"})
    assert report.read_results(tmp_path, "S1", "full")["run"] == "full"
    with pytest.raises(InputError, match="holds full results, these are QUICK; give another --out"):
        run_study(PAPER, None, QUICK, tmp_path, tmp_path / "work", 1, stopping_after(1))
    told = {"paper": "S1", "run": "QUICK", "figures": {"fig3": {"seeds_of_training": [1, 2, 3]}}}
    (tmp_path / "more").mkdir()
    report.write_results(tmp_path / "more", told)
    with pytest.raises(InputError, match="holds results of 3 seeds, these are of 2; give another --out"):
        run_study(PAPER, None, QUICK, tmp_path / "more", tmp_path / "work", 1, stopping_after(1))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "note.txt").touch()
    with pytest.raises(InputError, match="is taken by something"):
        report.read_results(tmp_path / "sub", "S1", "full")


def test_agents_are_measured_on_the_same_arrivals() -> None:
    """All lines of a sweep have the same seeds and points, no seed was trained on, differences are to lines there."""
    plan = S1Plan(FULL)
    sweeps = [plan.sweep(figure) for figure in FIGURES if figure not in (3, 5, 6)]
    for sweep in [*sweeps, plan.learners(AGENTS)]:
        keys = [line.key for line, _ in sweep.lines]
        assert len(set(keys)) == len(keys)
        for line, pieces in sweep.lines:
            assert [piece.seed for piece in pieces] == plan.measured_seeds
            assert {len(piece.scenarios) for piece in pieces} == {len(sweep.points)}
            assert not line.against or line.against in keys
            trained = [piece.policy.seed for piece in pieces if isinstance(piece.policy, StudyTraining)]
            assert trained in ([], list(plan.seeds))
    assert not set(plan.seeds) & set(plan.measured_seeds)


def test_one_budget_for_all() -> None:
    """The three agents of the paper's comparison are trained with the same options, seeds, scenarios and episodes."""
    plan = S1Plan(FULL)
    circuit = set(agent_settings("q-ddpg")) - set(agent_settings("ddpg"))
    for setting in SETTINGS:
        told = [[one.settings() for one in plan.trainings("sweep", agent, setting)] for agent in AGENTS]
        for one in (settings for agent in told for settings in agent):
            del one["agent"]
            one["options"] = {name: value for name, value in one["options"].items() if name not in circuit}
        assert told[0] == told[1] == told[2]
    assert len({one.run_id for one in training_scenarios("sweep")}) == 8 * 2 * 3


def test_twin_is_the_only_difference() -> None:
    """With and without twin are the same scenarios but for decisions.observation."""
    for without, with_twin in zip(training_scenarios("mirror"), training_scenarios("forecast"), strict=True):
        first, second = (one.scenario.model_dump() for one in (without, with_twin))
        assert (first["decisions"].pop("observation"), second["decisions"].pop("observation")) == ("mirror", "forecast")
        assert first == second


def test_scenarios_in_turn(tmp_path: Path) -> None:
    """Over several scenarios a resumed training has the weights of a whole one; each comes once before any again."""
    from cosim_agents import checkpoint
    from cosim_agents.learners.catalog import agent_spec
    from cosim_agents.train import _turn, train

    spec = agent_spec("ddpg-small", {"feature_epochs": 20, "warmup_epochs": 10})
    over = training_scenarios("mirror")[:3]
    train(over, spec, 1, 4, 5, tmp_path / "whole")
    train(over, spec, 1, 2, 5, tmp_path / "parts")
    train(over, spec, 1, 4, 5, tmp_path / "parts")
    first, second = (checkpoint.read(tmp_path / name / "checkpoint.ckpt") for name in ("whole", "parts"))
    assert first.state.keys() == second.state.keys()
    assert all(np.array_equal(first.state[name], second.state[name]) for name in first.state)
    with pytest.raises(InputError, match="differs in scenario"):
        train(over[:2], spec, 1, 4, 5, tmp_path / "parts")
    turns = [_turn(1, episode, 3) for episode in range(9)]
    assert [sorted(turns[start : start + 3]) for start in (0, 3, 6)] == [[0, 1, 2]] * 3
    assert turns != [_turn(2, episode, 3) for episode in range(9)]
