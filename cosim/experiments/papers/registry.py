"""The papers that `cosim paper` knows: a line for each, its package imported only when it is used."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cosim.errors import InputError

if TYPE_CHECKING:
    from cosim.experiments.papers.paper import Paper


class PaperEntry(NamedTuple):
    """A known paper."""

    subject: str
    """Its subject, in a line."""
    module: str
    """Module that defines its PAPER."""


PAPERS: Final[Mapping[str, PaperEntry]] = {
    "S1": PaperEntry("Q-DDPG for digital-twin semantic IoV, figures 3 to 9", "cosim.experiments.papers.s1.paper"),
}


def find_entry(name: str) -> PaperEntry:
    """Return the paper of that name, in capitals or not.

    Raises:
        InputError: no such paper.

    Example:
        >>> find_entry("s1").module
        'cosim.experiments.papers.s1.paper'
    """
    entry = PAPERS.get(name.upper())
    if entry is None:
        raise InputError(f"{name}: no such paper; use {', '.join(PAPERS)}")
    return entry


def import_paper(entry: PaperEntry) -> "Paper[Any]":
    """Return the figures of a paper; the import may take seconds."""
    paper: Paper[Any] = import_module(entry.module).PAPER
    return paper
