"""Bodies of requests: JSON (RFC 8259) into the standard's messages, and what is wrong with those that are not."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from cosim.etsi014.refusal import BAD_REQUEST, Refusal

MOST_DETAILS: Final = 10
"""Most problems of a request that its refusal names."""
_LONGEST_NAME: Final = 80
_PROBLEMS: Final = {
    "dict_type": "is not an object",
    "extra_forbidden": "is no field of the standard",
    "int_parsing": "is not an integer",
    "int_parsing_size": "is too large",
    "int_type": "is not an integer",
    "missing": "is missing",
    "string_type": "is not a string",
    "tuple_type": "is not an array",
    "uuid_parsing": "is not a UUID",
    "uuid_type": "is not a UUID",
}
"""What is said of a problem, by Pydantic's name of it."""
_EXAMPLES: Final = {"KeyRequest": '{"number": 1, "size": 256}', "KeyIds": '{"key_IDs": [{"key_ID": UUID}]}'}
_OBJECTS: Final = {"KeyId": '{"key_ID": UUID}', **_EXAMPLES}
"""How the objects look that a request can hold, by class."""

Message = TypeVar("Message", bound=BaseModel)


def read_message(message: type[Message], headers: Mapping[str, str], body: bytes) -> Message:
    """Return the message in the body of a request.

    Args:
        message: kind of message.
        headers: header fields of the request.
        body: its body.

    Raises:
        Refusal: the body is not said to be JSON, is not JSON, or is not such a message; no value is repeated, for it
            may be secret.
    """
    if not body:
        raise Refusal(BAD_REQUEST, f"the body is empty; send a JSON object such as {_EXAMPLES[message.__name__]}")
    _check_type(headers.get("content-type", ""))
    try:
        return message.model_validate(_parsed(body))
    except ValidationError as error:
        raise malformed("the body is malformed", error.errors(include_url=False, include_input=False)) from None


def malformed(told: str, problems: Sequence[Mapping[str, Any]]) -> Refusal:
    """Return the refusal of a request that names fields and what is wrong with them, without the values.

    Args:
        told: reason in one line.
        problems: Pydantic's errors.
    """
    details = (
        {"field": ".".join(map(str, problem["loc"]))[:_LONGEST_NAME] or "body", "problem": _said(problem)}
        for problem in problems[:MOST_DETAILS]
    )
    return Refusal(BAD_REQUEST, told, *details)


def _check_type(given: str) -> None:
    kind, *parameters = (part.strip().lower() for part in given.split(";"))
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        told = "has no Content-Type" if not kind else "has another Content-Type"
        raise Refusal(BAD_REQUEST, f"the body {told}; send JSON with the header Content-Type: application/json")
    charsets = [
        value.strip('" ') for name, _, value in (part.partition("=") for part in parameters) if name == "charset"
    ]
    if any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise Refusal(BAD_REQUEST, "the body has another charset; JSON is sent in UTF-8")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise Refusal(BAD_REQUEST, "the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refusal(
            BAD_REQUEST,
            "the body is not JSON",
            {"field": "body", "problem": f"{error.msg.lower()} at line {error.lineno}, column {error.colno}"},
        ) from None
    except RecursionError:
        raise Refusal(BAD_REQUEST, "the body is nested too deeply") from None
    except ValueError:  # of an integer with more digits than Python converts
        raise Refusal(BAD_REQUEST, "a number in the body is too large") from None


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a field that stands twice, readers take one or the other, so that it is refused."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise Refusal(BAD_REQUEST, "a field stands twice in the body", {"field": name[:_LONGEST_NAME]})
        made[name] = value
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise Refusal(BAD_REQUEST, f"the body is not JSON: {name} is no number")


def _said(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "model_type":
        return f"is not an object {_OBJECTS[problem['ctx']['class_name']]}"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return str(_PROBLEMS.get(problem["type"], problem["msg"]))
