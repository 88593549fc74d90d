"""What driving SUMO to `mobility.begin_s` costs, and what traffic a saved state of SUMO would give in its place.

CPU time of opening the traffic of a scenario at a map's begin, libsumo in a process of its own. Then SUMO alone, with
the same options and seed: its unbroken run against one from a state saved at begin_s (`--save-state.rng`, 16 digits):
the largest distance between the two positions of a vehicle, and the vehicle rows that one has and the other has not.
"""

import argparse
import subprocess
import sys
from math import dist
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cosim.errors import InputError
from cosim.mobility.catalog import resolve_map
from cosim.mobility.foreign import read_xml
from cosim.mobility.programs import run_program
from cosim.mobility.sumo import sumo_options
from cosim.scenario.traffic import LibsumoMobility

MAPS: Final = ("intersection:120", "grid:600", "sumo:a10kw:900", "sumo:berlin:600")
OPEN: Final = """
import sys, time
from pathlib import Path
from cosim.mobility.connect import connect
from cosim.scenario.traffic import LibsumoMobility
began_s = time.process_time()
connect(LibsumoMobility(begin_s=float(sys.argv[2])), sys.argv[1], Path(), 1, 1.0).close()
print(time.process_time() - began_s)
"""


def driving_s(name: str, begin_s: float) -> float:
    """Return the CPU time of opening a map's traffic at begin_s."""
    command = [sys.executable, "-c", OPEN, name, str(begin_s)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def from_a_state(name: str, begin_s: float, seconds: float, seed: int) -> str:
    """Return how far a run from a saved state is from the unbroken one.

    Args:
        name: the map.
        begin_s: traffic time of the state.
        seconds: simulated seconds that are compared.
        seed: seed of the scenario.
    """
    options = sumo_options(resolve_map(name, Path()), LibsumoMobility(begin_s=begin_s), seed)
    with TemporaryDirectory() as folder:
        state = Path(folder) / "state.xml.gz"
        saving = ["--save-state.times", f"{begin_s:.3f}", "--save-state.files", str(state), "--save-state.rng"]
        saving += ["--save-state.precision", "16", "--end", f"{begin_s + 1.0:.3f}"]
        watched = ["--end", f"{begin_s + seconds:.3f}", "--device.fcd.begin", f"{begin_s:.3f}", "--fcd-output"]
        places: list[dict[tuple[float, str], tuple[float, float]]] = []
        run_program("sumo", [*options, *saving], name)
        for start in ([], ["--load-state", str(state)]):
            seen = Path(folder) / "fcd.xml"
            try:
                run_program("sumo", [*options, *start, *watched, str(seen)], name)
            except InputError as error:
                return str(error)
            table = read_xml(seen)
            rows = zip(table.time_s, table.vehicle, table.x_m, table.y_m, strict=True)
            places.append({(t, table.names[v][0]): (x, y) for t, v, x, y in rows if v >= 0})
    driven, loaded = places
    both = driven.keys() & loaded.keys()
    off_m = max((dist(driven[one], loaded[one]) for one in both), default=0.0)
    return (
        f"{off_m:9.2f} m, {len(driven) - len(both):6} rows missing, {len(loaded) - len(both):6} extra of {len(driven)}"
    )


def main() -> None:
    """Print a row for each map and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", nargs="+", default=MAPS, help="NAME:BEGIN, a map and its begin_s")
    parser.add_argument("--seconds", type=float, default=120.0, help="simulated, compared after begin_s")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(f"a run from a saved state against the unbroken one, {options.seconds:g} s from begin_s on")
    for given in options.map:
        name, _, begin = given.rpartition(":")
        print(f"{name}, begin_s={begin}: driving there takes {driving_s(name, float(begin)):.1f} CPU s", flush=True)
        for seed in range(1, options.seeds + 1):
            print(f"  seed {seed}: {from_a_state(name, float(begin), options.seconds, seed)}", flush=True)


if __name__ == "__main__":
    main()
