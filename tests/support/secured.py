"""Keys and ledger in small stories: sections for sums by head, and words for what happens.

Links: `RATE` makes 256.01 bit in each second, one AES key, on a link of no length. Vehicles load at a dock before they
enter, so that only transfers draw on links.

Ledger: wires take 0.1 s a hop and nothing for bits, so that each message between two sites takes 0.2 s; the work of
blocks costs nothing. A height that begins at t is proposed at t, prevoted at t + 0.2, precommitted at t + 0.4 and final
at t + 0.6.
"""

from collections.abc import Mapping
from math import e
from typing import Any

from cosim.trace.facts.keys import KeyLinkDeployed, KeyNodeDeployed, KeyPoolSampled, VehicleKeysSampled
from cosim.trace.facts.ledger import ValidatorDeployed
from cosim.trace.store.reader import Trace
from cosim.types import KeyState, LinkState, Offence, Work

UNTOLD = (KeyNodeDeployed, KeyLinkDeployed, KeyPoolSampled, VehicleKeysSampled, ValidatorDeployed)
KEY = 256
RATE: Mapping[str, Any] = {
    "kind": "decoy_bb84",
    "fibre_db_per_km": 0.0,
    "detector_efficiency": 1.0,
    "sifting": 1.0,
    "signal_mu": 1.0,
    "dark_count": 1e-12,
    "misalignment": 0.0,
    "pulse_hz": 256.01 * e,
}
"""No loss and no errors: of pulses with one photon on average 1/e carry exactly one, which is a secret bit."""
KEYS: Mapping[str, Any] = {
    "rate": RATE,
    "pool": {"capacity_bit": 100 * KEY, "initial_bit": 0},
    "vehicle": {"kind": "dock", "capacity_bit": 100 * KEY},
    "use": {"kind": "aes256_rekey"},
    "slot_s": 1.0,
}
LEDGER: Mapping[str, Any] = {
    "signature": "ed25519",
    "block": {"interval_s": 2.0},
    "timeouts": {"propose_s": 1.0, "vote_s": 0.5},
    "cost": {"density_cycles_per_bit": 0.0, "cycles_per_credit": 0.0, "cycles_per_check": 0.0},
    "credits": {"producer": 0, "voters": 0, "penalty": 0},
}
WIRE: Mapping[str, Any] = {"kind": "star", "bandwidth_bps": 1e15, "latency_s": 0.1}


class SecuredNames:
    """Words for the facts of keys and ledger."""

    def __init__(self, trace: Trace, vehicle: Mapping[int, str]) -> None:
        self._vehicle = vehicle
        nodes = dict(trace.sql("SELECT node, name FROM key_node_deployed").itertuples(index=False))
        self._node = nodes
        links = trace.sql("SELECT link, from_node, to_node FROM key_link_deployed").itertuples(index=False)
        self._link = {link: f"{nodes[start]}-{nodes[end]}" for link, start, end in links}
        self._site = dict(trace.sql("SELECT site, name FROM site_deployed").itertuples(index=False))
        validators = trace.sql("SELECT validator, site FROM validator_deployed").itertuples(index=False)
        self._validator = {validator: self._site[site] for validator, site in validators}

    def line(self, kind: str, row: dict[str, Any]) -> str:
        """What follows the kind."""
        of_keys = "Key" in kind or kind == "DetectorTurned"
        return self._of_keys(kind, row) if of_keys else self._of_ledger(kind, row)

    def _of_keys(self, kind: str, row: dict[str, Any]) -> str:
        match kind:
            case "KeyBlockDistilled":
                return f"{self._link[row['link']]} {row['stored_bit']} of {row['bit']} bit"
            case "KeyLinkChanged":
                return f"{self._link[row['link']]} {LinkState(row['state']).name}"
            case "VehicleKeysFilled":
                dropped = f", {row['dropped_bit']} dropped" if row["dropped_bit"] else ""
                return f"{self._vehicle[row['vehicle']]} at {self._node[row['node']]} {row['bit']} bit{dropped}"
            case "TaskKeyed":
                return f"{row['task']} {KeyState(row['state']).name}"
            case "DetectorTurned":
                return f"{self._link[row['link']]} {row['detector']:g}"
        raise KeyError(kind)

    def _of_ledger(self, kind: str, row: dict[str, Any]) -> str:
        match kind:
            case "StakeChanged":
                ways = [f" {way} {row[way]}" for way in ("earned", "settled", "slashed", "joined") if row[way]]
                told = f"{row['height']} {self._validator[row['validator']]} {row['credits']}{','.join(ways)}"
            case "BatchSealed":
                told = self._batch(row)
            case "BatchCommitted":
                told = f"{row['height']} {self._batch(row)}"
            case "ConsensusWorked":
                told = f"{self._site[row['site']]} {row['height']} {Work(row['work']).name}"
            case "ProposerAsked":
                told = self._site[row["site"]]
            case "ValidatorsParted":
                told = f"{('heals', 'begins')[row['begins']]} {row['groups']}"
            case _:
                told = self._of_votes(kind, row)
        return told

    def _batch(self, row: dict[str, Any]) -> str:
        return f"{self._site[row['site']]} {row['batch']} with {row['records']} records"

    def _of_votes(self, kind: str, row: dict[str, Any]) -> str:
        name = self._validator
        match kind:
            case "BlockProposed":
                told = f"{row['height']}.{row['round']} {name[row['proposer']]} {row['batches']} batches"
            case "BlockCommitted":
                told = f"{row['height']}.{row['round']} {name[row['proposer']]} {row['records']} records"
            case "VoteCast":
                vote = f"{('PREVOTE', 'PRECOMMIT')[row['phase']]} {('no', 'yes')[row['agrees']]}"
                told = f"{row['height']}.{row['round']} {name[row['validator']]} {vote}"
            case "OffenceFound":
                offence = f"{Offence(row['offence']).name} by {name[row['finder']]}"
                told = f"{row['height']}.{row['round']} {name[row['accused']]} {offence}"
            case "EvidenceCommitted":
                offence = f"{Offence(row['offence']).name} at {row['offence_height']}.{row['offence_round']}"
                told = f"{row['height']} {name[row['accused']]} {offence}"
            case _:
                raise KeyError(kind)
        return told
