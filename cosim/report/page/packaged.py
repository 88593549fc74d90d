"""The files of this folder that go into a page unchanged."""

from importlib.resources import files


def packaged(name: str) -> str:
    """Return the text of such a file."""
    return (files("cosim.report.page") / name).read_text(encoding="utf-8")
