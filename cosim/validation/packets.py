"""Transfers beside those of a packet-level simulator, ns-3's LTE module: its times, and runs in the same place.

The times were made by benchmarks/packet_level_ns3.py: one cell of 20 MHz, users at 23 dBm without power control, path
loss 40 dB + 30 log10(d / 1 m), no fading, noise figure 5 dB, round robin. Files of packets of 1250 bytes begin
together, one of each user; the time ends with the last byte behind the core network, whose wires have no delay.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, ParamSpec

import numpy as np

from cosim.decision import Action
from cosim.scenario.schema import Scenario
from cosim.simulation import Simulation
from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.writer import NullWriter
from cosim.types import FloatArray, Status, Tier

P = ParamSpec("P")

USERS: Final = (1, 2, 4, 8)
_NEAR_M: Final = 300.0
_STEP_M: Final = 50.0
_NEXT_TO_NOTHING: Final = 1.0
_TOGETHER_S: Final[Mapping[int, Mapping[float, tuple[float, ...]]]] = {
    100_000: {
        50.0: (0.01293, 0.01394, 0.01694, 0.02294),
        100.0: (0.01393, 0.01593, 0.01994, 0.02994),
        150.0: (0.01493, 0.01793, 0.02493, 0.03994),
        200.0: (0.01693, 0.02193, 0.03193, 0.05394),
        300.0: (0.02093, 0.03093, 0.05093, 0.09594),
        400.0: (0.03393, 0.05793, 0.10593, 0.21494),
        500.0: (0.04793, 0.08593, 0.16593, 0.33994),
    },
    1_000_000: {
        50.0: (0.02494, 0.03894, 0.06694, 0.12894),
        100.0: (0.03293, 0.05593, 0.10093, 0.19694),
        150.0: (0.04493, 0.07893, 0.14393, 0.29594),
        200.0: (0.06293, 0.11493, 0.21893, 0.43994),
        300.0: (0.11093, 0.21093, 0.40793, 0.85994),
        400.0: (0.23593, 0.47793, 0.96093, 2.04594),
        500.0: (0.38093, 0.76093, 1.55593, 3.29794),
    },
}
"""Seconds until the last of 1, 2, 4 and 8 users is done, by bits of a file and distance."""
_APART_S: Final = (
    (False, (50.0, 300.0), (0.03893, 0.12793)),
    (False, (50.0, 100.0, 200.0, 300.0), (0.06693, 0.09493, 0.15793, 0.21393)),
    (True, (50.0, 300.0), (0.033, 0.092)),
    (True, (50.0, 100.0, 200.0, 300.0), (0.062, 0.078, 0.122, 0.155)),
    (True, (100.0,), (0.022,)),
    (True, (100.0,) * 4, (0.083,) * 4),
    (True, (300.0,) * 4, (0.309,) * 4),
)
"""Seconds until each user is done with a file of 1 Mbit: whether to the users, their distances, times.

Downlink: 30 dBm, noise figure 9 dB at the users, modulation and coding for the bit error rate of the uplink."""


@dataclass(frozen=True, slots=True)
class Together:
    """Users whose files begin together, and the time of each at packet level."""

    bit: int
    down: bool
    """Whether files go to the users."""
    distances_m: tuple[float, ...]
    """Of each user."""
    packets_s: tuple[float, ...]
    """Time until the last packet of each."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        far_m = dict.fromkeys(f"{one:g}" for one in self.distances_m)
        way = "down" if self.down else "up"
        return f"{len(self.distances_m)} x {self.bit / 1e6:g} Mbit {way} at {', '.join(far_m)} m"

    def flows_s(self) -> FloatArray:
        """Return the time that a run gives for each user, in s."""
        files = [Sent(1.0, user, self.bit) for user in range(len(self.distances_m))]
        return sent_s(self.distances_m, files, down=self.down)

    def error(self) -> float:
        """Return how much longer a run takes than packets, as a share: the largest of the users' in absolute value."""
        errors = self.flows_s() / np.array(self.packets_s) - 1.0
        return float(errors[np.abs(errors).argmax()])


def at_one_distance() -> Iterator[Together]:
    """Yield the uploads of users at one distance: small files first, near users first."""
    for bit, by_distance in _TOGETHER_S.items():
        for distance_m, times_s in by_distance.items():
            for users, last_s in zip(USERS, times_s, strict=True):
                yield Together(bit, False, (distance_m,) * users, (last_s,) * users)


