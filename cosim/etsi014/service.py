"""The three methods of ETSI GS QKD 014 V1.1.1, clause 5, over a network of pools: get status, get key, get key by ID.

Each site or node is one KME with one SAE: the SAE has the name of the site, the KME that name after `kme-`. A key of b
bits takes b bits of every link on the route from the master's KME to each slave's. The standard leaves the limits of
requests to the KME; those here are our choice, and `status` reports them. Where the standard has words for a refusal
(size, extensions, unknown keys) they are the message, for clients that compare it.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Protocol

from cosim.etsi014.keystore import BYTE_BIT, KeyStore
from cosim.etsi014.messages import Key, KeyContainer, KeyIds, KeyRequest, KmeStatus, SaeId
from cosim.etsi014.refusal import BAD_REQUEST, SERVER_SIDE, Refusal

KEY_BIT = 256
"""Default size of a key: AES-256."""
MIN_KEY_BIT = 64
MAX_KEY_BIT = 4096
MAX_KEYS = 128
"""Most keys of a request."""
MAX_ADDITIONAL = 8
"""Most slaves of a request besides the one in its path."""


class KeySource(Protocol):
    """A source of the bits of keys."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the sites and nodes."""
        ...

    def take(self, master: str, slaves: Sequence[str], bit: int) -> bool:
        """Take `bit` bits from every link on the route to each slave and return True; or take nothing, False.

        Args:
            master: site or node of the SAE that asks.
            slaves: sites or nodes of the others.
            bit: key bits.
        """
        ...

    def stored_bit(self, master: str, slave: str) -> int:
        """Return the most bits that can be taken now between the two."""
        ...

    def capacity_bit(self, master: str, slave: str) -> int:
        """Return the most bits that can ever be stored between the two; 0 if no links join them."""
        ...


class KeyDelivery:
    """The methods of the KMEs, for SAEs that are authenticated already; all of them may raise `Refusal`."""

    def __init__(self, source: KeySource, store: KeyStore) -> None:
        self._source = source
        self._store = store
        self._names = frozenset(source.names)

    def status(self, master: SaeId, slave: SaeId) -> KmeStatus:
        """Return the status, clause 5.1, for the caller as master; counts are in keys of the default size."""
        self._check_pair(master, slave)
        return KmeStatus(
            source_KME_ID=f"kme-{master}",
            target_KME_ID=f"kme-{slave}",
            master_SAE_ID=master,
            slave_SAE_ID=slave,
            key_size=KEY_BIT,
            stored_key_count=self._source.stored_bit(master, slave) // KEY_BIT,
            max_key_count=self._source.capacity_bit(master, slave) // KEY_BIT,
            max_key_per_request=MAX_KEYS,
            max_key_size=MAX_KEY_BIT,
            min_key_size=MIN_KEY_BIT,
            max_SAE_ID_count=MAX_ADDITIONAL,
        )

    def make(self, master: SaeId, slave: SaeId, request: KeyRequest) -> KeyContainer:
        """Make fresh keys for the caller, clause 5.2, all or none; they wait for the slaves under their key_IDs.

        Args:
            master: SAE that asks.
            slave: SAE in the path, the first slave.
            request: number and size of the keys, and further slaves.
        """
        number = 1 if request.number is None else request.number
        size_bit = KEY_BIT if request.size is None else request.size
        slaves = (slave, *(request.additional_slave_SAE_IDs or ()))
        _check_extensions(request)
        _check_amount(number, size_bit)
        self._check_slaves(master, slaves)
        if number > self._store.room(master):
            raise Refusal(SERVER_SIDE, "too many keys wait for their slaves; let them be fetched by dec_keys first")
        if not self._source.take(master, slaves, number * size_bit):
            raise Refusal(
                SERVER_SIDE,
                f"the pools towards {', '.join(slaves)} do not hold {number * size_bit} bit; try again later",
            )
        made = (self._store.make(master, slaves, size_bit) for _ in range(number))
        return KeyContainer(keys=tuple(Key(key_ID=name, key=_text(key)) for name, key in made))

    def collect(self, slave: SaeId, master: SaeId, request: KeyIds) -> KeyContainer:
        """Return the caller's copies of keys that the master has, clause 5.3; all or none, and each once.

        A key_ID that does not exist, one that was fetched and one of another pair get the same answer: a caller does
        not learn which keys others have.

        Args:
            slave: SAE that asks.
            master: SAE in the path, which got the keys first.
            request: key_IDs of the keys.
        """
        self._check_pair(slave, master)
        names = [wanted.key_ID for wanted in request.key_IDs]
        if len(names) > MAX_KEYS:
            raise Refusal(BAD_REQUEST, f"{len(names)} key_IDs exceed max_key_per_request={MAX_KEYS}")
        if len(set(names)) < len(names):
            raise Refusal(BAD_REQUEST, "a key_ID stands twice; each key is delivered once")
        missing = self._store.missing(master, slave, names)
        if missing:
            raise Refusal(
                BAD_REQUEST,
                "one or more keys specified are not found on KME",
                *({"key_ID": str(name)} for name in missing),
            )
        keys = self._store.deliver(slave, names)
        return KeyContainer(keys=tuple(Key(key_ID=name, key=_text(key)) for name, key in zip(names, keys, strict=True)))

    def _check_slaves(self, master: SaeId, slaves: Sequence[SaeId]) -> None:
        if len(slaves) > 1 + MAX_ADDITIONAL:
            raise Refusal(BAD_REQUEST, f"additional_slave_SAE_IDs: more than max_SAE_ID_count={MAX_ADDITIONAL}")
        if len(set(slaves)) < len(slaves):
            raise Refusal(BAD_REQUEST, "additional_slave_SAE_IDs: a slave stands twice")
        for slave in slaves:
            self._check_pair(master, slave)
            if not self._source.capacity_bit(master, slave):
                raise Refusal(SERVER_SIDE, f"no QKD links lead from {master} to {slave}")

    def _check_pair(self, caller: SaeId, other: SaeId) -> None:
        if other not in self._names:
            raise Refusal(BAD_REQUEST, "there is no such SAE", {"SAE_ID": other})
        if caller == other:
            raise Refusal(BAD_REQUEST, "the path names the caller itself; name the other SAE", {"SAE_ID": other})


def _check_extensions(request: KeyRequest) -> None:
    """Refuse mandatory extensions, as the standard says: none is supported. Optional ones are ignored."""
    if request.extension_mandatory:
        names = sorted({name for extension in request.extension_mandatory for name in extension})
        raise Refusal(
            BAD_REQUEST,
            "not all extension_mandatory parameters are supported",
            *({"extension_mandatory_unsupported": name} for name in names),
        )


def _check_amount(number: int, size_bit: int) -> None:
    if not 1 <= number <= MAX_KEYS:
        raise Refusal(BAD_REQUEST, f"number={number} is not within 1 and max_key_per_request={MAX_KEYS}")
    if size_bit % BYTE_BIT:
        raise Refusal(BAD_REQUEST, f"size shall be a multiple of {BYTE_BIT}", {"size": str(size_bit)})
    if not MIN_KEY_BIT <= size_bit <= MAX_KEY_BIT:
        raise Refusal(
            BAD_REQUEST, f"size={size_bit} is not within min_key_size={MIN_KEY_BIT} and max_key_size={MAX_KEY_BIT}"
        )


def _text(key: bytes) -> str:
    return b64encode(key).decode("ascii")
