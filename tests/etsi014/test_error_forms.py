"""Requests that a client gets wrong: each is told what to send instead, in the standard's Error body."""

import asyncio
import json

import pytest
from made_keys import Chain, Served, key_ids, refused

JSON_TYPE = "application/json"
KEY_ID = "bc490419-7d60-487f-adc1-4ddcc177c139"


def told(
    path: str, body: bytes | str, content_type: str | None = JSON_TYPE, method: str = "POST"
) -> tuple[int, str, list[dict[str, str]], dict[str, str]]:
    """Status, message, details and headers of the refusal that alice gets; no pool pays for it."""

    async def ask() -> tuple[int, str, list[dict[str, str]], dict[str, str]]:
        served = Served(Chain())
        headers = {} if content_type is None else {"content-type": content_type}
        client = served.client("alice")
        content = body.encode() if isinstance(body, str) else body
        answer = await client.request(method, path, content=content, headers=headers)
        message = refused(answer, answer.status_code)
        assert served.keys.pools == {"ab": 100_000, "bc": 100_000}
        return answer.status_code, message, answer.json().get("details", []), dict(answer.headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "text/plain", "application/jsonx"])
@pytest.mark.parametrize("path", ["/bob/enc_keys", "/bob/dec_keys"])
def test_json_that_is_not_called_so_is_told_its_header(path: str, content_type: str | None):
    """JSON without its content type, as from `curl -d`, gets 400 and the header that it needs."""
    status, message, details, _ = told(path, '{"number": 1, "size": 256}', content_type)
    assert (status, details) == (400, [])
    assert "send JSON with the header Content-Type: application/json" in message


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=UTF-8", 'Application/JSON;charset="utf-8"', "application/vnd.kme+json"]
)
def test_json_is_taken_under_each_of_its_names(content_type: str):
    """Letter case, the charset UTF-8 and types that end in +json make no difference."""

    async def ask() -> None:
        client = Served(Chain()).client("alice")
        answer = await client.post("/bob/enc_keys", content=b'{"number": 2}', headers={"content-type": content_type})
        assert len(key_ids(answer)) == 2

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/bob/dec_keys", f'{{"key_IDs": ["{KEY_ID}"]}}', ("key_IDs.0", 'is not an object {"key_ID": UUID}')),
        ("/bob/dec_keys", '{"key_IDs": []}', ("key_IDs", "names no key")),
        ("/bob/dec_keys", "{}", ("key_IDs", "is missing")),
        ("/bob/dec_keys", f'{{"key_IDs": "{KEY_ID}"}}', ("key_IDs", "is not an array")),
        ("/bob/dec_keys", f'{{"key_IDs": {{"key_ID": "{KEY_ID}"}}}}', ("key_IDs", "is not an array")),
        ("/bob/dec_keys", '{"key_IDs": [{"key_ID": 7}]}', ("key_IDs.0.key_ID", "is not a UUID")),
        ("/bob/dec_keys", '{"key_IDs": [{"key_ID": "seven"}]}', ("key_IDs.0.key_ID", "is not a UUID")),
        ("/bob/enc_keys", '{"number": "2"}', ("number", "is not an integer")),
        ("/bob/enc_keys", '{"number": true}', ("number", "is not an integer")),
        ("/bob/enc_keys", '{"size": 256.0}', ("size", "is not an integer")),
        ("/bob/enc_keys", '{"count": 2}', ("count", "is no field of the standard")),
        ("/bob/enc_keys", '{"additional_slave_SAE_IDs": "carol"}', ("additional_slave_SAE_IDs", "is not an array")),
        ("/bob/enc_keys", '{"additional_slave_SAE_IDs": [3]}', ("additional_slave_SAE_IDs.0", "is not a string")),
        ("/bob/enc_keys", '{"extension_optional": {"a": 1}}', ("extension_optional", "is not an array")),
        ("/bob/enc_keys", '{"extension_mandatory": ["a"]}', ("extension_mandatory.0", "is not an object")),
        ("/bob/enc_keys", "[1]", ("body", 'is not an object {"number": 1, "size": 256}')),
        ("/bob/enc_keys", "null", ("body", 'is not an object {"number": 1, "size": 256}')),
        ("/bob/enc_keys", '{"number": 1', ("body", "expecting ',' delimiter at line 1, column 13")),
    ],
)
def test_a_wrong_field_is_named_once(path: str, body: str, detail: tuple[str, str]):
    """A wrong field gets 400 and one detail: where it stands and what it is not; nothing that is not so is added."""
    status, message, details, _ = told(path, body)
    assert status == 400
    assert message in ("the body is malformed", "the body is not JSON")
    assert details == [{"field": detail[0], "problem": detail[1]}]


