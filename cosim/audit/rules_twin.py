"""Rules for the rows of the digital twin: messages are conserved, states only become newer, ages add up.

The integral of the ages is an exact law: between two states received at r and r' the age of the first, generated at g,
adds ((r' - g)^2 - (r - g)^2) / 2, and a vehicle's first state is that of its entry.
"""

from typing import Final

from cosim.audit.rule import Rule, amounts, growing_totals, unknown, where

_RELATIVE: Final = 1e-6
_NODES: Final = "SELECT site FROM site_deployed"
_NEWS: Final = (
    "SELECT vehicle, time_s AS received_s, generated_s, seq FROM twin_synced "
    "UNION ALL SELECT vehicle, time_s, time_s, -1 FROM vehicle_entered"
)
_AGES: Final = f"""
WITH last AS (
  SELECT max(seq) AS seq, arg_max(time_s, seq) AS at_s, arg_max(twin_s, seq) AS twin_s, arg_max(age_s2, seq) AS age_s2
  FROM twin_sampled
), news AS (
  SELECT vehicle, generated_s, least(received_s, at_s) AS from_s,
    least(coalesce(lead(received_s) OVER (PARTITION BY vehicle ORDER BY n.seq), l.time_s, at_s), at_s) AS to_s
  FROM ({_NEWS}) n CROSS JOIN last LEFT JOIN vehicle_left l USING (vehicle)
), sums AS (
  SELECT coalesce(fsum(to_s - from_s), 0) AS twin_s,
    coalesce(fsum((to_s - from_s) * (to_s + from_s - 2 * generated_s) / 2), 0) AS age_s2
  FROM news
)
SELECT seq FROM last CROSS JOIN sums
"""


def twin_rules() -> list[Rule]:
    """Return the rules that hold at every moment of a run."""
    return [*_messages(), *_states(), *_samples(), *_homes()]


def twin_end_rules() -> list[Rule]:
    """Return the rules that hold once a run has reached its end: the totals are the sums of the rows."""
    made = {
        "sent": "SELECT coalesce(sum(vehicles), 0) FROM twin_uplinked",
        "received": "SELECT count(*) FROM twin_synced",
    }
    return [
        *(
            Rule(
                "twin_sampled",
                f"the last {total} is not what the messages' rows say",
                f"SELECT max(seq) AS seq FROM twin_sampled HAVING arg_max({total}, seq) <> ({rows})",
            )
            for total, rows in made.items()
        ),
        *(
            Rule(
                "twin_sampled",
                f"the last {total} is not the sum over the states of all twins",
                f"{_AGES} WHERE abs(last.{total} - sums.{total}) > {_RELATIVE!r} * greatest(sums.{total}, 1e-3)",
            )
            for total in ("twin_s", "age_s2")
        ),
    ]


def _messages() -> list[Rule]:
    """Return the rules that a message that leaves a vehicle arrives once, later, or is lost."""
    return [
        unknown("twin_uplinked", "its site is no deployed site", "site", _NODES),
        where("twin_uplinked", "it ended before it began", "began_s > time_s"),
        where("twin_uplinked", "it is empty", "vehicles < 1"),
        where("twin_uplinked", "it lost more messages than it had", "lost NOT BETWEEN 0 AND vehicles"),
        *amounts({"twin_uplinked": ("bit",)}),
        Rule(
            "twin_synced",
            "more states of that time have come than came over the air",
            "SELECT max(seq) AS seq FROM (SELECT seq, generated_s AS time_s, 1 AS n FROM twin_synced "
            "UNION ALL SELECT NULL, began_s, lost - vehicles FROM twin_uplinked) GROUP BY time_s HAVING sum(n) > 0",
        ),
    ]


def _states() -> list[Rule]:
    """Return the rules that states are of vehicles on the map, arrive after they were true, and only become newer."""
    return [
        where("twin_synced", "it came before it was true", "generated_s > time_s"),
        unknown("twin_synced", "its node is no deployed site or cloud", "node", _NODES),
        Rule(
            "twin_synced",
            "its vehicle is not on the map, or was not when the state was true",
            "SELECT s.seq FROM twin_synced s LEFT JOIN vehicle_entered e USING (vehicle) "
            "LEFT JOIN vehicle_left l USING (vehicle) "
            "WHERE e.time_s IS NULL OR s.generated_s < e.time_s OR s.time_s > l.time_s",
        ),
        Rule(
            "twin_synced",
            "its twin had a state as new as this before",
            "SELECT seq FROM twin_synced WINDOW twin AS (PARTITION BY vehicle ORDER BY seq) "
            "QUALIFY generated_s <= lag(generated_s) OVER twin",
        ),
    ]


def _samples() -> list[Rule]:
    """Return the rules that running totals grow, and that ages and errors are in their ranges."""
    return [
        *amounts({"twin_sampled": ("twins", "twin_s", "age_s2", "sent", "received", "lost", "sent_bit")}),
        *growing_totals({("twin_sampled",): ("twin_s", "age_s2", "sent", "received", "lost", "sent_bit")}),
        where("twin_sampled", "more messages were received or lost than sent", "received + lost > sent"),
        where("twin_sampled", "it has an age without twins, or the reverse", "(mean_age_s IS NULL) <> (twins = 0)"),
        where(
            "twin_sampled",
            "its mean age is negative or above its largest",
            f"mean_age_s < -{_RELATIVE!r} OR mean_age_s > max_age_s * (1 + {_RELATIVE!r}) + {_RELATIVE!r}",
        ),
        where("twin_sampled", "its inside_ratio is no share", "inside_ratio NOT BETWEEN 0 AND 1"),
        *(
            where("twin_sampled", f"its {name} is negative", f"{name} < 0")
            for name in ("mirror_error_m", "mean_error_m", "p95_error_m", "demand_error_per_s", "demand_bound_per_s")
        ),
    ]


def _homes() -> list[Rule]:
    """Return the rules of placement: hosts of twins are deployed, and hold no more twins than they have room for."""
    return [
        *(
            unknown("twin_moved", f"its {end} is no deployed site or cloud", end, _NODES)
            for end in ("from_node", "to_node")
        ),
        where("twin_moved", "it arrived before it set out", "began_s > time_s"),
        where(
            "twin_moved",
            "it stood still before it set out, or after it arrived",
            "still_s NOT BETWEEN began_s AND time_s",
        ),
        where("twin_moved", "it stood still before or after its move", "still_s NOT BETWEEN began_s AND time_s"),
        Rule(
            "twin_moved",
            "it leaves a host on which it was not",
            "SELECT seq FROM twin_moved WINDOW twin AS (PARTITION BY vehicle ORDER BY seq) "
            "QUALIFY from_node IS DISTINCT FROM lag(to_node) OVER twin",
        ),
        *amounts({"twin_moved": ("bit",), "twin_host_sampled": ("twins", "capacity")}),
        unknown("twin_host_sampled", "its node is no deployed site or cloud", "node", _NODES),
        where("twin_host_sampled", "it holds more twins than it has room for", "twins > capacity"),
    ]
