"""The radio beside a packet-level simulator: times of files over LTE, cosim's and those of ns-3, and a chart of both.

    python benchmarks/packet_level.py                              # prints all rows
    python benchmarks/packet_level.py --chart docs/packet_level.svg

Runs have `radio: {preset: lte_20mhz}` and the path loss of ns-3's runs (`packet_level_ns3.py`, which made its numbers).
Files that begin together: the share of a cell and the rate of a link. Files at Poisson times: what sharing leaves out,
as `packet_sharing.py` tells, which adds buffer reports, whole resource blocks and the files of one user in turn.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from packet_sharing import DETAILS, load_s, mean_excess

from cosim.types import FloatArray
from cosim.validation.packets import Sent, Together, apart, at_one_distance, bound, sent_s

DATA: Final = Path(__file__).parent / "data" / "lte_uplink_poisson.json"
USERS: Final = 40
MEAN_GOAL, P95_GOAL = 0.15, 0.2
_NEAR, _FAR = "#1f77b4", "#d62728"


@dataclass(frozen=True, slots=True)
class Load:
    """Files of 40 users at one distance at Poisson times, and their times at packet level."""

    distance_m: float
    load: float
    bit: int
    files: list[Sent]
    mean_s: float
    p95_s: float

    def flows_s(self) -> FloatArray:
        """Return the time of each file in a run, in s."""
        return sent_s([self.distance_m] * USERS, self.files)


def loads() -> Iterator[Load]:
    """Yield the loads: near before far, small before large, files of 1 Mbit before those that fill a report's level."""
    for row in json.loads(DATA.read_text(encoding="utf-8"))["rows"]:
        times_s = np.cumsum(row["steps_10us"]) / 1e5
        for found in row["found"]:
            sent = zip(times_s.tolist(), row["users"], strict=True)
            files = [Sent(time_s, user, found["bit"]) for time_s, user in sent]
            yield Load(row["distance_m"], row["load"], found["bit"], files, found["mean_s"], found["p95_s"])


def _rows(title: str, rows: Iterable[Together]) -> list[tuple[Together, float, float]]:
    """Print rows with their errors; return each with the time of its last user and its error."""
    print(f"\n{title}\n{'':44} {'packets':>9} {'cosim':>9} {'error':>7}   bound")
    told, worst = [], (0.0, 0.0, "")
    for row in rows:
        spent_s, packets_s = row.flows_s(), np.array(row.packets_s)
        errors = spent_s / packets_s - 1.0
        user = int(np.abs(errors).argmax())
        error = float(errors[user])
        told.append((row, float(spent_s.max()), error))
        worst = max(worst, (abs(error) / bound(row), error, row.name))
        print(f"{row.name:44} {packets_s[user] * 1e3:6.1f} ms {spent_s[user] * 1e3:6.1f} ms {error:+7.1%}", end="")
        print(f"   {bound(row):.0%}{'' if abs(error) <= bound(row) else '  MISSED'}")
    print(f"nearest to its bound, of {len(told)} rows: {worst[1]:+.1%}, {worst[2]}")
    return told


def _loads() -> list[tuple[Load, float, float]]:
    """Print loads with their errors and what details of a scheduler add; return each with mean and 95th percentile."""
    print("\nPoisson files of 40 users: error of mean and 95th percentile against packets")
    print(f"{'':27} {'packets':>15} {'cosim':>13}", *(f"{name:>13}" for name in DETAILS))
    told = []
    for load in loads():
        spent_s = load.flows_s()
        told.append((load, float(spent_s.mean()), float(np.percentile(spent_s, 95))))
        cells = [_errors(load, spent_s)]
        cells += [_errors(load, load_s(load.distance_m, load.files, details)) for details in DETAILS.values()]
        met = all(abs(error) <= goal for error, goal in zip(cells[0], (MEAN_GOAL, P95_GOAL), strict=True))
        print(f"{load.bit / 1e6:.2f} Mbit at {load.distance_m:.0f} m, load {load.load:.1f}", end="  ")
        print(
            f"{load.mean_s * 1e3:6.0f} {load.p95_s * 1e3:6.0f} ms", *(f"{m:+6.0%} {p:+6.0%} " for m, p in cells), end=""
        )
        print("" if met else "   see docs/physics.md")
    print(f"a level of a buffer report is {mean_excess():.0%} larger than the buffer on average")
    return told


