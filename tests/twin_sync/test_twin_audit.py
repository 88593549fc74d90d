"""The audit of the twin's rows: what is written otherwise in one place is found out, by the law that it breaks."""

from dataclasses import replace

import pytest
from crafted import write_run
from stories import scenario

from cosim.audit.rules_twin import twin_end_rules, twin_rules
from cosim.audit.verify import run_rules
from cosim.trace.facts.run import SiteDeployed, VehicleEntered, VehicleLeft
from cosim.trace.facts.twin import TwinHostSampled, TwinMoved, TwinSampled, TwinSynced, TwinUplinked
from cosim.trace.store.reader import Trace

NAN = float("nan")
BIT = 2400.0


def sample(at_s, twins, ages_s, twin_s, age_s2, *messages):
    """A sample of twins with these ages."""
    mean_s, oldest_s = (sum(ages_s) / twins, max(ages_s)) if twins else (NAN, NAN)
    return TwinSampled(at_s, twins, mean_s, oldest_s, twin_s, age_s2, *messages, messages[0] * BIT, 0.0, *[NAN] * 5)


# Vehicle 0 is there from 0 to 6, vehicle 1 from 1 on. 0 tells at 2 and 4, 1 tells at 2 (lost) and at 4.
ROWS = [
    SiteDeployed(0.0, 0, "A", 0.0, 0.0, 1, 1e9),
    VehicleEntered(0.0, 0, "a", "car"),
    VehicleEntered(1.0, 1, "b", "car"),
    TwinMoved(1.0, 1, -1, 0, 1.0, 1.0, 0.0),
    TwinUplinked(2.5, 0, 2.0, 2, 1, 2 * BIT),
    TwinSynced(2.5, 0, 2.0, 0),
    sample(4.0, 2, (2.0, 3.0), 7.0, 2.5**2 / 2 + (2.0**2 - 0.5**2) / 2 + 3.0**2 / 2, 4, 1, 1),
    TwinHostSampled(4.0, 0, 2, 3),
    TwinUplinked(4.5, 0, 4.0, 2, 0, 2 * BIT),
    TwinSynced(4.5, 0, 4.0, 0),
    TwinSynced(4.5, 1, 4.0, 0),
    VehicleLeft(6.0, 0),
    sample(
        8.0, 1, (4.0,), 13.0,
        (2.5**2 + 2.5**2 - 0.5**2 + 2.0**2 - 0.5**2 + 3.5**2 + 4.0**2 - 0.5**2) / 2, 4, 3, 1,
    ),
]  # fmt: skip


def broken(folder, rows, rules):
    """What rules of the audit say of rows, stored as a whole run."""
    write_run(folder, rows, scenario(), 8.0)
    with Trace.open(folder) as trace:
        return [rule.why for rule in rules if len(trace.sql(rule.query))]


def change(kind, number, **columns):
    """The rows with one of a kind written otherwise."""
    place = [at for at, row in enumerate(ROWS) if type(row) is kind][number]
    return [*ROWS[:place], replace(ROWS[place], **columns), *ROWS[place + 1 :]]


def test_a_sound_twin(tmp_path):
    """Rows that add up break no rule; the ages are those of the trapezoids by hand."""
    assert broken(tmp_path / "run", ROWS, run_rules(complete=True)) == []


MORE = [*ROWS[:-1], TwinSynced(7.0, 1, 4.0, 0), ROWS[-1]]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (change(TwinUplinked, 0, began_s=3.0), "ended before it began"),
        (change(TwinUplinked, 0, site=7), "site is no deployed"),
        (change(TwinUplinked, 0, lost=3), "lost more messages"),
        (change(TwinUplinked, 0, vehicles=0, lost=0), "is empty"),
        (change(TwinUplinked, 1, lost=1), "more states of that time"),
        (change(TwinUplinked, 1, vehicles=3), "last sent"),
        (change(TwinSynced, 0, generated_s=2.75), "before it was true"),
        (change(TwinSynced, 1, generated_s=2.0), "as new as this"),
        (change(TwinSynced, 2, vehicle=5), "not on the map"),
        (change(TwinSynced, 2, generated_s=0.5), "not on the map"),
        (change(TwinSynced, 1, time_s=6.5), "not on the map"),
        (change(TwinSynced, 2, node=3), "node is no deployed"),
        (change(TwinSynced, 2, time_s=4.6), "last age_s2"),
        (change(VehicleLeft, 0, time_s=6.1), "last twin_s"),
        (change(TwinSampled, 1, age_s2=24.63), "last age_s2"),
        (change(TwinSampled, 1, twin_s=6.0), "running total is smaller"),
        (change(TwinSampled, 1, received=4), "received or lost than sent"),
        (change(TwinSampled, 1, received=2), "last received"),
        (change(TwinSampled, 1, twins=0), "age without twins"),
        (change(TwinSampled, 0, mean_age_s=3.5), "above its largest"),
        (change(TwinSampled, 0, inside_ratio=1.5), "inside_ratio is no share"),
        (change(TwinSampled, 0, mirror_error_m=-1.0), "mirror_error_m is negative"),
        (change(TwinMoved, 0, to_node=4), "to_node is no deployed"),
        (change(TwinMoved, 0, began_s=1.5), "arrived before it set out"),
        (change(TwinMoved, 0, still_s=0.5), "stood still before it set out"),
        (change(TwinHostSampled, 0, twins=4), "more twins than it has room"),
        (change(TwinHostSampled, 0, node=9), "node is no deployed"),
        (MORE, "as new as this"),
    ],
)
def test_a_change_is_found(tmp_path, rows, why):
    """One number written otherwise breaks the law that is named."""
    rules = [rule for rule in (*twin_rules(), *twin_end_rules()) if why in rule.why]
    assert broken(tmp_path / "run", rows, rules)
