"""A section of behaviour as a package from outside would bring it: facts, rules, figures, a cause, a panel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any

import numpy as np

from cosim.audit.rule import Rule, known_codes, where
from cosim.report.page.columns import pack_columns
from cosim.report.series import Outcomes
from cosim.subjects import Subject
from cosim.trace.facts.column import Column, SiteNumber, Time
from cosim.trace.lateness.cause import Cause
from cosim.trace.metrics.batches import Batches
from cosim.trace.metrics.statistics import Estimate
from cosim.trace.store.integrity import Finding
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, IntArray


class Haze(IntEnum):
    """How thick it is."""

    THIN = 0
    PEA_SOUP = 1


@dataclass(frozen=True, slots=True)
class FogRolled:
    """Fog came in at a site."""

    time_s: Time
    site: SiteNumber
    haze: Annotated[int, Column("<i1", "", "its sort", Haze)]
    depth_m: Annotated[float, Column("<f8", "m")]


FACTS: tuple[type[Any], ...] = (FogRolled,)


def rules() -> list[Rule]:
    """Fog has a depth and a known sort."""
    return [where("fog_rolled", "its depth is negative", "depth_m < 0"), *known_codes(FogRolled)]


def end_rules() -> list[Rule]:
    """It comes at all."""
    return [Rule("site_deployed", "no fog came", "SELECT seq FROM site_deployed ANTI JOIN fog_rolled USING (site)")]


def checks(trace: Trace) -> Iterator[Finding]:
    """It never comes in full hours."""
    for seq in trace.sql("SELECT seq FROM fog_rolled WHERE time_s = 3600").seq.tolist():
        yield Finding("fog_rolled", seq, "it came on the hour")


def figures(trace: Trace, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """Mean depth."""
    found = trace.sql(f"SELECT avg(depth_m) AS depth_m FROM fog_rolled WHERE time_s <= {slices.end_s!r}")
    yield "fog_depth_mean", Estimate(float(found.depth_m[0]), unit="m")


def _claim(_trace: Trace, task: IntArray, _facts: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
    return {"decision": np.full(len(task), 0.25)}


CAUSES = (Cause("fog", "its driver saw nothing", claim=_claim, after="decision_wait"),)
HEADLINE = (("fog_depth_mean", "depth of the fog", 100.0, "cm"),)


def series(trace: Trace, over_time: Outcomes) -> dict[str, Any]:
    """Depths as numbers and as packed columns."""
    rows = trace.sql("SELECT time_s, haze, depth_m FROM fog_rolled ORDER BY time_s")
    whole = pack_columns({"depth_mm": np.rint(rows.depth_m.to_numpy() * 1e3).astype(np.int64)})
    return {
        "time_s": rows.time_s.to_numpy(),
        "haze": rows.haze.to_numpy(),
        "slice_s": over_time.slice_s,
        "held": whole,
        "more": [1.5, (whole,)],
    }


PANELS = """
const begins = "a name that the page has too", bits = 1;
SUBJECTS.push({ name: "fog", title: "Fog",
  cards: (run) => [card("Depth of the fog", wordOf("haze", run.series.fog.haze[0]), (place) => place.append(h("p", { class: "fog" }, begins)))],
  open: async (run) => { const { depth_mm } = await columnsOf(run.series.fog.more[1][0]); return { siteStory: () => [h("p", { class: "deep" }, `${depth_mm[0]} mm`)], note: () => "Fog is drawn as text." }; } });
"""  # noqa: E501
FOG = Subject(
    "fog",
    facts="fog:FACTS",
    section="fog:Haze",
    part="fog:FogRolled",
    rules="fog:rules",
    end_rules="fog:end_rules",
    checks="fog:checks",
    figures="fog:figures",
    causes="fog:CAUSES",
    headline="fog:HEADLINE",
    series="fog:series",
    panels="fog:PANELS",
)
