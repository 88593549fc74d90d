"""Rules for the rows that every run has: tasks, cells, hosts and traffic."""

from cosim.audit.rule import Rule, amounts, growing_totals, known_codes, unknown, where
from cosim.trace.facts.run import CellSampled, TaskDecided, TaskEnded, TransferGranted, TransferMoved
from cosim.types import Direction, Phase, Status, Tier

_LIFE = (
    "released_s",
    "decided_s",
    "uplink_s",
    "uplinked_s",
    "queued_s",
    "started_s",
    "executed_s",
    "downlink_s",
    "time_s",
)
_SITES = "SELECT site FROM site_deployed"


def task_rules() -> list[Rule]:
    """Return the rules that hold at every moment of a run."""
    parts = (_order, _endings, _amounts, _places, _wires, _grants, _identity, _totals, _codes)
    return [rule for part in parts for rule in part()]


def task_end_rules() -> list[Rule]:
    """Return the rules that hold once a run has reached its end."""
    never = "SELECT seq FROM task_released ANTI JOIN task_ended USING (task)"
    return [Rule("task_released", "its task never ended", never)]


def _order() -> list[Rule]:
    """Return the rules that times do not decrease along a task's life; NULL means that a step did not happen."""
    rules = []
    for place, later in enumerate(_LIFE[1:], start=1):
        condition = f"{later} < greatest({', '.join(_LIFE[:place])})"  # greatest() leaves NULL out
        rules.append(where("task_ended", f"its {later} is before an earlier step of its life", condition))
    pairs = (
        ("decided_s", "uplink_s"),
        ("uplink_s", "uplinked_s"),
        ("queued_s", "started_s"),
        ("started_s", "executed_s"),
    )
    for earlier, later in pairs:
        why = f"it has {later} without {earlier}"
        rules.append(where("task_ended", why, f"{later} IS NOT NULL AND {earlier} IS NULL"))
    rules.append(where("task_released", "its deadline is before its release", "deadline_s < time_s"))
    return rules


def _endings() -> list[Rule]:
    """Return the rules that status, phase, tier and times of a task agree."""
    ended = (
        ("it is COMPLETED after its deadline", f"status = {Status.COMPLETED:d} AND time_s > deadline_s"),
        ("it is LATE before its deadline", f"status = {Status.LATE:d} AND time_s <= deadline_s"),
        (
            "its result is back in phase DONE only, and then always",
            f"(status IN ({Status.COMPLETED:d}, {Status.LATE:d})) <> (phase = {Phase.DONE:d})",
        ),
        ("it EXPIRED before its deadline", f"status = {Status.EXPIRED:d} AND time_s < deadline_s"),
        ("it was REJECTED outside a queue", f"status = {Status.REJECTED:d} AND phase <> {Phase.QUEUE:d}"),
        (
            "it lost a helper without having one",
            f"status = {Status.HELPER_LOST:d} AND tier IS DISTINCT FROM {Tier.NEIGHBOUR:d}",
        ),
        ("it has a tier without a decision, or the reverse", "(tier IS NULL) <> (decided_s IS NULL)"),
        ("it is DONE without execution", f"phase = {Phase.DONE:d} AND executed_s IS NULL"),
        ("it ended in QUEUE after execution started", f"phase = {Phase.QUEUE:d} AND started_s IS NOT NULL"),
        (
            "it ended in EXECUTION without start or after its end",
            f"phase = {Phase.EXECUTION:d} AND (started_s IS NULL OR executed_s IS NOT NULL)",
        ),
    )
    return [*known_codes(TaskEnded), *(where("task_ended", why, condition) for why, condition in ended)]


def _amounts() -> list[Rule]:
    """Return the rules that energies, sizes and totals are numbers that are not negative."""
    return amounts(
        {
            "task_released": ("input_bit", "output_bit", "cycles"),
            "task_ended": ("transmit_j", "vehicle_cpu_j", "edge_cpu_j"),
            "host_sampled": ("number_s", "busy_core_s", "energy_j", "queued", "running", "served", "rejected"),
            "cell_sampled": ("number_s", "busy_s", "sent_bit", "active"),
            "traffic_sampled": ("alive_number_s", "alive", "waiting", "vehicles", "covered"),
            "transfer_moved": ("left_bit",),
            "transfer_granted": ("waited_s", "left_bit"),
        }
    )


def _places() -> list[Rule]:
    """Return the rules that sites are deployed ones."""
    columns = {
        "cell_changed": ("from_site", "to_site"),
        "transfer_moved": ("from_site", "to_site"),
        "transfer_granted": ("site",),
        "task_ended": ("uplink_site", "downlink_site", "downlink_from_site"),
        "host_sampled": ("site",),
        "cell_sampled": ("site",),
        "vehicle_moved": ("site",),
    }
    rules = [
        unknown(kind, f"its {name} is no deployed site", name, _SITES)
        for kind, names in columns.items()
        for name in names
    ]
    at_host = f"tier IN ({Tier.EDGE:d}, {Tier.CLOUD:d}) AND (target IS NULL OR target NOT IN ({_SITES}))"
    rules.extend(where(kind, "its target is no deployed site", at_host) for kind in ("task_decided", "task_ended"))
    rules.append(
        where("cell_changed", "it goes from a cell to the same cell", "from_site IS NOT DISTINCT FROM to_site")
    )
    return rules


