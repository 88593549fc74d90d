"""Random demand for a road network, by SUMO's own randomTrips tool."""

import gzip
import re
from pathlib import Path

from cosim.mobility.programs import run_tool

_HEADER = re.compile(rb"<!--.*?-->\s*", re.DOTALL)


def random_routes(net: Path, routes: Path, options: list[str]) -> None:
    """Write routed vehicles of random trips, gzipped, with the same bytes each time.

    Args:
        net: road network.
        routes: file to write, named *.rou.xml.gz.
        options: options of randomTrips, such as --period, --end and --seed.

    Raises:
        InputError: the tool failed.
    """
    trips = routes.with_name("draft.trips.xml")
    draft = routes.with_name("draft.rou.xml")
    chosen = ["--net-file", str(net), "--output-trip-file", str(trips), "--route-file", str(draft)]
    run_tool("randomTrips.py", [*chosen, "--validate", *options], f"random demand for {net.name}")
    gzip_without_comments(draft, routes)
    for name in (trips, draft, routes.with_name("draft.rou.alt.xml")):
        name.unlink(missing_ok=True)


def gzip_without_comments(plain: Path, packed: Path) -> None:
    """Gzip a file of SUMO without its comments, which hold dates and paths."""
    gzip_bytes(without_comments(plain.read_bytes()), packed)


def gzip_bytes(content: bytes, packed: Path) -> None:
    """Write a gzipped file, with the same bytes each time."""
    with packed.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as stream:
        stream.write(content)


def without_comments(content: bytes) -> bytes:
    """Return XML without its comments."""
    return _HEADER.sub(b"", content)
