"""A minute of four sites with keys and a ledger, one of whose validators proposes and votes twice."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cosim.runner import simulate
from cosim.scenario.load import load

BASE = YAML(typ="safe").load(
    """
name: chained
duration_s: 60
seed: 3
policy: random
mobility: {kind: synthetic, vehicles: 12, roads: 2, length_m: 900, speed_mps: 15}
sites:
  kind: listed
  sites:
    - {name: a, x_m: 100, y_m: 20}
    - {name: b, x_m: 350, y_m: 20}
    - {name: c, x_m: 600, y_m: 20}
    - {name: d, x_m: 850, y_m: 20}
radio: {path_loss: {kind: power_law}}
cloud: {cores: 4, core_hz: 3e9}
statistics: {batches: 3, warmup_s: 5}
tasks: {arrivals: {kind: poisson, rate_per_s: 0.3}}
keys:
  pool: {initial_bit: 1000000}
  vehicle: {kind: site, initial_bit: 20000}
  use: {kind: aes256_rekey, lifetime_byte: 100000}
"""
)
LEDGER = {
    "block": {"interval_s": 5, "batch_records": 40},
    "faults": [{"kind": "double_vote", "validator": "b", "start_s": 10, "end_s": 40}],
}


def chained_run(folder: Path, ledger: dict[str, Any] | None = LEDGER) -> Path:
    """Run it with another ledger, or without one, into a folder that is not there yet."""
    folder.mkdir(parents=True)
    path = folder / "chained.yaml"
    with path.open("w") as stream:
        YAML(typ="safe").dump(BASE if ledger is None else {**BASE, "ledger": ledger}, stream)
    simulate(load(path), folder / "run")
    return folder / "run"
