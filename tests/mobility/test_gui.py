"""Watching a run in sumo-gui."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from needs import lacking

XVFB = shutil.which("xvfb-run")


def test_a_watched_run_gives_the_same_digest(tmp_path: Path) -> None:
    """`cosim run --gui` shows the traffic in sumo-gui, and its facts are those of the unwatched run."""
    if XVFB is None:
        lacking("display", "sumo-gui needs a display, and there is no xvfb-run to make one")
    digests = []
    for name, gui in (("watched", ["--gui"]), ("plain", [])):
        command = [sys.executable, "-m", "cosim.cli.main", "run", "intersection", "--set", "duration_s=15", *gui]
        command += ["--no-picture", "--out", str(tmp_path / name)]
        done = subprocess.run([XVFB, "-a", *command], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        digests.append(json.loads((tmp_path / name / "provenance.json").read_text())["digest"])
    assert digests[0] == digests[1]
