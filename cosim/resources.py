"""Where the files that come with cosim are, in a checkout and in an installed wheel."""

from importlib.resources import files
from pathlib import Path


def bundled(folder: str) -> Path:
    """The folder `scenarios` or `sumo_maps`: inside the package in a wheel, at the repository's root in a checkout."""
    package = Path(str(files("cosim")))
    shipped = package / "_data" / folder
    return shipped if shipped.is_dir() else package.parent / folder
