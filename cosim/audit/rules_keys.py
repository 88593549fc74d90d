"""Rules for the rows of the key network: bits are conserved, and keys come in order within a task's life.

Totals are compared with the rows that were recorded before them, by `seq`: a block or a filling is recorded as it is
counted.
"""

from cosim.audit.rule import Rule, amounts, growing_totals, known_codes, unknown, where
from cosim.trace.facts.keys import KeyLinkChanged, TaskKeyed
from cosim.types import KeyState, Phase, Status, Tier

_LIVES = "SELECT k.seq FROM task_keyed k JOIN task_ended e USING (task) WHERE"
_WAITS_UP = "up_asked_s IS NOT NULL AND up_keyed_s IS NULL"
_WAITS_DOWN = "down_asked_s IS NOT NULL AND down_keyed_s IS NULL"


def key_rules() -> list[Rule]:
    """Return the rules that hold at every moment of a run."""
    return [*_network(), *_pools(), *_vehicles(), *_lives(), *_states()]


def key_end_rules() -> list[Rule]:
    """Return the rules that hold once a run has reached its end: tasks and vehicles account for every used bit."""
    given = (
        "(SELECT coalesce(sum(up_bit * up_hops + down_bit * down_hops), 0) FROM task_keyed) + "
        "(SELECT coalesce(sum(bit * hops), 0) FROM vehicle_keys_filled)"
    )
    twice = f"CASE WHEN tier = {Tier.NEIGHBOUR:d} THEN 2 ELSE 1 END"
    drawn = f"(SELECT coalesce(sum((up_bit + down_bit) * {twice}), 0) FROM task_keyed JOIN task_ended USING (task))"
    return [
        Rule(
            "key_pool_sampled",
            "the last used_bit of all links is not what tasks and vehicles were given over each hop",
            "SELECT max(seq) AS seq FROM (SELECT max(seq) AS seq, arg_max(used_bit, seq) AS used FROM key_pool_sampled "
            f"GROUP BY link) HAVING sum(used) <> {given}",
        ),
        Rule(
            "vehicle_keys_sampled",
            "the last used_bit is not what tasks drew, twice where a neighbour gave as much",
            f"SELECT max(seq) AS seq FROM vehicle_keys_sampled HAVING arg_max(used_bit, seq) <> {drawn}",
        ),
    ]


def _network() -> list[Rule]:
    """Return the rules that nodes and links are deployed ones, and codes known ones."""
    nodes, links = "SELECT node FROM key_node_deployed", "SELECT link FROM key_link_deployed"
    of_links = ("key_block_distilled", "key_link_changed", "key_pool_sampled")
    return [
        *(unknown("key_link_deployed", f"its {end} is no node", end, nodes) for end in ("from_node", "to_node")),
        where("key_link_deployed", "it joins a node with itself", "from_node = to_node"),
        where("key_link_deployed", "its pool begins above its capacity", "initial_bit > capacity_bit"),
        unknown("vehicle_keys_filled", "its node is no deployed node", "node", nodes),
        *(unknown(kind, "its link is no deployed link", "link", links) for kind in of_links),
        *known_codes(KeyLinkChanged),
        *known_codes(TaskKeyed),
        *amounts(
            {
                "key_link_deployed": ("length_km", "capacity_bit", "initial_bit"),
                "key_block_distilled": ("bit", "stored_bit"),
                "key_pool_sampled": ("stored_bit", "generated_bit", "used_bit", "lost_bit"),
                "vehicle_keys_filled": ("bit", "hops", "dropped_bit"),
                "vehicle_keys_sampled": ("stored_bit", "filled_bit", "used_bit", "lost_bit", "filling", "waiting"),
                "task_keyed": ("up_bit", "up_hops", "down_bit", "down_hops"),
            }
        ),
    ]


def _pools() -> list[Rule]:
    """Return the rules of links' pools: generated = used + lost + stored, all of it distilled or initial."""
    return [
        where(
            "key_pool_sampled",
            "its generated_bit is not used_bit + lost_bit + stored_bit",
            "generated_bit <> used_bit + lost_bit + stored_bit",
        ),
        *growing_totals({("key_pool_sampled", "link"): ("generated_bit", "used_bit", "lost_bit")}),
        _counted(
            "key_pool_sampled",
            "its generated_bit is not the pool's initial_bit and the bits of its link's blocks so far",
            "generated_bit",
            "SELECT seq, link AS pool, bit FROM key_block_distilled "
            "UNION ALL SELECT seq, link, initial_bit FROM key_link_deployed",
            "link",
        ),
        Rule(
            "key_pool_sampled",
            "its pool holds more than its capacity",
            "SELECT s.seq FROM key_pool_sampled s JOIN key_link_deployed USING (link) WHERE stored_bit > capacity_bit",
        ),
        where("key_block_distilled", "it stored more bits than it has", "stored_bit > bit"),
        where("key_block_distilled", "its qber is no error rate", "qber NOT BETWEEN 0 AND 1"),
    ]


