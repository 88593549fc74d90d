"""What elements of SUMO's input files read from other files, and what they write."""

SILENT = "NUL"
"""The file name that SUMO takes for nowhere, on every system."""
DEMAND = ("vehicle", "trip", "flow", "person", "personFlow", "container", "containerFlow")
"""Elements that bring something that moves."""
_READ = {
    "include": ("href",),
    "rerouter": ("file",),
    "variableSpeedSign": ("file",),
    "calibrator": ("file",),
}
_READ_ANYWHERE = ("edgesFile", "imgFile", "osgFile")
_WRITTEN = ("file", "dest", "output")


def read_by(element: str, attributes: dict[str, str]) -> tuple[str, ...]:
    """Return the attributes of an element that name a file which SUMO reads."""
    own = _READ.get(element, ())
    return tuple(name for name in attributes if (name in own or name in _READ_ANYWHERE) and attributes[name])


def written_by(element: str, attributes: dict[str, str]) -> tuple[str, ...]:
    """Return the attributes of an element that name a file or socket to which SUMO writes.

    >>> written_by("e1Detector", {"id": "d", "file": "d.xml"})
    ('file',)
    >>> written_by("param", {"key": "device.ssm.file", "value": "ssm.xml"})
    ('value',)
    """
    if element == "param":
        last = attributes.get("key", "").rsplit(".", 1)[-1].lower()
        return ("value",) if last in _WRITTEN and not _is_silent(attributes.get("value", "")) else ()
    read = read_by(element, attributes)
    return tuple(
        name for name in attributes if name in _WRITTEN and name not in read and not _is_silent(attributes[name])
    )


def _is_silent(target: str) -> bool:
    return target.lower() in ("", "nul", "/dev/null")
