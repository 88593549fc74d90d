"""Calls of the command line, as several tests make them."""

import json
from typing import Any

import pytest

from cosim.cli import main as cli


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON object that a command prints."""
    capsys.readouterr()
    assert cli.status([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command that ends with 2 and prints nothing."""
    capsys.readouterr()
    assert cli.status(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err
