"""Folders that one command at a time writes into, and what has changed between two."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cosim.errors import InputError
from cosim.experiments.folders import changed, lock_folder, share_lock
from cosim.experiments.papers.s1.paper import PAPER
from cosim.experiments.papers.study import run_study

HOLDER = """
import sys, time
from pathlib import Path
from cosim.experiments.folders import lock_folder
with lock_folder(Path(sys.argv[1]), "training", "--out"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_command_holds_nothing(tmp_path: Path) -> None:
    """While a command runs, no other gets its folder; a kill without warning frees it at once."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(InputError) as error, lock_folder(tmp_path, "training", "--out"):
            pass
        assert str(error.value) == f"{tmp_path}: another training writes here; wait for it or give another --out"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    for _ in range(2):
        with lock_folder(tmp_path, "training", "--out"):
            pass


def test_a_worker_outlives_its_command(tmp_path: Path) -> None:
    """A worker takes part in the lock of its command, and keeps it when that has gone."""
    refused = pytest.raises(InputError, match="another training")
    with share_lock(tmp_path), refused, lock_folder(tmp_path, "training", "--out"):
        pass
    with lock_folder(tmp_path, "training", "--out"), share_lock(tmp_path):
        pass


def test_no_place_for_a_lock(tmp_path: Path) -> None:
    """A folder that cannot be written is one line."""
    (tmp_path / ".lock").mkdir()
    with (
        pytest.raises(InputError, match="cannot be written: is a directory"),
        lock_folder(tmp_path, "training", "--out"),
    ):
        pass


def test_two_experiments_of_a_paper(tmp_path: Path) -> None:
    """A second `cosim paper` on the same pieces is refused before anything is trained."""
    store = tmp_path / "work"
    store.mkdir()
    with lock_folder(store, "experiment", "--work"), pytest.raises(InputError, match="another experiment writes here"):
        run_study(PAPER, 4, PAPER.quick, tmp_path / "out", store, 1, lambda _: pytest.fail("began"))


def test_what_has_changed() -> None:
    """Values are named by their path, the first three; what is only in one of both is null in the other."""
    before = {"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": 1.0}
    assert changed(before, {**before, "e": 1}) == ""
    assert changed(before, {**before, "b": {"c": [1, 2]}}) == "b.d was x, now null"
    assert (
        changed(before, {"b": {"c": [2]}})
        == "a was 1, now null, b.c was [1, 2], now [2], b.d was x, now null and 1 more"
    )
