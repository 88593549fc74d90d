"""A town of four junctions for tests of SUMO configurations: its net, and files to write beside it."""

import gzip
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cosim.mobility.programs import run_program

NODES = '<nodes><node id="a" x="0" y="0"/><node id="b" x="500" y="0"/><node id="c" x="1000" y="0"/>'
NODES += '<node id="d" x="500" y="500"/></nodes>'
CAR = '<vType id="car"/>'


@cache
def town_net() -> bytes:
    """Three streets that meet in b, with one lane each way, as SUMO's net."""
    ways = [(one, other) for one, other in ("ab", "bc", "db") for one, other in ((one, other), (other, one))]
    edges = "".join(f'<edge id="{one}{other}" from="{one}" to="{other}" speed="13.9"/>' for one, other in ways)
    with TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "n.xml").write_text(NODES)
        (home / "e.xml").write_text(f"<edges>{edges}</edges>")
        options = ["--node-files", str(home / "n.xml"), "--edge-files", str(home / "e.xml")]
        run_program("netconvert", [*options, "--output-file", str(home / "net.xml")], "test")
        return (home / "net.xml").read_bytes()


def flow(name: str, period_s: float, begin: str = "0", end: str = "3600") -> str:
    """Vehicles from a to c, one each period_s."""
    return f'<flow id="{name}" type="car" begin="{begin}" end="{end}" period="{period_s}" from="ab" to="bc"/>'


def vehicle(name: str, depart_s: float, edges: str = "ab bc") -> str:
    """A single vehicle with its route."""
    return f'<vehicle id="{name}" type="car" depart="{depart_s}"><route edges="{edges}"/></vehicle>'


@dataclass(frozen=True, slots=True)
class SumoTown:
    """A folder with a net and what is written beside it.

    Args:
        home: the folder.
        net: name of the net's file.
    """

    home: Path
    net: str = "s.net.xml"
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / self.net).write_bytes(town_net())

    def write(self, name: str, inner: str, root: str = "routes", *, packed: bool = False) -> str:
        """Write a file of SUMO's beside the net, and return its name."""
        content = f"<{root}>{inner}</{root}>".encode()
        (self.home / name).parent.mkdir(parents=True, exist_ok=True)
        (self.home / name).write_bytes(gzip.compress(content) if packed else content)
        return name

    def configure(self, name: str = "run.sumocfg", net: str | None = None, **options: str) -> Path:
        """Write a configuration of options, `_` for a dash, that ends at 400 s if not told else; return its path."""
        chosen = {"net-file": self.net if net is None else net, "end": "400"}
        chosen |= {option.replace("_", "-"): value for option, value in options.items()}
        inner = "".join(f'<{option} value="{value}"/>' for option, value in chosen.items())
        (self.home / name).write_text(f"<configuration><input>{inner}</input></configuration>", encoding="utf-8")
        return self.home / name
