"""Amplitude amplification and minimum search: the closed form, PennyLane, and Grover's known numbers."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from cosim_agents.quantum.grover import amplify, search_actions, search_budget
from cosim_agents.quantum.search_policy import GroverSearch
from effort import count, drawn
from hypothesis import given
from hypothesis import strategies as st


def success_probability(iterations: int | np.ndarray, marked: int, size: int) -> np.ndarray:
    """That a measurement after k iterations gives a marked item: sin^2((2 k + 1) theta), sin(theta) = sqrt(m / N)."""
    return np.sin((2 * np.asarray(iterations) + 1) * math.asin(math.sqrt(marked / size))) ** 2


def pennylane_amplitudes(marked: np.ndarray, iterations: int) -> np.ndarray:
    """Hadamards, then oracle and diffusion as PennyLane's own operations."""
    wires = range(int(np.log2(len(marked))))
    oracle = np.diag(np.where(marked, -1.0, 1.0))

    @qml.qnode(qml.device("default.qubit", wires=len(wires)))
    def circuit() -> object:
        for wire in wires:
            qml.Hadamard(wire)
        for _ in range(iterations):
            qml.QubitUnitary(oracle, wires=wires)
            qml.GroverOperator(wires=wires)
        return qml.state()

    return np.asarray(circuit())


@pytest.mark.parametrize(("qubits", "iterations"), [(2, 1), (3, 2), (3, 5), (5, 4)])
def test_same_amplitudes_as_pennylane(qubits: int, iterations: int) -> None:
    """The two-line update and PennyLane's GroverOperator give the same state to 1e-10, sign included."""
    marked = np.zeros(2**qubits, dtype=np.bool_)
    marked[[1, 2**qubits - 1]] = True
    ours = amplify(marked, iterations)
    np.testing.assert_allclose(ours, pennylane_amplitudes(marked, iterations), atol=1e-10)


@given(beta=st.integers(1, 7), items=st.integers(0, 128), iterations=st.integers(0, 12), seed=st.integers(0, 99))
@drawn(150)
def test_closed_form(beta: int, items: int, iterations: int, seed: int) -> None:
    """The marked items' squared amplitudes add up to sin^2((2k+1) theta), and all of them to 1."""
    size = 2**beta
    items = min(items, size)
    marked = np.zeros((2, size), dtype=np.bool_)
    marked[:, np.random.default_rng(seed).permutation(size)[:items]] = True
    squares = amplify(marked, np.array([iterations, 0])) ** 2
    np.testing.assert_allclose(squares.sum(axis=1), 1.0, atol=1e-12)
    expected = success_probability(np.array([iterations, 0]), items, size)
    np.testing.assert_allclose((squares * marked).sum(axis=1), expected, atol=1e-12)
    assert expected[1] == pytest.approx(items / size)


def test_known_numbers() -> None:
    """One marked of 4 is certain after one iteration; of 8, 16, 32, 64 it is .945, .961, .999, .997 at the best."""
    assert amplify(np.array([False, False, True, False]), 1) == pytest.approx([0, 0, 1, 0], abs=1e-15)
    found = [amplify(np.arange(size) == 0, turns)[0] ** 2 for size, turns in ((8, 2), (16, 3), (32, 4), (64, 6))]
    assert found == pytest.approx([0.945, 0.961, 0.999, 0.997], abs=5e-4)


@given(seed=st.integers(0, 10**6), rows=st.integers(0, 20), options=st.integers(1, 9))
@drawn(80)
def test_always_feasible_and_within_the_budget(seed: int, rows: int, options: int) -> None:
    """A choice is a feasible column; calls stay under the budget and one last measurement; no option, no call."""
    rng = np.random.default_rng(seed)
    values = rng.choice([1.0, 2.0, -3.0, np.inf, np.nan], (rows, options))
    mask = rng.random((rows, options)) < 0.6
    choice, calls = search_actions(values, mask, rng)
    some = mask.any(axis=1)
    assert mask[np.arange(rows), choice][some].all()
    assert (choice[~some] == 0).all()
    assert (calls[~some] == 0).all()
    size = 2 ** math.ceil(math.log2(options))
    if size > 1:
        assert (calls[some] >= search_budget(size)).all()
        assert (calls <= search_budget(size) + math.ceil(math.sqrt(size))).all()


