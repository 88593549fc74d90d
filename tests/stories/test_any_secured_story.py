"""Whatever is done to links, pools and validators, the facts of a run with keys and a ledger add up."""

import numpy as np
import pytest
from effort import seeds
from secured import KEY, RATE
from stories import AWAY, sites, tell

from cosim.decision import Action, Observation
from cosim.trace.store.reader import Trace

TICKS = 11
NAMES = "ABCD"


class Blind:
    """Any option, any detector, any proposer."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def decide(self, observation: Observation) -> Action:
        """Draw everything."""
        rng, (tasks, options) = self._rng, observation.tier.shape
        assert observation.keys is not None
        detector = rng.uniform(-0.2, 1.2, len(observation.keys.detector))
        return Action(rng.integers(options, size=tasks), detector=detector, proposer=int(rng.integers(4)))


def path(rng: np.random.Generator) -> list:
    """A drive past four sites that cover it all, with late entries, early ends and teleports."""
    x_m, places = rng.uniform(0, 450), [None] * int(rng.integers(0, 3))
    while len(places) < TICKS and rng.random() > 0.06:
        x_m = float(np.clip(x_m + rng.uniform(-80, 80), 0, 450))
        places.append(AWAY if rng.random() < 0.05 else (x_m, 10.0))
    return places


def pick(rng: np.random.Generator, *choices):
    """One of them."""
    return choices[int(rng.integers(len(choices)))]


def span(rng: np.random.Generator) -> dict:
    """From sometime to sometime later."""
    start_s = float(rng.uniform(0, 8))
    return {"start_s": start_s, "end_s": start_s + float(rng.uniform(0.1, 4))}


def keys(rng: np.random.Generator) -> dict:
    """Any use, filling, shape, shortage and attacks."""
    shape = pick(rng, "ring", "mesh", "star")
    links = {"ring": ["AB", "BC", "CD"], "mesh": ["AB", "BC", "CD"], "star": []}[shape]
    attacks = [
        {"kind": pick(rng, "eavesdropper", "cut"), "ends": tuple(pick(rng, *links)), **span(rng)}
        for _ in range(int(rng.integers(4)) if links else 0)
    ]
    filling = {"kind": pick(rng, "site", "free_space", "dock"), "capacity_bit": 4 * KEY}
    low = {} if filling["kind"] == "dock" else {"low_water_bit": 2 * KEY, "rate_bps": 300.0}
    return {
        "rate": pick(
            rng,
            RATE,
            {**RATE, "dark_count": 1e-4},
            {"kind": "bbm92", "pulse_hz": 3e4},
            {"kind": "finite_key", "pulse_hz": 1e5},
            {"kind": "qib_vec"},
        ),
        "topology": {"shape": shape, "neighbours": 1},
        "pool": {
            "capacity_bit": 8 * KEY,
            "initial_bit": pick(rng, 0, 3 * KEY, 8 * KEY),
            "low_water_bit": pick(rng, 0, KEY),
            "expiry_s": pick(rng, None, 1.3),
        },
        "vehicle": {**filling, **low, "expiry_s": pick(rng, None, 2.5)},
        "use": pick(
            rng,
            {"kind": "aes256_rekey", "lifetime_byte": 2e5, "lifetime_s": 1.5},
            {"kind": "aes256_rekey"},
            {"kind": "otp"},
            {"kind": "none"},
        ),
        "shortage": {
            "order": pick(rng, "fifo", "priority"),
            "patience_s": pick(rng, None, 0.0, 0.7),
            "then": pick(rng, "fail", "downgrade"),
        },
        "slot_s": pick(rng, 1.0, 0.4),
        "block_slots": pick(rng, 1, 3),
        "abort_pause_s": pick(rng, 0.0, 1.7),
        "attacks": attacks,
    }


def ledger(rng: np.random.Generator) -> dict:
    """Less than a third of the stake misbehaves, and validators are parted for a time."""
    kinds = "silent", "slow", "equivocate", "double_vote", "invalid"
    faults = [{"kind": pick(rng, *kinds), "validator": pick(rng, *NAMES)}] if rng.random() < 0.8 else []
    partitions = [{**span(rng), "side": list(pick(rng, "A", "AB", "ABC"))} for _ in range(int(rng.integers(3)))]
    return {
        "proposer": pick(rng, "weighted_round_robin", "sortition"),
        "signature": pick(rng, "ed25519", "ml_dsa_44", "ml_dsa_65"),
        "block": {
            "interval_s": pick(rng, 1.0, 2.5),
            "batch_records": pick(rng, 1, 100),
            "fixed": pick(rng, False, True),
        },
        "cost": {"density_cycles_per_bit": pick(rng, 0.0, 737.5, 2e4)},
        "timeouts": {"propose_s": 0.5, "vote_s": 0.3, "growth_s": 0.2},
        "faults": faults,
        "partitions": partitions,
    }


@pytest.mark.parametrize("seed", seeds(60, least=3))
def test_any_secured_story_adds_up(tmp_path, seed):
    """Every task of a wild run ends once, blocks follow each other, and the audit finds all of it sound."""
    rng = np.random.default_rng(seed)
    size_bit = pick(rng, 8e5, 300.0)
    story = tell(
        tmp_path,
        {f"v{n}": path(rng) for n in range(6)},
        [],
        Blind(rng),
        seed=seed,
        sites=sites(**{name: 150.0 * n for n, name in enumerate(NAMES)}),
        duration_s=pick(rng, 12.0, 11.3),
        radio={"sidelink": {"range_m": 120.0, "path_loss": {"kind": "power_law", "gain_at_1m_db": 0.0}}},
        backhaul={"kind": pick(rng, "star", "mesh"), "bandwidth_bps": pick(rng, 2e5, 1e7), "latency_s": 0.02},
        cloud={"cores": 1, "core_hz": 2e9},
        compute={
            "edge": {
                "discipline": pick(rng, "fifo", "priority", "processor_sharing"),
                "queue_limit": pick(rng, None, 1),
            }
        },
        tasks={
            "arrivals": {"kind": "poisson", "rate_per_s": 1.0},
            "on_deadline": pick(rng, "finish", "drop"),
            "classes": [
                {
                    "name": "any",
                    "input_bit": {"kind": "exponential", "mean": size_bit},
                    "output_bit": {"kind": "choice", "values": [0.0, size_bit / 2]},
                    "cycles": {"kind": "exponential", "mean": 5e8},
                    "deadline_s": {"kind": "uniform", "low": 0.2, "high": 6.0},
                }
            ],
        },
        decisions={"kind": pick(rng, "per_task", "periodic"), "knobs": ["target", "detector", "proposer"]},
        keys=keys(rng),
        ledger=ledger(rng),
    )
    assert len(story.of("TaskReleased")) == len(story.of("TaskEnded")) > 5
    with Trace.open(story.run) as trace:
        heights = trace.sql("SELECT height FROM block_committed ORDER BY seq").height.tolist()
    assert heights == list(range(1, len(heights) + 1))
