"""Whatever a scenario file holds, loading gives a scenario or one line."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from effort import drawn
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from rich_scenario import RICH

from cosim.errors import InputError
from cosim.scenario.document import parse
from cosim.scenario.load import Loaded, load

BASE = parse(RICH, "rich").data
FAST = drawn(5000, least=250, suppress_health_check=list(HealthCheck))
NOT_A_NUMBER = "@not a number@"

syntax = st.sampled_from([b":", b"- ", b"\n", b"{", b"}", b"[", b"&a ", b"*a", b"!!", b"|", b"%", b"\t", b"? ", b"'"])
garbage = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, -0.0, 1e308, -1e308, 5e-324, 2**63, -(2**63), 10**400, NOT_A_NUMBER, "", "a\nb", "\ud800"]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["number", "uniform", "kind", "libsumo", "noma", "local", "1e6", "yes", "2020-01-01", "~"]),
    st.recursive(
        st.none() | st.integers(-2, 2) | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=8,
    ),
)


def containers(data: Any) -> list[Any]:
    """Every mapping and list of the tree, in order."""
    below = data.values() if isinstance(data, dict) else data
    return [data, *[inner for item in below if isinstance(item, dict | list) for inner in containers(item)]]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The rich scenario with one to four keys deleted, renamed, replaced, moved or added."""
    data = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 4))):
        every = [container for container in containers(data) if container]
        if not every:
            break
        holder = draw(st.sampled_from(every))
        key = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else list(range(len(holder)))))
        match draw(st.sampled_from(["delete", "rename", "replace", "replace", "replace", "copy", "add"])):
            case "delete":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.text(max_size=8) | st.just(f"{key}x"))] = holder.pop(key)
            case "copy":
                holder[key] = copy.deepcopy(draw(st.sampled_from(containers(data))))
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = draw(garbage)
            case _:
                holder[key] = draw(garbage)
    return json.dumps(data).replace(f'"{NOT_A_NUMBER}"', draw(st.sampled_from([".nan", ".inf", "-.INF"])))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The text of the rich scenario with bytes cut, written over, inserted or repeated."""
    text = RICH.encode()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 40)))
        syntax = st.sampled_from(
            [b":", b"- ", b"\n", b"{", b"}", b"[", b"&a ", b"*a", b"!!", b"|", b"%", b"\t", b"? ", b"'"]
        )
        insert = draw(st.one_of(st.binary(max_size=8), syntax, st.just(text[start:stop] * 2)))
        text = text[:start] + insert + text[stop:]
    return text


def one_line_or_loaded(path: Path, overrides: list[str]) -> None:
    try:
        assert isinstance(load(path, overrides), Loaded)
    except InputError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 2000
        assert message.startswith((str(path), "--set "))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated") / "case.yaml"


@given(text=mutated())
@FAST
def test_mutated_values(path: Path, text: str) -> None:
    """1,100 scenarios with wrong keys and values: a scenario or one line, never another exception."""
    path.write_text(text)
    one_line_or_loaded(path, [])


@given(text=damaged())
@FAST
def test_damaged_bytes(path: Path, text: bytes) -> None:
    """1,100 scenario files with damaged bytes: a scenario or one line, never another exception."""
    path.write_bytes(text)
    one_line_or_loaded(path, [])


@given(
    overrides=st.lists(
        st.builds(
            "{}={}".format,
            st.sampled_from(["radio.x", "tasks.classes.0.cycles", "policy", "cloud.cores", "sites.sites.1", "name.a.b"])
            | st.text(max_size=12),
            st.text(max_size=12) | garbage.map(str),
        ),
        min_size=1,
        max_size=3,
    )
)
@drawn(1500, least=75, suppress_health_check=list(HealthCheck))
def test_mutated_overrides(path: Path, overrides: list[str]) -> None:
    """300 sets of odd overrides: a scenario or one line, never another exception."""
    path.write_text(RICH)
    one_line_or_loaded(path, overrides)
