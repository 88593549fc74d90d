"""The HTML report of one run or several: key figures, figures and a playback, with all data inside and no network."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cosim.errors import InputError
from cosim.report.page import payload
from cosim.report.page.columns import Packed
from cosim.report.page.packaged import packaged
from cosim.report.page.playback import UNIT_M, kept, places, roads, stories
from cosim.subjects import pieces
from cosim.trace.store.durable import write_durably
from cosim.trace.store.reader import Trace

logger = logging.getLogger(__name__)

FILE: Final = "report.html"
SCRIPTS: Final = ("base.js", "charts.js", "playback.js", "page.js")
"""The code of the page, in order; then come the panels of the sections, and what starts it."""
STEPS: Final = 4
"""Steps of the work for each run, as `tell` counts them."""
Tell = Callable[[float], None]


def write_report(runs: Sequence[Path], out: Path, folder: Path = Path(), tell: Tell | None = None) -> int:
    """Write the HTML report of runs, whole or not at all.

    Args:
        runs: run folders, complete or partial, in the order of the page.
        out: the file to write.
        folder: folder from which a run of an older version, which does not hold its map, finds it.
        tell: called with the number of steps done, of `STEPS` for each run.

    Returns:
        Size of the file in bytes.

    Raises:
        InputError: not a run folder, or the file cannot be written.
    """
    text = page(runs, folder, tell).encode()
    try:
        write_durably(out, lambda sink: sink.write(text))
    except OSError as error:
        raise InputError(f"{out}: the report cannot be written ({error.strerror}); choose another --out") from error
    logger.info("%s is written, %d bytes", out, len(text))
    return len(text)


def page(runs: Sequence[Path], folder: Path = Path(), tell: Tell | None = None) -> str:
    """Return the text of the HTML report of runs.

    Args:
        runs: run folders, complete or partial, in the order of the page.
        folder: folder from which a run of an older version, which does not hold its map, finds it.
        tell: called with the number of steps done, of `STEPS` for each run.

    Raises:
        InputError: not a run folder.
    """
    blobs: dict[str, int] = {}  # runs of one scenario share roads and often places
    data = []
    for number, run in enumerate(runs):
        with Trace.open(run) as trace:
            data.append(_run(trace, folder, blobs, _from(number * STEPS, tell)))
    inside = "".join(
        f'<script type="text/plain" id="blob-{number}">{text}</script>\n' for text, number in blobs.items()
    )
    css, panels = packaged("page.css"), _panels(data)
    scripts = [*map(packaged, SCRIPTS), *panels.values(), packaged("start.js")]
    hashes = " ".join(f"'{_hash(script)}'" for script in scripts)
    title = ", ".join(dict.fromkeys(one["header"]["scenario"] for one in data))
    parts = {
        "TITLE": _escaped(f"{title} - cosim report"),
        "CSP": f"default-src 'none'; script-src {hashes}; style-src '{_hash(css)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        "STYLE": css,
        "BLOBS": inside,
        "DATA": _json({"unit_m": UNIT_M, "codes": payload.code_dictionary(), "panels": list(panels), "runs": data}),
        "SCRIPTS": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    text = packaged("page.html")
    for name, part in parts.items():
        text = text.replace(f"<!--{name}-->", part, 1)
    return text


def _from(done: int, tell: Tell | None) -> Tell:
    return lambda step: tell(done + step) if tell else None


def _run(trace: Trace, folder: Path, blobs: dict[str, int], tell: Tell) -> dict[str, Any]:
    keep, (area, missing) = kept(trace), payload.frame(trace, folder)

    def stored(packed: Packed) -> dict[str, Any]:
        return {"blob": blobs.setdefault(packed.text, len(blobs)), "columns": packed.directory}

    measured = payload.figures_of_merit(trace)
    tell(1)
    shown = payload.series(trace, area)
    tell(2)
    moved = stored(places(trace, keep.ticks)) if keep.ticks else None
    tell(3)
    told = stored(stories(trace, keep))
    tell(4)
    return {
        "header": payload.header(trace, area),
        **measured,
        "series": _packed_apart(shown, stored),
        "sites": payload.site_columns(trace),
        "frame": {"low_m": area.low_m, "high_m": area.high_m, "stretched": area.stretched, "missing": missing},
        "kept": {"ticks": keep.ticks, "completed": keep.completed, "others": keep.others},
        "roads": stored(roads(area)),
        "places": moved,
        "stories": told,
    }


def _packed_apart(value: Any, stored: Callable[[Packed], dict[str, Any]]) -> Any:
    """Return the same data with packed columns replaced by references to where they are stored."""
    if isinstance(value, Packed):
        return stored(value)
    if isinstance(value, Mapping):
        return {key: _packed_apart(item, stored) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_packed_apart(item, stored) for item in value]
    return value


def _panels(data: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the JavaScript of the subjects that the runs have, by name, each in a scope of its own."""
    found = {}
    for subject, source in pieces("panels"):
        if any(one["series"].get(subject.name) is not None for one in data):
            if "</script" in source.lower() or "<!--" in source:
                raise InputError(
                    f"panels of section {subject.name}: their JavaScript holds </script or <!--; write it otherwise"
                )
            found[subject.name] = f'"use strict";\n{{\n{source}\n}}\n'
    return found


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: Any) -> str:
    """Return JSON that cannot end the HTML element that it is in."""
    text = json.dumps(payload.json_value(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
