"""The log of records that each site has written and not yet sealed into a batch."""

from cosim.ledger.records import pack_key_block, pack_key_fill, pack_offload
from cosim.types import Status

_SERVED = (Status.COMPLETED, Status.LATE)


class RecordLog:
    """Pending records of each site, in the order in which their facts are recorded.

    The order is that of the trace, so that the same bytes can be made again from a finished trace.
    """

    def __init__(self, sites: int) -> None:
        self.pending: list[list[bytes]] = [[] for _ in range(sites)]
        self.served = [0] * sites
        """Number of pending offloads of each site whose result got back to the vehicle."""

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
        """Add the record of a task that has ended and was sent to this site, or through it to the cloud.

        Args:
            site: number of the site that keeps the record.
            ended_s: when the task ended.
            task: id of the task.
            vehicle: number of its vehicle.
            status: how it ended.
            released_s: when it was released.
            energy_j: energy that the task took at its host.
            key_bit: key bits that its transfers took.
        """
        self.pending[site].append(pack_offload(task, vehicle, site, status, released_s, ended_s, energy_j, key_bit))
        if status in _SERVED:
            self.served[site] += 1

    def key_block(self, site: int, time_s: float, link: int, key_bit: int, qber: float) -> None:
        """Add the record of a key block that a QKD link of this site has distilled.

        Args:
            site: number of the site that keeps the record.
            time_s: when the block was distilled.
            link: number of the link.
            key_bit: secret bits of the block.
            qber: its error rate.
        """
        self.pending[site].append(pack_key_block(link, key_bit, qber, time_s))

    def key_fill(self, site: int, time_s: float, vehicle: int, key_bit: int) -> None:
        """Add the record of key bits that this site has given to a vehicle.

        Args:
            site: number of the site that keeps the record.
            time_s: when the vehicle was filled.
            vehicle: number of the vehicle.
            key_bit: bits that it got.
        """
        self.pending[site].append(pack_key_fill(vehicle, site, key_bit, time_s))

    def take(self, site: int, most: int) -> tuple[list[bytes], int]:
        """Remove and return the oldest records of a site, at most `most`, and the number of offloads served in them."""
        pending = self.pending[site]
        taken = pending[:most]
        served = self.served[site] if len(taken) == len(pending) else sum(map(is_served, taken))
        del pending[:most]
        self.served[site] -= served
        return taken, served


def is_served(record: bytes) -> bool:
    """Return whether a record is of an offload whose result got back to the vehicle."""
    return record[0] == 1 and record[17] in _SERVED  # bytes of kind and status, see `records.LAYOUTS`
