"""The methods of ETSI GS QKD 014 in this process: forms, bounds, refusals, and who gets which key."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from functools import wraps
from uuid import UUID, uuid4

import pytest
from made_keys import TOKENS, Chain, Served, key_ids, refused

JSON = {"content-type": "application/json"}


def awaited(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @wraps(test)
    def run(*arguments: object, **named: object) -> None:
        asyncio.run(test(*arguments, **named))  # type: ignore[arg-type]

    return run


@awaited
async def test_status_has_the_fields_of_the_standard():
    """Status names both KMEs and SAEs and counts keys of the default size in the emptiest pool on the way."""
    served = Served(Chain(bob_carol_bit=2600))
    answer = await served.client("alice").get("/carol/status")
    assert answer.json() == {
        "source_KME_ID": "kme-alice",
        "target_KME_ID": "kme-carol",
        "master_SAE_ID": "alice",
        "slave_SAE_ID": "carol",
        "key_size": 256,
        "stored_key_count": 10,
        "max_key_count": 781,
        "max_key_per_request": 128,
        "max_key_size": 4096,
        "min_key_size": 64,
        "max_SAE_ID_count": 8,
    }
    assert answer.headers["cache-control"] == "no-store"
    assert served.turns == 1


@pytest.mark.parametrize("make", ["get", "post"])
@pytest.mark.parametrize("fetch", ["get", "post"])
def test_both_sides_have_the_same_keys(make: str, fetch: str):
    """By GET and by POST a slave fetches under a key_ID the very bytes that its master got, of the size asked for."""

    @awaited
    async def both() -> None:
        served = Served(Chain())
        alice, bob = served.client("alice"), served.client("bob")
        amount = {"number": 2, "size": 512}
        enc = alice.get("/bob/enc_keys", params=amount) if make == "get" else alice.post("/bob/enc_keys", json=amount)
        made = (await enc).json()["keys"]
        if fetch == "get":
            answers = [await bob.get("/alice/dec_keys", params={"key_ID": key["key_ID"]}) for key in made]
            fetched = [answer.json()["keys"][0] for answer in answers]
        else:
            wanted = {"key_IDs": [{"key_ID": key["key_ID"]} for key in made]}
            fetched = (await bob.post("/alice/dec_keys", json=wanted)).json()["keys"]
        assert fetched == made
        assert [len(b64decode(key["key"], validate=True)) for key in made] == [64, 64]
        assert len({key["key"] for key in made}) == 2
        assert all(UUID(key["key_ID"]).version == 4 and set(key) == {"key_ID", "key"} for key in made)

    both()


@awaited
async def test_every_link_on_the_way_pays():
    """A key of b bits takes b bits from each link of its way, and a link that two ways share pays twice."""
    served = Served(Chain())
    alice = served.client("alice")
    await alice.get("/carol/enc_keys", params={"number": 3})
    assert served.keys.pools == {"ab": 100_000 - 768, "bc": 100_000 - 768}
    await alice.post("/bob/enc_keys", json={"additional_slave_SAE_IDs": ["carol"]})
    assert served.keys.pools == {"ab": 100_000 - 768 - 512, "bc": 100_000 - 768 - 256}


@awaited
async def test_empty_pools_give_nothing_at_all():
    """If one link of the way lacks bits the answer is 503, no link has paid, and it works again once there is key."""
    served = Served(Chain(bob_carol_bit=300))
    alice = served.client("alice")
    message = refused(await alice.get("/carol/enc_keys", params={"number": 2}), 503)
    assert "512 bit" in message
    assert served.keys.pools == {"ab": 100_000, "bc": 300}
    served.keys.pools["bc"] += 300
    assert len(key_ids(await alice.get("/carol/enc_keys", params={"number": 2}))) == 2


@awaited
async def test_a_key_is_delivered_once():
    """A second fetch, one by a SAE that the key is not for, one under a wrong master and an unknown one look alike."""
    served = Served(Chain())
    alice, bob, carol = map(served.client, ("alice", "bob", "carol"))
    name = key_ids(await alice.get("/bob/enc_keys"))[0]
    not_there = refused(await bob.get("/alice/dec_keys", params={"key_ID": str(uuid4())}), 400)
    assert not_there == "one or more keys specified are not found on KME"
    assert refused(await carol.get("/alice/dec_keys", params={"key_ID": name}), 400) == not_there
    assert refused(await bob.get("/carol/dec_keys", params={"key_ID": name}), 400) == not_there
    assert key_ids(await bob.get("/alice/dec_keys", params={"key_ID": name})) == [name]
    assert refused(await bob.get("/alice/dec_keys", params={"key_ID": name}), 400) == not_there


@awaited
async def test_additional_slaves_get_the_key_once_each():
    """Every slave of a key fetches the same bytes, once."""
    served = Served(Chain())
    made = await served.client("bob").post("/alice/enc_keys", json={"additional_slave_SAE_IDs": ["carol"]})
    name = {"key_ID": key_ids(made)[0]}
    for slave in ("alice", "carol"):
        fetched = await served.client(slave).get("/bob/dec_keys", params=name)
        assert fetched.json() == made.json()
        refused(await served.client(slave).get("/bob/dec_keys", params=name), 400)


@awaited
async def test_one_wrong_key_id_spoils_the_request_and_no_key():
    """A request with one unknown key_ID is refused, names it, and leaves the other keys to be fetched."""
    served = Served(Chain())
    bob = served.client("bob")
    good, bad = key_ids(await served.client("alice").get("/bob/enc_keys"))[0], str(uuid4())
    answer = await bob.post("/alice/dec_keys", json={"key_IDs": [{"key_ID": good}, {"key_ID": bad}]})
    refused(answer, 400)
    assert answer.json()["details"] == [{"key_ID": bad}]
    assert key_ids(await bob.get("/alice/dec_keys", params={"key_ID": good})) == [good]


@awaited
async def test_keys_do_not_wait_for_ever():
    """A key that its slave does not fetch in time is deleted, and too many waiting ones stop their master alone."""
    served = Served(Chain(), most=2)
    alice, bob = served.client("alice"), served.client("bob")
    name = key_ids(await alice.get("/bob/enc_keys", params={"number": 2}))[0]
    assert "wait for their slaves" in refused(await alice.get("/bob/enc_keys"), 503)
    assert key_ids(await bob.get("/carol/enc_keys"))
    served.wall.now_s += 61.0
    refused(await bob.get("/alice/dec_keys", params={"key_ID": name}), 400)
    assert len(key_ids(await alice.get("/bob/enc_keys", params={"number": 2}))) == 2


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"number": 0}, "number=0"),
        ({"number": 129}, "max_key_per_request=128"),
        ({"number": "1"}, "malformed"),
        ({"number": True}, "malformed"),
        ({"nubmer": 1}, "malformed"),
        ({"size": 100}, "multiple of 8"),
        ({"size": 56}, "min_key_size=64"),
        ({"size": 4104}, "max_key_size=4096"),
        ({"size": -256}, "min_key_size=64"),
        ({"additional_slave_SAE_IDs": ["bob"]}, "a slave stands twice"),
        ({"additional_slave_SAE_IDs": ["nobody"]}, "no such SAE"),
        ({"additional_slave_SAE_IDs": ["alice"]}, "the caller itself"),
        ({"additional_slave_SAE_IDs": ["carol"] * 9}, "max_SAE_ID_count=8"),
        ({"extension_mandatory": [{"route_type": "direct"}]}, "not all extension_mandatory"),
        ({"additional_slave_SAE_IDs": ["\ud800"]}, "no such SAE"),
        ({"extension_mandatory": [{"\ud800": 1}]}, "not all extension_mandatory"),
        ({"extension_optional": [1]}, "malformed"),
        ([], "malformed"),
        ("{", "not JSON"),
    ],
)
def test_bad_key_requests_are_refused(body: object, word: str):
    """A request outside the bounds, or malformed, gets 400 with the standard's Error, and no pool pays for it."""

    @awaited
    async def ask() -> None:
        served = Served(Chain())
        content = body if body == "{" else json.dumps(body)
        answer = await served.client("alice").post("/bob/enc_keys", content=content, headers=JSON)
        assert word in refused(answer, 400)
        assert served.keys.pools == {"ab": 100_000, "bc": 100_000}

    ask()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/bob/enc_keys?number=x", 400),
        ("/bob/enc_keys?size=100", 400),
        ("/bob/enc_keys?count=1", 400),
        ("/bob/enc_keys?number=1&number=2", 400),
        ("/alice/enc_keys", 400),
        ("/nobody/enc_keys", 400),
        ("/nobody/status", 400),
        ("/bob/status?x=1", 400),
        ("/bob/dec_keys", 400),
        ("/bob/dec_keys?key_ID=7", 400),
        ("/bob", 404),
        ("/bob/keys", 404),
    ],
)
def test_bad_paths_and_queries_are_refused(path: str, status: int):
    """Every refused path or query has the standard's Error body."""

    @awaited
    async def ask() -> None:
        refused(await Served(Chain()).client("alice").get(path), status)

    ask()