def test_all_wrong_fields_are_named_up_to_ten():
    """Several problems are told together, no more than ten."""
    details = told("/bob/enc_keys", '{"number": "2", "count": 3}')[2]
    assert [detail["field"] for detail in details] == ["number", "count"]
    assert len(told("/bob/dec_keys", json.dumps({"key_IDs": [KEY_ID] * 50}))[2]) == 10


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("", "the body is empty"),
        ('{"number": 1, "number": 2}', "a field stands twice"),
        ('{"number": NaN}', "NaN is no number"),
        ('{"number": 1' + "0" * 5000 + "}", "too large"),
        ("[" * 30_000, "nested too deeply"),
        ('{"extension_optional": [' + '{"a":' * 5000, "nested too deeply"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(body: str | bytes, word: str):
    """Nothing, two values for a field, numbers that JSON does not have, deep nesting and other encodings get 400."""
    status, message, *_ = told("/bob/enc_keys", body)
    assert status == 400
    assert word in message


def test_another_charset_is_refused():
    """JSON in another encoding than UTF-8 is refused by its announcement."""
    assert "UTF-8" in told("/bob/enc_keys", "{}", "application/json; charset=utf-16")[1]


def test_a_get_with_a_body_is_refused():
    """A number in the body of a GET would be ignored: the client would get one key."""
    for path in ("/bob/enc_keys", "/bob/dec_keys?key_ID=" + KEY_ID, "/bob/status"):
        status, message, *_ = told(path, '{"number": 3}', method="GET")
        assert status == 400
        assert "a GET has no body" in message


def test_a_value_is_never_repeated():
    """What a client sent in a field comes back in no refusal: it may be a secret."""
    for body in ('{"key_IDs": ["s3cr3t"]}', '{"key_IDs": [{"key_ID": "s3cr3t"}]}', '{"key_IDs": s3cr3t}'):
        assert "s3cr3t" not in json.dumps(told("/bob/dec_keys", body)[1:3])


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *((method, "/bob/enc_keys", "GET, POST") for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")),
        ("DELETE", "/bob/dec_keys", "GET, POST"),
        ("PUT", "/bob/dec_keys/", "GET, POST"),
        ("POST", "/bob/status", "GET"),
    ],
)
def test_other_methods_are_told_which_there_are(method: str, path: str, allowed: str):
    """Another method gets 405 with all that the path takes, in the header Allow and in words."""
    status, message, _, headers = told(path, b"", None, method)
    assert (status, headers["allow"]) == (405, allowed)
    assert f"not {method}" in message


@pytest.mark.parametrize("path", ["/bob", "/bob/keys", "/", "//", "/bob/status/x"])
def test_other_paths_are_told_which_there_are(path: str):
    """Another path gets 404 with those that there are."""
    status, message, *_ = told(path, b"", None, "GET")
    assert status == 404
    assert "/api/v1/keys/SAE/status, enc_keys or dec_keys" in message


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_slashes_at_the_end_make_no_difference(slashes: str):
    """Each method answers with slashes after its path too: no redirect, which would lose the body of a POST."""

    async def ask() -> None:
        served = Served(Chain())
        alice, bob = served.client("alice"), served.client("bob")
        assert (await alice.get(f"/bob/status{slashes}")).json()["slave_SAE_ID"] == "bob"
        made = await alice.post(f"/bob/enc_keys{slashes}", json={"number": 2})
        names = key_ids(made)
        assert len(names) == 2
        assert len(key_ids(await alice.get(f"/bob/enc_keys{slashes}?number=3"))) == 3
        assert key_ids(await bob.get(f"/alice/dec_keys{slashes}?key_ID={names[0]}")) == names[:1]
        fetched = await bob.post(f"/alice/dec_keys{slashes}", json={"key_IDs": [{"key_ID": names[1]}]})
        assert fetched.json()["keys"] == made.json()["keys"][1:]

    asyncio.run(ask())


def test_names_of_saes_may_be_encoded():
    """A SAE is the same in percent-encoding; encoded bytes that are no name are an unknown SAE."""

    async def ask() -> None:
        alice = Served(Chain()).client("alice")
        assert (await alice.get("/%62%6f%62/status")).json()["slave_SAE_ID"] == "bob"
        for path in ("/b%2Fb/status", "/b%FFb/status", "/%00/status", "/bob%2F/status", "/%2e%2e/status"):
            assert "no such SAE" in refused(await alice.get(path), 400)

    asyncio.run(ask())
