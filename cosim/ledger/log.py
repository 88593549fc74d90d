"""The records that each site has written and not yet sealed."""

from cosim.ledger.records import pack_key_block, pack_key_fill, pack_offload
from cosim.types import Status

_SERVED = (Status.COMPLETED, Status.LATE)


class RecordLog:
    """Pending records by site, in the order in which their facts are stated: a finished trace gives the same bytes."""

    def __init__(self, sites: int) -> None:
        self.pending: list[list[bytes]] = [[] for _ in range(sites)]
        self.served = [0] * sites
        """Offloads among them whose result got back to its vehicle."""

    def offload(
        self,
        site: int,
        ended_s: float,
        task: int,
        vehicle: int,
        status: Status,
        released_s: float,
        energy_j: float,
        key_bit: int,
    ) -> None:
        """A task that was sent to this site, or through it to the cloud, has ended."""
        self.pending[site].append(pack_offload(task, vehicle, site, status, released_s, ended_s, energy_j, key_bit))
        if status in _SERVED:
            self.served[site] += 1

    def key_block(self, site: int, time_s: float, link: int, key_bit: int, qber: float) -> None:
        """A QKD link of this site has distilled a block."""
        self.pending[site].append(pack_key_block(link, key_bit, qber, time_s))

    def key_fill(self, site: int, time_s: float, vehicle: int, key_bit: int) -> None:
        """A vehicle has got key bits from this site."""
        self.pending[site].append(pack_key_fill(vehicle, site, key_bit, time_s))

    def take(self, site: int, most: int) -> tuple[list[bytes], int]:
        """The oldest records of a site, at most `most`, and the offloads served among them."""
        pending = self.pending[site]
        taken = pending[:most]
        served = self.served[site] if len(taken) == len(pending) else sum(map(is_served, taken))
        del pending[:most]
        self.served[site] -= served
        return taken, served


def is_served(record: bytes) -> bool:
    """Is it an offload whose result got back?"""
    return record[0] == 1 and record[17] in _SERVED