@awaited
async def test_optional_extensions_and_nulls_are_left_alone():
    """Optional extensions are not refused, and a field that is null has its default."""
    body = {"number": None, "size": None, "extension_mandatory": [], "extension_optional": [{"route_type": "direct"}]}
    made = await Served(Chain()).client("alice").post("/bob/enc_keys", json=body)
    assert len(b64decode(made.json()["keys"][0]["key"])) == 32


@awaited
async def test_other_verbs_and_large_bodies_are_refused():
    """PUT gets 405 and a body of more than 64 KiB gets 413, each with the standard's Error body."""
    alice = Served(Chain()).client("alice")
    refused(await alice.put("/bob/enc_keys"), 405)
    refused(await alice.post("/bob/enc_keys", content=b" " * 70_000), 413)

    async def pieces():
        for _ in range(10):
            yield b" " * 10_000

    refused(await alice.post("/bob/enc_keys", content=pieces()), 413)


@pytest.mark.parametrize("token", ["", "wrong", "token-of-alice-012345678", "token-of-alice-01234567890", "\xe9"])
def test_wrong_tokens_are_refused(token: str):
    """A wrong token, a shortened and a lengthened one get 401 with a challenge, whatever the path."""

    @awaited
    async def ask() -> None:
        client = Served(Chain()).client(None)
        client.headers["Authorization"] = f"Bearer {token}"
        for path in ("/bob/status", "/bob/enc_keys", "/nowhere"):
            answer = await client.get(path)
            refused(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"

    ask()


@awaited
async def test_a_token_needs_its_scheme():
    """No header, another scheme, and two headers get 401."""
    served = Served(Chain())
    refused(await served.client(None).get("/bob/status"), 401)
    known = TOKENS["alice"]
    for headers in ([("Authorization", f"Basic {known}")], [("Authorization", f"Bearer {known}")] * 2):
        refused(await served.client(None).get("/bob/status", headers=headers), 401)


@awaited
async def test_a_sae_that_asks_too_often_waits_alone():
    """After its burst a SAE gets 429 and Retry-After, others go on, and after that time it goes on too."""
    served = Served(Chain(), rate_per_s=0.5, burst=3)
    alice = served.client("alice")
    assert [(await alice.get("/bob/status")).status_code for _ in range(3)] == [200] * 3
    answer = await alice.get("/bob/status")
    refused(answer, 429)
    assert answer.headers["retry-after"] == "2"
    assert (await served.client("bob").get("/alice/status")).status_code == 200
    served.wall.now_s += 2.0
    assert (await alice.get("/bob/status")).status_code == 200
    refused(await alice.get("/bob/status"), 429)


@awaited
async def test_a_fault_inside_tells_nothing():
    """An error of the network is answered with 503 and no more than that."""
    served = Served(Chain())
    served.keys.stored_bit = lambda *_: 1 // 0  # type: ignore[method-assign]
    assert refused(await served.client("alice").get("/bob/status"), 503) == "error of server side"
