"""Whatever vehicles do and whoever decides, the facts of a run add up."""

import numpy as np
import pytest
from effort import seeds
from link_oracle import KINDS
from stories import AWAY, merged, scenario, tell

from cosim.decision import Action, Observation
from cosim.trace.lateness.causes import attribute_delay, part_names
from cosim.trace.store.reader import Trace

CARS = 6
TICKS = 13


class Blind:
    """Any option, feasible or not, and any knob."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def decide(self, observation: Observation) -> Action:
        """Draw everything."""
        tasks, options = observation.tier.shape
        share, power_w, cpu_share = self._rng.uniform(0.0, 1.2, (3, tasks))
        return Action(self._rng.integers(options, size=tasks), share, power_w, cpu_share)


def path(rng: np.random.Generator) -> list:
    """A drive along three sites and their holes, with standing, entering late, leaving early, and teleports."""
    x_m, places = rng.uniform(-50, 550), [None] * int(rng.integers(0, 4))
    while len(places) < TICKS and rng.random() > 0.06:
        x_m += rng.choice([0.0, rng.uniform(-80, 80)])
        places.append(AWAY if rng.random() < 0.1 else (float(np.clip(x_m, -50, 550)), 10.0))
    return places


def options(rng: np.random.Generator) -> dict:
    """One choice of every alternative."""
    power_law = {"kind": "power_law", "gain_at_1m_db": 0.0}
    return {
        "duration_s": float(rng.choice([12.0, 11.3])),
        "sites": {
            "kind": "listed",
            "sites": [
                {"name": name, "x_m": x_m, "y_m": 0.0, **({"cores": 0} if rng.random() < 0.2 else {})}
                for name, x_m in (("A", 0.0), ("B", 150.0), ("C", 500.0))
            ],
        },
        "radio": {
            "association": str(rng.choice(["strongest", "target"])),
            "interference": bool(rng.random() < 0.5),
            "outage_s": float(rng.choice([0.0, 0.7, 3.0])),
            "max_efficiency_bps_hz": [1.0, None][int(rng.integers(2))],
            "link": list(KINDS.values())[int(rng.integers(4))],
            "access": [{"kind": "ofdma"}, {"kind": "fixed"}, {"kind": "noma"}, {"kind": "noma", "sic": False}][
                int(rng.integers(4))
            ],
            "handover": {
                "interruption_s": float(rng.choice([0.0, 0.3, 1.5])),
                "transfer": str(rng.choice(["continue", "restart"])),
            },
            "sidelink": {"range_m": 120.0, "max_neighbours": 2, "path_loss": power_law},
        },
        "backhaul": {"kind": str(rng.choice(["star", "mesh"])), "bandwidth_bps": 2e6, "latency_s": 0.05},
        "cloud": {"cores": 1, "core_hz": 2e9},
        "compute": {
            "edge": {
                "discipline": str(rng.choice(["fifo", "priority", "processor_sharing"])),
                "queue_limit": [None, 0, 2][int(rng.integers(3))],
            },
            "vehicle": {"queue_limit": [None, 1][int(rng.integers(2))]},
        },
        "energy": {"vehicle_budget_j": [None, 3.0][int(rng.integers(2))], "receive_power_w": 0.1},
        "tasks": {
            "arrivals": {"kind": "poisson", "rate_per_s": 1.0},
            "on_deadline": str(rng.choice(["finish", "drop"])),
            "classes": [
                {
                    "name": "any",
                    "input_bit": {"kind": "exponential", "mean": 8e5},
                    "output_bit": {"kind": "choice", "values": [0.0, 3e5]},
                    "cycles": {"kind": "exponential", "mean": 5e8},
                    "deadline_s": {"kind": "uniform", "low": 0.2, "high": 6.0},
                }
            ],
        },
        "decisions": {
            "kind": str(rng.choice(["per_task", "periodic"])),
            "knobs": ["target", "share", "power", "cpu_share"],
            "inference_s": float(rng.choice([0.0, 0.2])),
        },
    }


def grants(rng: np.random.Generator) -> dict:
    """Waits for grants: none, short, as long as a tick, or longer, for each medium by itself."""
    waits = zip(("uplink", "downlink", "sidelink"), rng.choice([0.0, 0.0, 0.03, 0.25, 1.0, 1.3], 3), strict=True)
    return {medium: float(wait_s) for medium, wait_s in waits}


@pytest.mark.parametrize("seed", seeds(100, least=5))
def test_any_story_adds_up(tmp_path, seed):
    """Every task of a wild run ends once, in order; all sums and integrals agree, and so do the parts of its time."""
    rng = np.random.default_rng(seed)
    chosen = merged({**options(rng), "seed": seed}, {"radio": {"grant_s": grants(rng)}})
    assert scenario(**chosen).seed == seed
    story = tell(tmp_path, {f"v{n}": path(rng) for n in range(CARS)}, [], Blind(rng), **chosen)
    released = story.of("TaskReleased")
    assert len(released) == len(story.of("TaskEnded")) > 5
    with Trace.open(story.run) as trace:
        table = attribute_delay(trace, "true")
    parts_s = table[[f"{name}_s" for name in part_names()]].to_numpy()
    assert (parts_s >= 0.0).all()
    np.testing.assert_allclose(parts_s.sum(axis=1), table.elapsed_s, rtol=0, atol=1e-9)