def _errors(load: Load, spent_s: FloatArray) -> tuple[float, float]:
    return float(spent_s.mean()) / load.mean_s - 1.0, float(np.percentile(spent_s, 95)) / load.p95_s - 1.0


def chart(file: Path, rows: list[tuple[Together, float, float]], found: list[tuple[Load, float, float]]) -> None:
    """Draw time by number of users at each distance, and time by load.

    Args:
        file: SVG or PNG to write.
        rows: uploads that begin together, each with cosim's time.
        found: loads, each with cosim's mean and 95th percentile.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "cosim"  # the same numbers give the same file
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.0, 4.2), layout="constrained")
    colours = plt.get_cmap("viridis")
    distances_m = sorted({row.distances_m[0] for row, _, _ in rows})
    for place, far_m in enumerate(distances_m):
        mine = [(row, spent_s) for row, spent_s, _ in rows if row.distances_m[0] == far_m and row.bit == 1_000_000]
        users = [len(row.distances_m) for row, _ in mine]
        colour = colours(place / len(distances_m))
        left.plot(users, [spent_s * 1e3 for _, spent_s in mine], color=colour)
        left.plot(users, [max(row.packets_s) * 1e3 for row, _ in mine], "o", color=colour)
        left.annotate(f"{far_m:.0f} m", (8.7, mine[-1][1] * 1e3), fontsize=8, va="center")
    left.set(
        xscale="log",
        yscale="log",
        xlim=(0.9, 12.5),
        xlabel="users at once",
        ylabel="time of the last file of 1 Mbit, ms",
    )
    left.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    left.minorticks_off()
    left.set_title("uploads that begin together", fontsize=9)
    for axes, bit, title in (
        (middle, 1_000_000, "files of 1 Mbit: granted 17 % more than they have"),
        (right, 980_000, "files of 0.98 Mbit: granted 2 % more"),
    ):
        for far_m, colour in ((100.0, _NEAR), (300.0, _FAR)):
            mine = [one for one in found if one[0].distance_m == far_m and one[0].bit == bit]
            at = [load.load for load, _, _ in mine]
            axes.plot(
                at, [mean_s * 1e3 for _, mean_s, _ in mine], marker="+", color=colour, label=f"{far_m:.0f} m, mean"
            )
            axes.plot(at, [load.mean_s * 1e3 for load, _, _ in mine], "o", color=colour)
            axes.plot(at, [p95_s * 1e3 for _, _, p95_s in mine], "+--", color=colour, label=f"{far_m:.0f} m, 95th pc.")
            axes.plot(at, [load.p95_s * 1e3 for load, _, _ in mine], "s", color=colour)
        axes.set(yscale="log", xlabel="load of 40 users, Poisson", ylabel="time of a file, ms", ylim=(25.0, 3e4))
        axes.set_xticks([0.3, 0.6, 0.8])
        axes.set_title(title, fontsize=9)
        axes.legend(fontsize=8, loc="upper left", title="lines: cosim, dots: packets", title_fontsize=8)
    for axes in (left, middle, right):
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.grid(alpha=0.3)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None, dpi=110)


def main() -> None:
    """Print the tables, and draw the chart if asked."""
    parser = argparse.ArgumentParser(description="The radio beside a packet-level simulator.")
    parser.add_argument("--chart", type=Path, help="SVG or PNG file to write")
    given = parser.parse_args()
    rows = _rows("Uploads that begin together, users at one distance", at_one_distance())
    _rows("Users at different distances, and downlinks", apart())
    found = _loads()
    if given.chart is not None:
        chart(given.chart, rows, found)


if __name__ == "__main__":
    main()