def _wires() -> list[Rule]:
    """Return the rules that results cross wires to the cell that delivers them; `cosim.audit.wires` has their number.

    Rows of older schemas have NULL in these columns and break none of them.
    """
    at_host = f"tier IN ({Tier.EDGE:d}, {Tier.CLOUD:d})"
    told = (
        (
            "its result crossed wires or came from a site, and no host had it",
            f"(wire_bit > 0 OR downlink_from_site IS NOT NULL) AND (({at_host}) IS NOT TRUE OR executed_s IS NULL)",
        ),
        (
            "its downlink did not start and has a site that it came from",
            "downlink_from_site IS NOT NULL AND downlink_s IS NULL",
        ),
        (
            "its result is back from no site",
            f"{at_host} AND phase = {Phase.DONE:d} AND wire_bit IS NOT NULL AND downlink_from_site IS NULL",
        ),
    )
    moved = f"SELECT task FROM transfer_moved WHERE direction = {Direction.DOWNLINK:d}"
    return [
        *(where("task_ended", why, condition) for why, condition in told),
        where("task_ended", "its wire_bit is negative", "wire_bit < 0"),
        where(
            "task_ended",
            "its downlink ended in another cell than it started in, without a row that tells it",
            f"downlink_from_site <> downlink_site AND task NOT IN ({moved})",
        ),
    ]


def _grants() -> list[Rule]:
    """Return the rules that a grant is one of the air, and of what was left; `cosim.audit.grants` has its time."""
    out = f"g.direction = {Direction.UPLINK:d} OR g.direction = {Direction.SIDELINK:d} AND g.vehicle = r.vehicle"
    left = (
        "SELECT g.seq, g.left_bit, coalesce(arg_max(m.left_bit, m.seq), "
        f"any_value(CASE WHEN {out} THEN input_bit * efficiency ELSE output_bit END)) AS known_bit "
        "FROM transfer_granted g JOIN task_released r USING (task) LEFT JOIN transfer_moved m "
        "ON m.task = g.task AND m.direction = g.direction AND m.time_s < g.time_s GROUP BY g.seq, g.left_bit"
    )
    return [
        where("transfer_granted", "it is one of wires", f"direction = {Direction.WIRES:d}"),
        Rule(
            "transfer_granted",
            "its left_bit is not what was left of its transfer",
            f"SELECT seq FROM ({left}) WHERE abs(left_bit - known_bit) > 1e-9 * known_bit",
        ),
    ]


def _identity() -> list[Rule]:
    """Return the rules that a task is released once, decided at most once, and ends once with the same properties."""
    rules = [
        Rule(kind, why, f"SELECT max(seq) AS seq FROM {kind} GROUP BY task HAVING count(*) > 1")
        for kind, why in (
            ("task_released", "its task was released before"),
            ("task_decided", "its task was decided before"),
            ("task_ended", "its task has ended before"),
        )
    ]
    rules.extend(
        Rule(kind, "its task was never released", f"SELECT seq FROM {kind} ANTI JOIN task_released USING (task)")
        for kind in ("task_decided", "task_ended", "transfer_moved", "transfer_granted")
    )
    differs = "e.vehicle <> r.vehicle OR e.released_s <> r.time_s OR e.deadline_s <> r.deadline_s"
    rules.append(
        Rule(
            "task_ended",
            "its vehicle, release or deadline is not that of its release",
            f"SELECT e.seq FROM task_ended e JOIN task_released r USING (task) WHERE {differs}",
        )
    )
    pairs = (("decided_s", "time_s"), ("tier", "tier"), ("target", "target"))
    decided = " OR ".join(f"e.{ended} IS DISTINCT FROM d.{told}" for ended, told in pairs)
    rules.append(
        Rule(
            "task_ended",
            "its decision is not the one that was recorded",
            f"SELECT e.seq FROM task_ended e LEFT JOIN task_decided d USING (task) WHERE {decided}",
        )
    )
    return rules


def _totals() -> list[Rule]:
    """Return the rules that running totals never shrink."""
    return growing_totals(
        {
            ("host_sampled", "site"): ("number_s", "busy_core_s", "energy_j", "served", "rejected"),
            ("cell_sampled", "site", "direction"): ("number_s", "busy_s", "sent_bit"),
            ("traffic_sampled",): ("alive_number_s",),
        }
    )


def _codes() -> list[Rule]:
    """Return the rules that codes other than those of a task's end are known ones."""
    return [rule for fact in (TaskDecided, TransferMoved, TransferGranted, CellSampled) for rule in known_codes(fact)]
