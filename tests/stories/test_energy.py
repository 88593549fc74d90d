"""What vehicles and hosts spend, and what happens when a vehicle has nothing left.

One task at home costs kappa f^2 C = 1e-27 x (1e9)^2 x 1e9 = 1 J; a second on the air costs 1 J.
"""

import pytest
from physics import seen
from stories import NEAR_A, Told, tell

PATH = {"a": [NEAR_A] * 11, "b": [NEAR_A] * 11}


def test_budget_spent(tmp_path):
    """The task that exhausts the budget is finished; the next ends NO_ENERGY as it is decided, wherever it would go."""
    arrivals = [(0.5, "a"), (2.0, "a"), (2.5, "a")]
    story = tell(tmp_path, PATH, arrivals, Told(["local", "local", "A"]), energy={"vehicle_budget_j": 0.9})
    assert story.of("TaskEnded") == [
        "1.5 TaskEnded 0 COMPLETED",
        "2 TaskEnded 1 NO_ENERGY in DECISION",
        "2.5 TaskEnded 2 NO_ENERGY in DECISION",
    ]


def test_budgets_are_each_vehicles_own(tmp_path):
    """One vehicle's empty battery does not stop another."""
    story = tell(tmp_path, PATH, [(0.5, "a"), (2.0, "b")], "local", energy={"vehicle_budget_j": 0.9})
    assert story.of("TaskEnded") == ["1.5 TaskEnded 0 COMPLETED", "3 TaskEnded 1 COMPLETED"]


def test_the_radio_spends_it_too(tmp_path):
    """Sending for a second at 1 W empties a battery of 0.9 J; what was sent is still executed and received."""
    story = tell(tmp_path, PATH, [(0.5, "a"), (2.0, "a")], energy={"vehicle_budget_j": 0.9})
    assert story.of("TaskEnded") == ["2 TaskEnded 1 NO_ENERGY in DECISION", "3 TaskEnded 0 COMPLETED through A"]


def test_receiving_costs_what_the_scenario_says(tmp_path):
    """A vehicle pays 1 s at 1 W for the uplink and 0.5 s at 0.2 W for the downlink, the host kappa f^2 C = 0.1 J."""
    story = tell(tmp_path, PATH, [(0.5, "a")], energy={"receive_power_w": 0.2})
    assert story.number(0, "transmit_j") == pytest.approx(1.1)
    assert story.number(0, "edge_cpu_j") == pytest.approx(0.1)
    seen([story.number(0, "transmit_j"), story.number(0, "edge_cpu_j")], [1.1, 0.1])
    assert story.number(0, "vehicle_cpu_j") == 0.0


def test_a_helper_pays_for_its_help(tmp_path):
    """A neighbour that executed a task has that much less for its own."""
    sidelink = {"range_m": 80.0, "bandwidth_hz": 1e6, "path_loss": {"kind": "power_law", "gain_at_1m_db": 0.0}}
    arrivals = [(0.5, "a"), (4.0, "b")]
    story = tell(
        tmp_path, PATH, arrivals, Told(["b", "local"]), radio={"sidelink": sidelink}, energy={"vehicle_budget_j": 1.4}
    )
    assert story.of("TaskEnded") == ["3 TaskEnded 0 COMPLETED", "4 TaskEnded 1 NO_ENERGY in DECISION"]