def _vehicles() -> list[Rule]:
    """Return the rules of vehicles' pools: filled = used + lost + stored, all of it from fillings."""
    return [
        where(
            "vehicle_keys_sampled",
            "its filled_bit is not used_bit + lost_bit + stored_bit",
            "filled_bit <> used_bit + lost_bit + stored_bit",
        ),
        *growing_totals({("vehicle_keys_sampled",): ("filled_bit", "used_bit", "lost_bit")}),
        _counted(
            "vehicle_keys_sampled",
            "its filled_bit is not the sum of the fillings so far",
            "filled_bit",
            "SELECT seq, 0 AS pool, bit FROM vehicle_keys_filled",
            "0",
        ),
    ]


def _counted(kind: str, why: str, total: str, made: str, pool: str) -> Rule:
    """Return the rule that a sampled total is the sum of the rows of its pool recorded before it."""
    both = f"{made} UNION ALL SELECT seq, {pool}, NULL FROM {kind}"
    sums = f"SELECT seq, bit, coalesce(sum(bit) OVER (PARTITION BY pool ORDER BY seq), 0) AS so_far FROM ({both})"
    return Rule(kind, why, f"SELECT seq FROM {kind} JOIN ({sums}) USING (seq) WHERE bit IS NULL AND {total} <> so_far")


def _lives() -> list[Rule]:
    """Return the rules that a task's keys belong to its life and are in order within it."""
    steps = (
        ("decided_s", "up_asked_s"),
        ("up_asked_s", "up_keyed_s"),
        ("up_asked_s", "uplink_s"),
        ("up_keyed_s", "uplink_s"),
        ("executed_s", "down_asked_s"),
        ("down_asked_s", "down_keyed_s"),
        ("down_asked_s", "downlink_s"),
        ("down_keyed_s", "downlink_s"),
        *((name, "e.time_s") for name in ("up_asked_s", "up_keyed_s", "down_asked_s", "down_keyed_s")),
    )
    rules = [
        Rule(
            "task_keyed",
            f"its {earlier} is after its {later.removeprefix('e.')}",
            f"{_LIVES} {earlier} > {later}",
        )
        for earlier, later in steps
    ]
    rules.extend(
        Rule("task_keyed", f"it asks for a key without {before}", f"{_LIVES} {asked} IS NOT NULL AND {before} IS NULL")
        for before, asked in (("decided_s", "up_asked_s"), ("executed_s", "down_asked_s"))
    )
    for way in ("up", "down"):
        asked, keyed, bit, hops = (f"{way}_{name}" for name in ("asked_s", "keyed_s", "bit", "hops"))
        rules.append(where("task_keyed", f"it has {keyed} without {asked}", f"{keyed} IS NOT NULL AND {asked} IS NULL"))
        rules.append(
            where(
                "task_keyed",
                f"it has {bit} or {hops} without {keyed}",
                f"{keyed} IS NULL AND ({bit} <> 0 OR {hops} <> 0)",
            )
        )
    return [
        *rules,
        Rule("task_keyed", "its task has not ended", "SELECT seq FROM task_keyed ANTI JOIN task_ended USING (task)"),
        Rule("task_keyed", "its vehicle or end is not that of its task",
             f"{_LIVES} k.vehicle <> e.vehicle OR k.time_s <> e.time_s"),
        Rule("task_keyed", "its task has such a row already",
             "SELECT max(seq) AS seq FROM task_keyed GROUP BY task HAVING count(*) > 1"),
    ]  # fmt: skip


def _states() -> list[Rule]:
    """Return the rules that NO_KEY, the phase KEY and the state of a task's keys agree.

    A task whose vehicle or helper is gone as it asks ends in phase KEY too, without having asked. After the downlink's
    key a result may be carried on to another cell, in phase RETURN.
    """
    went_on = f"(downlink_s IS NOT NULL OR phase = {Phase.RETURN:d})"
    waiting = f"({_WAITS_UP} AND uplink_s IS NULL) OR ({_WAITS_DOWN} AND NOT {went_on})"
    without = f"({_WAITS_UP} AND uplink_s IS NOT NULL) OR ({_WAITS_DOWN} AND {went_on})"
    stories = (
        ("it is REFUSED and did not end in phase KEY", f"state = {KeyState.REFUSED:d} AND phase <> {Phase.KEY:d}"),
        (
            "it has NO_KEY without waiting for a key",
            f"state = {KeyState.REFUSED:d} AND status = {Status.NO_KEY:d} AND NOT ({waiting})",
        ),
        ("it ended waiting for a key and is not REFUSED", f"state <> {KeyState.REFUSED:d} AND ({waiting})"),
        ("it is DRAWN and a transfer went without a key", f"state = {KeyState.DRAWN:d} AND ({without})"),
        ("it is DOWNGRADED and no transfer went without a key", f"state = {KeyState.DOWNGRADED:d} AND NOT ({without})"),
    )
    refused = f"SELECT task FROM task_keyed WHERE state = {KeyState.REFUSED:d}"
    return [
        *(Rule("task_keyed", why, f"{_LIVES} ({condition})") for why, condition in stories),
        where(
            "task_ended",
            "it has NO_KEY outside of phase KEY",
            f"status = {Status.NO_KEY:d} AND phase <> {Phase.KEY:d}",
        ),
        Rule(
            "task_ended",
            "it has NO_KEY and was not refused a key",
            f"SELECT seq FROM task_ended WHERE status = {Status.NO_KEY:d} AND task NOT IN ({refused})",
        ),
    ]
