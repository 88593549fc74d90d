"""Admission of connections: bounds on how many are open, and who has to go when one more comes.

A newcomer always gets in. Where that takes room, a connection goes that has not authenticated yet, the oldest of the
peer that has most of them: who opens many pushes out his own. Connections that have authenticated go last, the one that
has been without a request for longest of the SAE that has most.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from cosim.etsi014.messages import SaeId

_SUBNET_BIT = 64
"""Prefix of an IPv6 address that counts as one peer: a host gets a whole subnet of addresses."""


@dataclass(eq=False, slots=True)
class Visitor:
    """An open connection."""

    peer: str
    """Peer from `peer_of`."""
    drop: Callable[[], None]
    """Ends the connection at once."""
    sae: SaeId | None = None
    """SAE of its last request that was authenticated."""


class Admission:
    """The open connections of a server.

    Args:
        most: most connections at once.
        most_unknown: most connections of a peer that have not authenticated.

    >>> gone: list[str] = []
    >>> admission = Admission(most=10, most_unknown=2)
    >>> for name in ("first", "second", "third"):
    ...     admission.enter(Visitor("192.0.2.1", lambda name=name: gone.append(name)))
    >>> gone
    ['first']
    """

    def __init__(self, most: int, most_unknown: int) -> None:
        self._most = most
        self._most_unknown = most_unknown
        self._unknown: dict[str, dict[Visitor, None]] = {}
        self._known: dict[SaeId, dict[Visitor, None]] = {}
        self._open = 0

    def __len__(self) -> int:
        return self._open

    def enter(self, visitor: Visitor) -> None:
        """Let a connection in; another is dropped if it has to go for it."""
        if len(self._unknown.get(visitor.peer, ())) >= self._most_unknown:
            self._drop_first(self._unknown[visitor.peer])
        elif self._open >= self._most:
            self._drop_first(max((self._unknown or self._known).values(), key=len))
        self._unknown.setdefault(visitor.peer, {})[visitor] = None
        self._open += 1

    def recognise(self, visitor: Visitor, sae: SaeId) -> None:
        """Note that a request of a connection was authenticated as that of a SAE."""
        if self._take(visitor):
            visitor.sae = sae
            self._known.setdefault(sae, {})[visitor] = None
            self._open += 1

    def leave(self, visitor: Visitor) -> None:
        """Forget a connection that has ended, once or more often."""
        self._take(visitor)

    def make_room(self) -> None:
        """Drop a connection that has not authenticated, if there is one."""
        if self._unknown:
            self._drop_first(max(self._unknown.values(), key=len))

    def _drop_first(self, group: dict[Visitor, None]) -> None:
        visitor = next(iter(group))
        self._take(visitor)
        visitor.drop()

    def _take(self, visitor: Visitor) -> bool:
        """Take a connection out of its group; return whether it was there."""
        groups, name = (self._unknown, visitor.peer) if visitor.sae is None else (self._known, visitor.sae)
        group = groups.get(name, {})
        if visitor not in group:
            return False
        del group[visitor]
        if not group:
            del groups[name]
        self._open -= 1
        return True


def peer_of(address: str) -> str:
    """Return the peer of an IP address: an IPv4 address itself, the subnet of an IPv6 address.

    >>> peer_of("192.0.2.7"), peer_of("::ffff:192.0.2.7"), peer_of("2001:db8::7"), peer_of("fe80::1%eth0")
    ('192.0.2.7', '192.0.2.7', '2001:db8::/64', 'fe80::/64')
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _SUBNET_BIT), strict=False))
