"""A key source and a clock by hand, and clients that speak to a service in this process."""

from collections.abc import Sequence

import httpx

from cosim.etsi014.access import TokenAccess
from cosim.etsi014.app import PREFIX, make_app
from cosim.etsi014.gate import Gate
from cosim.etsi014.keystore import KeyStore
from cosim.etsi014.limits import RateLimit
from cosim.etsi014.service import KeyDelivery

TOKENS = {name: f"token-of-{name}-0123456789" for name in ("alice", "bob", "carol")}


class Chain:
    """alice - bob - carol: one pool on each link."""

    names = tuple(TOKENS)

    def __init__(self, alice_bob_bit: int = 100_000, bob_carol_bit: int = 100_000) -> None:
        self.pools = {"ab": alice_bob_bit, "bc": bob_carol_bit}

    def way(self, one: str, other: str) -> list[str]:
        """Links between two."""
        low, high = sorted((self.names.index(one), self.names.index(other)))
        return ["ab", "bc"][low:high]

    def take(self, master: str, slaves: Sequence[str], bit: int) -> bool:
        """From every link or none."""
        links = [link for slave in slaves for link in self.way(master, slave)]
        if any(self.pools[link] < links.count(link) * bit for link in links):
            return False
        for link in links:
            self.pools[link] -= bit
        return True

    def stored_bit(self, master: str, slave: str) -> int:
        """Of the emptiest link."""
        return min(self.pools[link] for link in self.way(master, slave))

    def capacity_bit(self, master: str, slave: str) -> int:
        """Of the smallest pool."""
        return 200_000 if self.way(master, slave) else 0


class Wall:
    """A clock on the wall that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


class Served:
    """A service over a chain in this process, with a client for each SAE."""

    def __init__(
        self, keys: Chain, rate_per_s: float = 1e6, burst: int = 1_000_000, most: int = 1000, body_s: float = 10.0
    ) -> None:
        self.keys = keys
        self.wall = Wall()
        self.turns = 0
        service = KeyDelivery(keys, KeyStore(60.0, most, self.wall))
        limit = RateLimit(rate_per_s, burst, self.wall)
        self.app = Gate(make_app(service, self._turn), TokenAccess(TOKENS), limit, body_s)

    def _turn(self) -> None:
        self.turns += 1

    def client(self, sae: str | None, token: str | None = None) -> httpx.AsyncClient:
        """Who shows the token of this SAE, another token, or none."""
        shown = token if token is not None else TOKENS.get(sae or "")
        headers = {"Authorization": f"Bearer {shown}"} if shown is not None else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://kme{PREFIX}", headers=headers)


def key_ids(answer: httpx.Response) -> list[str]:
    """Of the keys in an answer that was given."""
    assert answer.status_code == 200, answer.text
    return [key["key_ID"] for key in answer.json()["keys"]]


def refused(answer: httpx.Response, status: int) -> str:
    """The message of a refusal, which has the standard's form."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) <= {"message", "details"}
    assert all(isinstance(detail, dict) for detail in body.get("details", []))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    message: str = body["message"]
    return message
