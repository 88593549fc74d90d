"""The three methods of ETSI GS QKD 014 V1.1.1, clause 5, over a network of pools: get status, get key, get key by ID.

Each site or node is one KME with one SAE: the SAE has the name of the site, the KME that name after `kme-`. A key of b
bits takes b bits of every link on the way from the master's KME to each slave's. The standard leaves to the KME what a
request may ask for; these bounds are ours and `status` states them.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Protocol

from cosim.etsi014.keystore import BYTE_BIT, KeyStore
from cosim.etsi014.messages import Key, KeyContainer, KeyIds, KeyRequest, KmeStatus, SaeId
from cosim.etsi014.refusal import BAD_REQUEST, SERVER_SIDE, Refusal

KEY_BIT = 256
"""Size of a key if a request does not say: AES-256."""
MIN_KEY_BIT = 64
MAX_KEY_BIT = 4096
MAX_KEYS = 128
"""Of a request."""
MAX_ADDITIONAL = 8
"""Slaves of a request besides the one in its path."""


class KeySource(Protocol):
    """Where the bits of keys come from."""

    @property
    def names(self) -> Sequence[str]:
        """Sites and nodes."""
        ...

    def take(self, master: str, slaves: Sequence[str], bit: int) -> bool:
        """Take `bit` from every link on the way to each slave, or nothing at all and say False."""
        ...

    def stored_bit(self, master: str, slave: str) -> int:
        """The most that can be taken now between two."""
        ...

    def capacity_bit(self, master: str, slave: str) -> int:
        """The most that can ever be stored between two; 0 if nothing joins them."""
        ...


class KeyDelivery:
    """Answers SAEs whose names are already proven; all methods raise `Refusal`."""

    def __init__(self, source: KeySource, store: KeyStore) -> None:
        self._source = source
        self._store = store
        self._names = frozenset(source.names)

    def status(self, master: SaeId, slave: SaeId) -> KmeStatus:
        """Clause 5.1, for the caller as master; counts are in keys of the default size."""
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
        """Clause 5.2: fresh keys for the caller, which wait for the slaves under their key_IDs; all or none."""
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
        """Clause 5.3: the caller's copies of keys that the master has; all or none, and each once.

        A key_ID that does not exist, one that was fetched and one of another pair get the same answer: a caller does
        not learn which keys others have.
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
                "no key of this master waits for this slave under some of the key_IDs",
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
    """No extension is supported: optional ones are left alone, mandatory ones refused, as the standard says."""
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
        raise Refusal(BAD_REQUEST, f"size={size_bit} shall be a multiple of {BYTE_BIT}")
    if not MIN_KEY_BIT <= size_bit <= MAX_KEY_BIT:
        raise Refusal(
            BAD_REQUEST, f"size={size_bit} is not within min_key_size={MIN_KEY_BIT} and max_key_size={MAX_KEY_BIT}"
        )


def _text(key: bytes) -> str:
    return b64encode(key).decode("ascii")
