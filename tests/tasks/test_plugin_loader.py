"""Plug-ins by entry-point group and name."""

from importlib.metadata import EntryPoint

import pytest

from cosim.errors import InputError
from cosim.plugins import load_plugin, make_plugin

GROUP = "cosim.policies"


@pytest.fixture
def installed(monkeypatch):
    def declare(**values):
        found = [EntryPoint(name, value, GROUP) for name, value in values.items()]
        monkeypatch.setattr("cosim.plugins.entry_points", lambda group: found if group == GROUP else [])

    return declare


def test_found_by_name(installed):
    """A declared object is found by group and name, and built from arguments and options."""
    installed(half="fractions:Fraction")
    assert make_plugin(GROUP, "half", {"denominator": 2}, 1) == 0.5


def test_unknown_name(installed):
    """An unknown name gives the installed ones, or none."""
    installed(half="fractions:Fraction")
    with pytest.raises(
        InputError, match=r"no plug-in 'third' in entry-point group cosim\.policies \(installed: half\)"
    ):
        load_plugin(GROUP, "third")
    with pytest.raises(InputError, match="installed: none"):
        load_plugin("cosim.arrivals", "third")


@pytest.mark.parametrize("value", ["no_such_module_here:Thing", "fractions:Thing"])
def test_broken_declaration(installed, value):
    """A plug-in that cannot be imported is named with the reason."""
    installed(half=value)
    with pytest.raises(InputError, match=r"'half' .* cannot be imported"):
        load_plugin(GROUP, "half")


def test_doubled_declaration(monkeypatch):
    """A name that two packages claim is refused."""
    found = [EntryPoint("half", value, GROUP) for value in ("fractions:Fraction", "decimal:Decimal")]
    monkeypatch.setattr("cosim.plugins.entry_points", lambda **_: found)
    with pytest.raises(InputError, match="declared more than once"):
        load_plugin(GROUP, "half")


def test_not_callable(installed):
    """A plug-in that is no class or function is refused."""
    installed(half="math:pi")
    with pytest.raises(InputError, match="not callable"):
        make_plugin(GROUP, "half", {})


def test_failure_while_it_is_built(installed):
    """An error inside a plug-in's constructor becomes one line with its options."""
    installed(half="fractions:Fraction")
    with pytest.raises(InputError, match=r"failed with options=\{'denominator': 0\}: ZeroDivisionError"):
        make_plugin(GROUP, "half", {"denominator": 0}, 1)
