"""The commands of docs/maps.md that make demand with SUMO's own tools run as they stand."""

import gzip
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cosim.cli.main import status
from cosim.maps.show import describe_map
from cosim.mobility.catalog import resolve_map
from cosim.mobility.programs import sumo_environment, sumo_home
from cosim.resources import bundled

PAGE = Path(__file__).parents[2] / "docs" / "maps.md"
SECTION = re.compile(r"^## Demand from counts or an OD matrix$(.*?)^## ", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_demand_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three commands make a map with the trips of the OD matrix, two one with the vehicles that were counted."""
    monkeypatch.chdir(tmp_path)
    net = bundled("sumo_maps") / "intersection" / "net.net.xml.gz"
    Path("town.net.xml").write_bytes(gzip.decompress(net.read_bytes()))
    found = SECTION.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    commands = []
    for language, title, text in BLOCK.findall(found[1]):
        if language == "text":
            Path(title).write_text(text, encoding="utf-8")
            continue
        commands.append(len(text.splitlines()))
        for line in text.splitlines():
            program, *arguments = shlex.split(line)
            if program == "cosim":
                assert status(arguments) == 0
            else:
                tool = [str(sumo_home() / "bin" / program), *arguments]
                subprocess.run(tool, check=True, env={**os.environ, **sumo_environment()}, capture_output=True)
    assert commands == [3, 2]
    assert describe_map(resolve_map("by-matrix", Path())).vehicles == 420
    assert describe_map(resolve_map("by-counts", Path())).vehicles == 420
