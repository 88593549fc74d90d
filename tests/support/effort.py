"""How much of a large count a test does: a twentieth in `make test`, all of it in `make test-long`.

A module that imports one of these functions takes part in both. Seeds are fixed; with `SEEDS=fresh` new ones are drawn
and printed, and `SEEDS=<number>` repeats them.
"""

import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import hypothesis
import pytest

T = TypeVar("T")
LONG: Final = os.environ.get("COSIM_TESTS") == "long"
SHARE: Final = 20

if os.environ.get("SEEDS") == "fresh":  # once, in the first process: its workers inherit the number
    os.environ["SEEDS"] = str(secrets.randbelow(10**6) * 1000)
FIRST_SEED: Final = int(os.environ.get("SEEDS") or 0)


def count(whole: int, least: int = 1) -> int:
    """Return `whole` in the long run, else a twentieth of it, rounded up and no less than `least`.

    >>> count(1000, least=60) in (60, 1000)
    True
    """
    return whole if LONG else min(whole, max(least, -(-whole // SHARE)))


def seeds(whole: int, least: int = 1, start: int = 0) -> range:
    """Return the seeds of a test that tries many: `count(whole, least)` of them, from `start` on where they are fixed.

    Args:
        whole: How many seeds the long run tries.
        least: Fewest seeds that the short run tries.
        start: First seed; fresh seeds count from theirs.
    """
    first = FIRST_SEED + start
    return range(first, first + count(whole, least))


def few(cases: Iterable[T], keep: int = 1) -> list[T]:
    """Return all cases of a loop in the long run, else the first `keep`."""
    return list(cases) if LONG else list(cases)[:keep]


def rest_long(cases: Iterable[Any], keep: int = 1) -> list[Any]:
    """Return the cases of a parametrised test, of which only the first `keep` run in `make test`.

    A case that is a tuple has a value for each of several names.
    """
    given = list(cases)
    values = [case if isinstance(case, tuple) else (case,) for case in given]
    return [*given[:keep], *(pytest.param(*value, marks=pytest.mark.long) for value in values[keep:])]


def drawn(examples: int, least: int = 20, **settings: Any) -> Callable[[Any], Any]:
    """Decorate a property that Hypothesis tries on `count(examples, least)` examples, the same in each run.

    Args:
        examples: Examples in the long run.
        least: Fewest examples in the short one.
        settings: Further settings of Hypothesis.
    """
    chosen = hypothesis.settings(
        max_examples=count(examples, least), deadline=None, database=None, derandomize=not FIRST_SEED, **settings
    )
    return lambda test: chosen(hypothesis.seed(FIRST_SEED)(test) if FIRST_SEED else test)
