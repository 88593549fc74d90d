"""The files that lie beside this one and go into a page as they are."""

from importlib.resources import files


def packaged(name: str) -> str:
    """The text of one of them."""
    return (files("cosim.report.page") / name).read_text(encoding="utf-8")
