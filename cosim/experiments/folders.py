"""Folders that commands are told to write into."""

from pathlib import Path

from cosim.errors import InputError


def make_folder(folder: Path, option: str) -> None:
    """See that it is there.

    Args:
        folder: to be made, with those above it.
        option: of the command line that names it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {str(error.strerror).lower()}; give another {option}") from None