def test_search_finds_the_minimum() -> None:
    """The minimum of 6 options is found in nearly every of 4000 rows, with two searches in all but a handful."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(4000, 6))
    mask = np.ones(values.shape, dtype=np.bool_)
    once = search_actions(values, mask, np.random.default_rng(1))
    twice = search_actions(values, mask, np.random.default_rng(1), repetitions=2)
    missed = [(found.choice != values.argmin(axis=1)).mean() for found in (once, twice)]
    assert missed[0] < 2e-3
    assert missed[1] <= missed[0]
    assert twice.oracle_calls.mean() == pytest.approx(2 * once.oracle_calls.mean(), rel=0.02)


def test_the_best_of_several_searches_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches that miss with probability q on their own miss with q^3 in three."""
    monkeypatch.setattr("cosim_agents.quantum.grover.search_budget", lambda _: 12)
    values = np.tile(np.arange(32.0), (3000, 1))
    mask = np.ones(values.shape, dtype=np.bool_)
    once, thrice = (
        (search_actions(values, mask, np.random.default_rng(6), repetitions=searches).choice != 0).mean()
        for searches in (1, 3)
    )
    assert 0.3 < once < 0.7
    assert thrice == pytest.approx(once**3, abs=0.04)


def test_a_value_that_is_no_number_is_the_worst() -> None:
    """NaN loses against every number, also where the search begins with it."""
    values = np.tile([np.nan, 5.0, np.nan, 7.0], (500, 1))
    found = search_actions(values, np.ones(values.shape, dtype=np.bool_), np.random.default_rng(7))
    assert (found.choice == 1).mean() > 0.99


def test_the_policy_adds_up_its_calls() -> None:
    """`GroverSearch.oracle_calls` grows with every decision, by what the searches asked."""
    policy = GroverSearch(np.random.default_rng(8))
    seen: Any = SimpleNamespace(
        expected_s=np.array([[3.0, 1.0, 2.0, 4.0]] * 10), feasible=np.ones((10, 4), dtype=np.bool_)
    )
    calls = 0
    for _ in range(2):
        assert (policy.decide(seen).option == 1).all()
        assert policy.oracle_calls >= calls + 10 * search_budget(4)
        calls = policy.oracle_calls


def test_the_budget_by_hand() -> None:
    """22.5 sqrt(N) + 1.4 lg^2 N: 45 + 5.6 calls for 4 items, 90 + 22.4 for 16, rounded up."""
    assert [search_budget(size) for size in (4, 16)] == [51, 113]


@pytest.mark.parametrize("size", [16, 64, pytest.param(256, marks=pytest.mark.long)])
def test_calls_grow_as_the_root_of_the_items(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The minimum is first met after 2 to 3.5 sqrt(N) calls in the mean, well under the proven 45/4 sqrt(N)."""
    values = np.tile(np.arange(float(size)), (500, 1))
    mask = np.ones(values.shape, dtype=np.bool_)
    budgets, missed = np.linspace(0.0, 12.0, 25)[1:] * math.sqrt(size), [1.0 - 1.0 / size]
    for calls in budgets:
        monkeypatch.setattr("cosim_agents.quantum.grover.search_budget", lambda _, calls=calls: calls)
        missed.append((search_actions(values, mask, np.random.default_rng(3)).choice != 0).mean())
    mean = np.trapezoid(missed, [0.0, *budgets]) / math.sqrt(size)
    assert 2.0 < mean < 3.5
    assert missed[-1] < 0.02


def test_amplification_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 256 items 60 calls find the minimum in more than 70 % of rows; looking at 61 one by one would in 24 %."""
    values = np.tile(np.arange(256.0), (count(2000, least=400), 1))
    mask = np.ones(values.shape, dtype=np.bool_)
    found = {}
    for calls in (1, 24, 60, 400):
        monkeypatch.setattr("cosim_agents.quantum.grover.search_budget", lambda _, calls=calls: calls)
        found[calls] = search_actions(values, mask, np.random.default_rng(2)).choice
    # One call: the smaller of a start and one measurement, both at random.
    assert found[1].mean() == pytest.approx(255 / 3, rel=0.06)
    assert (found[24] == 0).mean() > 0.2
    assert (found[60] == 0).mean() > 0.7
    assert found[400].mean() < 0.05
