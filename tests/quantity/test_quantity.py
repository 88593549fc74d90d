"""What people read has four significant digits in a fitting unit; the page's own rounding gives the same numbers."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st

import cosim
from cosim.quantity import digits, quantity, scaled, with_bounds, with_interval

PREFIX = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
BASES = ("s", "m", "J", "W", "bit", "B", "Hz", "tasks", "%", "dB", "cm")
PAGE = Path(cosim.__file__).parent / "report" / "page" / "base.js"
numbers = (
    st.floats(1e-30, 1e30)
    | st.floats(-1e30, -1e-30)
    | st.floats(-2000.0, 2000.0).filter(lambda x: x == 0.0 or abs(x) > 1e-300)
)
units = st.sampled_from([*BASES, "", "bit/s", "J/task", "ms", "Mbit/s", "kbit", "km", "m/s", "1/s"])


def read(text: str, unit: str) -> tuple[float, str]:
    """A number as printed, in base units, and its base unit."""
    number, (first, slash, per) = float(text.replace(",", "")), unit.partition("/")
    for prefix, factor in PREFIX.items():
        if first.removeprefix(prefix) in BASES[:7] and first.startswith(prefix) and first not in BASES:
            return number * factor, f"{first.removeprefix(prefix)}{slash}{per}"
    return number, unit


def half_a_unit(size: float) -> float:
    """Half a unit of the fourth digit of a number as it is rounded, with a breath for the arithmetic of scales."""
    return 0.0 if size == 0.0 else 0.5 * 10.0 ** (int(f"{size:.3e}".partition("e")[2]) - 3) * (1.0 + 1e-6)


@drawn(2000, 200)
@given(value=numbers, unit=units)
def test_four_digits_can_be_read_back(value: float, unit: str) -> None:
    """A quantity is printed to within half a unit of its fourth digit, with its sign, with at least four digits."""
    wanted, base = read(repr(value), unit)
    text, _, shown = quantity(value, unit).partition(" ")
    found, same = read(text, shown)
    assert same == base
    if wanted == 0.0:
        assert text == "0"
        return
    assert abs(found - wanted) <= half_a_unit(abs(wanted))
    assert math.copysign(1.0, found) == math.copysign(1.0, wanted)
    assert len(re.sub(r"e.*|[^0-9]", "", text).lstrip("0")) >= 4


@drawn(2000, 200)
@given(value=numbers, half=st.floats(1e-30, 1e30), unit=units)
def test_an_interval_has_the_decimals_of_its_value(value: float, half: float, unit: str) -> None:
    """Value and half width stand in one unit with the same decimals, right to the fourth digit of the larger."""
    told = with_interval(value, half, unit)
    if told.half_width == "0":
        assert half <= 1e-12 * abs(value)
        return
    below = told.half_width.startswith("<")
    told = told._replace(half_width=told.half_width.removeprefix("<"))
    decimals = [text.partition("e")[0].partition(".")[2] for text in (told.value, told.half_width)]
    assert len(decimals[0]) == len(decimals[1])
    allowed = half_a_unit(max(abs(read(repr(number), unit)[0]) for number in (value, half)))
    if below:
        assert read(repr(half), unit)[0] < read(told.half_width, told.unit)[0] <= 2.0 * allowed
    for number, text in ((value, told.value), *(() if below else ((half, told.half_width),))):
        assert abs(read(text, told.unit)[0] - read(repr(number), unit)[0]) <= allowed
        assert text.startswith("-") == (number < 0.0)


@drawn(2000, 200)
@given(value=numbers, low=numbers, high=numbers, unit=units)
def test_bounds_stand_in_one_unit(value: float, low: float, high: float, unit: str) -> None:
    """So do a value and the two ends of its interval."""
    told = with_bounds(value, low, high, unit)
    given_ = [read(repr(number), unit)[0] for number in (value, low, high)]
    allowed = half_a_unit(max(map(abs, given_)))
    for number, text in zip(given_, told[:3], strict=True):
        assert abs(read(text, told.unit)[0] - number) <= allowed


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (0.00000027004037101, "J/task", "270.0 nJ/task"),
        (0.33, "s", "330.0 ms"),
        (1467.2, "ms", "1.467 s"),
        (99999.0, "s", "99,999 s"),
        (999.96, "m", "1.000 km"),
        (0.5, "m", "0.5000 m"),
        (18_734_000.0, "bit/s", "18.73 Mbit/s"),
        (20e6, "Hz", "20.00 MHz"),
        (0.25, "", "0.2500"),
        (1e-5, "", "1.000e-05"),
        (97.123, "%", "97.12 %"),
        (0.0, "ms", "0 ms"),
        (-0.0021, "W", "-2.100 mW"),
        (None, "s", "-"),
        (math.nan, "s", "-"),
        (-math.inf, "", "-"),
    ],
)
def test_what_is_printed(value: float | None, unit: str, told: str) -> None:
    """Seconds, joules, bits, metres and hertz take prefixes; ratios and other units do not; `-` is no number."""
    assert quantity(value, unit) == told


@pytest.mark.parametrize(
    ("value", "half_width", "unit", "told"),
    [
        (96.918, 0.064, "", ("96.92", "0.06", "")),
        (357.02, 1.42, "ms", ("357.0", "1.4", "ms")),
        (25791.0, 628.0, "tasks", ("25,791", "628", "tasks")),
        (0.97, 0.0, "", ("0.9700", "0", "")),
        (12.0, math.nan, "tasks", ("12", "-", "tasks")),
        (12.0, math.nan, "s", ("12.00", "-", "s")),
        (math.nan, 1.0, "s", ("-", "-", "s")),
        (-0.001, 2.0, "s", ("-0.001", "2.000", "s")),
    ],
)
def test_intervals(value: float, half_width: float, unit: str, told: tuple[str, str, str]) -> None:
    """Four digits of the larger of value and half width; a count has all its digits."""
    assert with_interval(value, half_width, unit) == told


def test_a_scale_is_chosen_after_rounding() -> None:
    """What rounds to a thousand has the next prefix, so that no number has four digits before the point."""
    assert scaled(999.949, "J") == (1.0, "J")
    assert scaled(999.951, "J").unit == "kJ"
    assert digits(999.951 * scaled(999.951, "J").factor) == "1.000"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_page_rounds_alike() -> None:
    """The page's `short` is the same number as `digits`, without zeros at the end."""
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("const short = "))
    samples = [sign * first * 10.0**place for sign in (1, -1) for place in range(-8, 9) for first in (1.23456, 9.99961)]
    code = f"{line}\nconsole.log(JSON.stringify({json.dumps([*samples, None])}.map(short)))"
    ended = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    *found, absent = json.loads(ended.stdout)
    assert absent == digits(None)
    assert [float(text) for text in found] == [float(digits(value).replace(",", "")) for value in samples]