def apart() -> Iterator[Together]:
    """Yield users at different distances, and downlinks."""
    for down, distances_m, times_s in _APART_S:
        yield Together(1_000_000, down, distances_m, times_s)


def bound(row: Together) -> float:
    """Return the largest error that a row may have: 10 % up to 300 m, 25 % beyond; 15 % for downlinks."""
    near = 0.15 if row.down else 0.1
    return near if max(row.distances_m) <= _NEAR_M else 0.25


class Sent(NamedTuple):
    """One file of a run."""

    time_s: float
    """When it begins; radio and traffic begin at 0."""
    user: int
    """Index into the users' places."""
    bit: float


def radio() -> dict[str, Any]:
    """Return the section `radio` of the runs: LTE in 20 MHz, with the path loss and antennas of ns-3's runs."""
    return {
        "preset": "lte_20mhz",
        "antenna_gain_db": 0.0,
        "vehicle_noise_figure_db": 9.0,
        "path_loss": {"kind": "power_law", "exponent": 3.0, "gain_at_1m_db": -40.0},
    }


def sent_s(distances_m: Sequence[float], files: Sequence[Sent], *, down: bool = False) -> FloatArray:
    """Return the times of files in s, (n,), in a run with one site; NaN for those on their way 20 s after the last.

    Each file is that of a task: its upload or, for `down`, its result. Tasks have next to nothing to compute.

    Args:
        distances_m: of each user to the site: all equal, or different multiples of 50 m.
        files: the files, ascending in time.
        down: from the site to the users.
    """
    ends = _Ends()
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = [
            f"{one.time_s!r},car{_car(distances_m, one.user):08d},{_NEXT_TO_NOTHING if down else one.bit!r},"
            f"{one.bit if down else _NEXT_TO_NOTHING!r}\n"
            for one in files
        ]
        (folder / "files.csv").write_text("time_s,vehicle_id,input_bit,output_bit\n" + "".join(lines), encoding="ascii")
        run = Simulation(_scenario(distances_m, files[-1].time_s + 20.0), ends, folder)
        try:
            while (epoch := run.advance()) is not None:
                run.decide(Action(option=(epoch.observation.tier == Tier.EDGE).argmax(axis=1)))
        finally:
            run.close()
    spent_s = np.full(len(files), np.nan)
    for end in ends.found:
        if not down:
            spent_s[end.task] = end.uplinked_s - end.uplink_s
        elif end.status == Status.COMPLETED:
            spent_s[end.task] = end.time_s - end.downlink_s
    return spent_s


def _car(distances_m: Sequence[float], user: int) -> int:
    """Return the number of a user's car: cars stand on parallel roads, one above the other."""
    return user if len(set(distances_m)) == 1 else round(distances_m[user] / _STEP_M)


def _scenario(distances_m: Sequence[float], duration_s: float) -> Scenario:
    """Return a site beside cars that stand: all at one place, or each 50 m further away than the last."""
    same = len(set(distances_m)) == 1
    roads = len(distances_m) if same else round(max(distances_m) / _STEP_M) + 1
    return Scenario.model_validate(
        {
            "duration_s": duration_s,
            "statistics": {"warmup_s": 0.0},
            "mobility": {
                "kind": "synthetic",
                "vehicles": roads,
                "roads": roads,
                "spacing_m": 0.0 if same else _STEP_M,
                "speed_mps": 0.0,
            },
            "sites": {"kind": "listed", "sites": [{"name": "A", "x_m": distances_m[0] if same else 0.0, "y_m": 0.0}]},
            "radio": radio(),
            "compute": {"edge": {"cores": 1000, "core_hz": 1e9}},
            "tasks": {
                "arrivals": {"kind": "file", "file": "files.csv"},
                "classes": [{"name": "file", "input_bit": 1.0, "output_bit": 1.0, "cycles": 1.0, "deadline_s": 1e4}],
            },
            "decisions": {"kind": "per_task"},
        }
    )


class _Ends(NullWriter):
    """Keeps the ends of tasks."""

    def __init__(self) -> None:
        self.found: list[TaskEnded] = []

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:
        """Return a function that keeps a fact if it is the end of a task."""

        def record(*values: P.args, **named: P.kwargs) -> None:
            made = fact(*values, **named)
            if isinstance(made, TaskEnded):
                self.found.append(made)

        return record
