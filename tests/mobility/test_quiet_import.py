"""What importing libsumo prints."""

import os
import subprocess
import sys

import pytest
from effort import rest_long

NEWER = """
import importlib.metadata
found = importlib.metadata.version
importlib.metadata.version = lambda name: "24.0.0" if name == "pyarrow" else found(name)
"""
IMPORT = f"{NEWER}import libsumo"
RUN = f"""{NEWER}
import cosim
cosim.Simulation(cosim.load("intersection", ["duration_s=1", "statistics.warmup_s=0"]).scenario).close()
print("closed")
"""


@pytest.mark.parametrize("buffered", rest_long([True, False]))
def test_another_pyarrow_is_no_words_on_stdout(buffered: bool) -> None:
    """A pyarrow that is not of its Arrow's version makes libsumo warn on stdout; a run keeps stdout clean of it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment |= {} if buffered else {"PYTHONUNBUFFERED": "1"}
    told = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        for code in (IMPORT, RUN)
    ]
    assert told[0].stdout.startswith("Warning! pyarrow is installed with version 24.0.0")
    assert (told[1].stdout, told[1].stderr) == ("closed\n", "")
