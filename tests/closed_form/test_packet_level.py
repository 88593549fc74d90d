"""Times of files over LTE beside those of a packet-level simulator, ns-3, whose numbers are in the package."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import few
from physics import seen

from cosim.types import FloatArray
from cosim.validation import packets
from cosim.validation.checks import _packets
from cosim.validation.packets import Sent, Together, apart, at_one_distance, bound, sent_s

POISSON = json.loads(
    (Path(__file__).parents[2] / "benchmarks" / "data" / "lte_uplink_poisson.json").read_text(encoding="utf-8")
)["rows"]

LOADS = [(row, found) for row in POISSON for found in row["found"]]


def compare(rows: list[Together]) -> None:
    """Compare rows with docs/physics.md and with their bounds."""
    ours = [row.flows_s() for row in rows]
    seen(np.concatenate(ours), np.concatenate([row.packets_s for row in rows]))
    for row, spent_s in zip(rows, ours, strict=True):
        np.testing.assert_allclose(spent_s, row.packets_s, rtol=bound(row), err_msg=row.name)


def test_uploads_that_begin_together_near_the_site() -> None:
    """1 to 8 uploads at once, 50 to 300 m from the site, take what they take packet by packet, within 10 %."""
    rows = [row for row in at_one_distance() if max(row.distances_m) <= 300.0]
    assert len(rows) == 40
    compare(rows)


def test_uploads_that_begin_together_far_from_the_site() -> None:
    """At 400 and 500 m, where a block of 12 carries less than its share and more headers, within 25 %."""
    rows = [row for row in at_one_distance() if max(row.distances_m) > 300.0]
    assert len(rows) == 16
    compare(rows)


def test_uploads_of_users_at_different_distances() -> None:
    """Users at 50 to 300 m who send at once are each done when they are packet by packet, within 10 %."""
    compare([row for row in apart() if not row.down])


def test_downlinks() -> None:
    """1 to 4 downlinks at once take what they take packet by packet, within 15 %."""
    compare([row for row in apart() if row.down])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"link": {"kind": "shannon"}}, "Shannon's rate is 2.5 times that of the network and more"),
        ({"link": {"kind": "mcs", "packet_byte": 100}}, "headers of short packets"),
        ({"noise_figure_db": 8.0}, "three decibels less: one or two steps of the table"),
        ({"grant_s": {"uplink": 0.0}}, "no request and no grant"),
        ({"access": {"kind": "fixed", "slice_share": 0.5}}, "half a band for whoever sends alone"),
    ],
)
def test_the_table_tells_models_apart(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, dict[str, object]], why: str
) -> None:
    """With another rate, header, noise, grant or access some row is out of its bound."""
    usual = packets.radio()
    monkeypatch.setattr(packets, "radio", lambda: {**usual, **changes})
    small = [row for row in at_one_distance() if len(row.distances_m) in (1, 8)]
    assert any(abs(row.error()) > bound(row) for row in small), why


def flows_s(row: dict[str, Any], bit: float) -> FloatArray:
    """Times of the files of a load in a run."""
    times_s = (np.cumsum(row["steps_10us"]) / 1e5).tolist()
    sent = zip(times_s, row["users"], strict=True)
    return sent_s([row["distance_m"]] * 40, [Sent(time_s, user, bit) for time_s, user in sent])


def test_poisson_files_that_fill_a_level_of_the_reports() -> None:
    """Files of 0.98 Mbit are granted what they have: at loads of 0.3 to 0.8 a cell takes the time that packets take.

    Mean within 15 % and 95th percentile within 20 %.
    """
    ours, theirs = [], []
    fitting = [(row, found) for row, found in LOADS if found["bit"] == 980_000]
    assert {(row["distance_m"], row["load"]) for row, _ in fitting} >= {(100.0, 0.3), (100.0, 0.6), (100.0, 0.8)}
    for row, found in few(fitting, keep=2):
        spent_s = flows_s(row, found["bit"])
        assert found["done"] == len(spent_s)
        measured, exact = (spent_s.mean(), np.percentile(spent_s, 95)), (found["mean_s"], found["p95_s"])
        assert abs(measured[0] / exact[0] - 1.0) < 0.15
        assert abs(measured[1] / exact[1] - 1.0) < 0.20
        ours += measured
        theirs += exact
    seen(ours, theirs)


@pytest.mark.long
def test_poisson_files_that_overfill_a_level_of_the_reports() -> None:
    """Files of 1 Mbit are granted 17 % more than they have, which sharing leaves out: too fast, the more so the fuller.

    At a load of 0.3 the goals hold all the same.
    """
    errors = {}
    for row in POISSON:
        found = row["found"][0]
        errors[row["distance_m"], row["load"]] = flows_s(row, found["bit"]).mean() / found["mean_s"] - 1.0
    for distance_m in (100.0, 300.0):
        light, middle, heavy = (errors[distance_m, load] for load in (0.3, 0.6, 0.8))
        assert 0.0 > light > -0.15
        assert light > middle > -0.25
        assert middle > heavy


def test_the_doctor_names_the_row_that_is_furthest_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line has the worst of some rows, and fails if that is out of its bound."""
    check = _packets()
    assert check.ok
    assert "expected 128.9 ms, measured 120.5 ms" in check.found
    usual = packets.radio()
    monkeypatch.setattr(packets, "radio", lambda: {**usual, "grant_s": {"uplink": 0.1}})
    check = _packets()
    assert not check.ok
    assert "doctor --validate" in check.fix


@pytest.mark.long
def test_three_details_of_the_scheduler_are_all_that_sharing_leaves_out() -> None:
    """With reports, whole blocks and turns a reference gives ns-3's mean and 95th percentile within 5 %.

    Without them it gives cosim's within 3 %. The overloaded cell is left out, whose times grow with the run.
    """
    place = Path(__file__).parents[2] / "benchmarks" / "packet_sharing.py"
    spec = spec_from_file_location("packet_sharing", place)
    assert spec is not None
    assert spec.loader is not None
    reference = module_from_spec(spec)
    spec.loader.exec_module(reference)
    for row, found in LOADS:
        if (row["distance_m"], row["load"], found["bit"]) == (300.0, 0.8, 1_000_000):
            continue
        times_s = (np.cumsum(row["steps_10us"]) / 1e5).tolist()
        files = [Sent(time_s, user, found["bit"]) for time_s, user in zip(times_s, row["users"], strict=True)]
        whole = reference.load_s(row["distance_m"], files, reference.DETAILS["+ turns"])
        told = [found["mean_s"], found["p95_s"]]
        np.testing.assert_allclose([whole.mean(), np.percentile(whole, 95)], told, rtol=0.05)
        bare = reference.load_s(row["distance_m"], files, reference.DETAILS["sharing"])
        np.testing.assert_allclose(bare.mean(), flows_s(row, found["bit"]).mean(), rtol=0.03)
