"""Rules of the audit for the facts of the zones."""

from cosim.audit.rule import Rule, amounts, unknown, where


def rules() -> list[Rule]:
    """Return the rules that hold at every moment of a run."""
    return [
        *amounts({"zone_counted": ("vehicles",), "zone_deployed": ("radius_m",)}),
        unknown("zone_counted", "its zone is no deployed zone", "zone", "SELECT zone FROM zone_deployed"),
        where("zone_counted", "it came before it was counted", "time_s < counted_s"),
        where("zone_counted", "it neither arrived nor was given up", "arrived NOT IN (0, 1)"),
    ]


def end_rules() -> list[Rule]:
    """Return the rules that hold once a run is complete: a zone never has more vehicles than ever entered the map."""
    return [
        Rule(
            "zone_counted",
            "it has more vehicles than ever entered",
            "SELECT seq FROM zone_counted WHERE vehicles > (SELECT count(*) FROM vehicle_entered)",
        )
    ]
