"""The style of all pictures, and how they are written."""

import logging
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from cosim.errors import InputError
from cosim.trace.store.durable import write_durably

logger = logging.getLogger(__name__)

STYLE: Final[dict[Any, Any]] = {
    "figure.constrained_layout.use": True,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
}
"""Settings of Matplotlib that all pictures share."""


def save(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a PNG file whose bytes do not depend on Matplotlib's version.

    Args:
        figure: the figure.
        path: the file to write.
        dpi: resolution in dots per inch.

    Raises:
        InputError: it cannot be written.
    """
    try:
        write_durably(path, lambda sink: figure.savefig(sink, format="png", dpi=dpi, metadata={"Software": None}))
    except OSError as error:
        raise InputError(f"{path}: the picture cannot be written ({error.strerror}); make room") from error
    logger.info("%s is drawn", path)
