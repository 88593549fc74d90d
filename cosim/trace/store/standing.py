"""Whether somebody still writes a run that says `running`: its writer holds a lock for as long as it lives."""

import fcntl
from pathlib import Path

from cosim.locks import LOCK
from cosim.trace.store.manifest import Manifest, stored_manifest


def is_written(run: Path) -> bool | None:
    """Return whether a living process writes a run folder; None where the file system has no locks."""
    try:
        with (run / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # closed, or of a version without locks, whose writers are long gone
        return False
    except OSError:
        return None
    return False


def unfinished(run: Path, manifest: Manifest) -> str:
    """Return what is to be said of a run that was not closed; "" for one that was, complete or not.

    Args:
        run: the run folder.
        manifest: as it was read.

    Raises:
        InputError: the folder is none any more.
    """
    if manifest.state != "running":
        return ""
    written = is_written(run)
    if written is False and stored_manifest(run)[0].state != "running":  # closed since
        written = True
    told = f"it is read as a partial run, up to t = {manifest.complete_to_s:g} s"
    if written:
        return f"the run goes on: {told}"
    if written is None:
        return f"the run goes on or its process ended without closing it, this file system does not tell: {told}"
    return f"its process ended without closing it: {told}"
