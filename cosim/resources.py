"""The place of the files that come with cosim, in a checkout and in an installed wheel."""

from importlib.resources import files
from pathlib import Path


def bundled(folder: str) -> Path:
    """Return the folder `scenarios` or `sumo_maps`: inside the package in a wheel, at the root of a checkout."""
    package = Path(str(files("cosim")))
    shipped = package / "_data" / folder
    return shipped if shipped.is_dir() else package.parent / folder
