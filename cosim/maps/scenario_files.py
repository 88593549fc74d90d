"""SUMO scenarios: reading a .sumocfg, and copying its net, demand and additional files without their outputs."""

import re
from dataclasses import dataclass
from pathlib import Path

from cosim.errors import InputError
from cosim.mobility.demand import gzip_without_comments, without_comments
from cosim.roads.xmlscan import open_packed, scan_xml

_WRITERS = "e1Detector inductionLoop instantInductionLoop e2Detector laneAreaDetector e3Detector entryExitDetector"
_WRITERS += " edgeData laneData meandata-edge meandata-lane timedEvent vTypeProbe routeProbe calibrator"
_WRITER = re.compile(rb"<(?:" + _WRITERS.replace(" ", "|").encode() + rb")\b[^>]*>")
_TARGET = re.compile(rb"""\b(file|dest|output)\s*=\s*("[^"]*"|'[^']*')""")
_KNOWN = ("net-file", "route-files", "additional-files", "begin", "end", "step-length", "scale", "time-to-teleport")
_SHORT = {"n": "net-file", "r": "route-files", "a": "additional-files", "b": "begin", "e": "end", "net": "net-file"}
_SHORT |= {"additional": "additional-files", "routes": "route-files"}
_HARMLESS = re.compile(r"(output|log|verbose|step-log|warnings|save-state|gui|xml-validation|duration-log|statistic)")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The files and options that cosim takes from a .sumocfg."""

    net: Path
    routes: tuple[Path, ...]
    additional: tuple[Path, ...]
    begin_s: float
    end_s: float | None
    step_s: float
    scale: float
    teleport_s: float
    ignored: tuple[str, ...]  # options that change the traffic and are not carried over


def read_configuration(path: Path) -> Configuration:
    """Return the files and options of a .sumocfg.

    Raises:
        InputError: it is broken, names no net, or names a file that is not there.
    """
    options: dict[str, str] = {}

    def on_element(name: str, attributes: dict[str, str]) -> None:
        if value := attributes.get("value", attributes.get("v")):
            options[_SHORT.get(name, name)] = value

    scan_xml(path, on_element, "correct the configuration")

    def files(option: str) -> tuple[Path, ...]:
        found = tuple(path.parent / part for part in re.split(r"[,;\s]+", options.get(option, "")) if part)
        for one in found:
            if not one.is_file():
                raise InputError(f"{path.name}: {option} names {one.name}, which is not there; put it beside the file")
        return found

    def number(option: str, default: float) -> float:
        try:
            return float(options.get(option, default))
        except ValueError as error:
            raise InputError(f"{path.name}: {option}={options[option]} is no number of seconds; write one") from error

    nets = files("net-file")
    if len(nets) != 1:
        raise InputError(f"{path.name}: it names no net-file, so it is no SUMO scenario; add one")
    end_s = number("end", -1.0)
    return Configuration(
        net=nets[0],
        routes=files("route-files"),
        additional=files("additional-files"),
        begin_s=max(0.0, number("begin", 0.0)),
        end_s=end_s if end_s >= 0 else None,
        step_s=number("step-length", 1.0),
        scale=number("scale", 1.0),
        teleport_s=number("time-to-teleport", 300.0),
        ignored=tuple(name for name in sorted(options) if name not in _KNOWN and not _HARMLESS.search(name)),
    )


def pack_routes(routes: tuple[Path, ...], home: Path) -> tuple[Path, ...]:
    """Copy route files into a map folder, gzipped and named in their order, and return the copies."""
    return tuple(_pack(path, home / f"{k:02d}-{_stem(path)}.rou.xml.gz") for k, path in enumerate(routes))


def copy_additional(additional: tuple[Path, ...], home: Path) -> tuple[tuple[Path, ...], int]:
    """Copy additional files into a map folder, and return the copies and the number of outputs that were silenced.

    Detectors and the like write to /dev/null in the copies. They are kept, because traffic lights may use them.
    """
    copies: list[Path] = []
    silenced = 0
    for k, path in enumerate(additional):
        content, count = _silence(without_comments(_bytes(path)))
        silenced += count
        copies.append(home / f"{k:02d}-{_stem(path)}.add.xml")
        copies[-1].write_bytes(content)
    return tuple(copies), silenced


def pack_net(net: Path, home: Path) -> Path:
    """Copy the net into a map folder, gzipped, and return the copy."""
    return _pack(net, home / "net.net.xml.gz")


def _silence(content: bytes) -> tuple[bytes, int]:
    return _WRITER.subn(lambda found: _TARGET.sub(rb'\1="/dev/null"', found.group()), content)


def _pack(path: Path, target: Path) -> Path:
    plain = target.with_name("draft.xml")
    plain.write_bytes(_bytes(path))
    gzip_without_comments(plain, target)
    plain.unlink()
    return target


def _bytes(path: Path) -> bytes:
    try:
        with open_packed(path) as stream:
            content = stream.read()
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); get it again") from error
    if b"<include" in content:
        raise InputError(f"{path.name}: it includes other files; put their content in its place")
    return content


def _stem(path: Path) -> str:
    return re.sub(r"[^\w-]", "_", path.name.split(".")[0])
