"""The ledger of a run as series over time: blocks and their time to finality, stakes, offences, partitions."""

from typing import Any, Final

import numpy as np

from cosim.report.page.packaged import packaged
from cosim.report.series import Outcomes
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray

_MOST_BLOCKS: Final = 1_500
_MOST_CREDITS: Final = 6_000


PANELS: Final = packaged("ledger.js")


def ledger_series(trace: Trace, _over_time: Outcomes) -> dict[str, Any]:
    """Return the series about the ledger."""
    blocks = _blocks(trace)
    return {
        "validators": _records(
            trace, "SELECT validator, v.site, name FROM validator_deployed v JOIN site_deployed s USING (site)"
        ),
        "interval_s": trace.scenario.ledger.block.interval_s if trace.scenario.ledger else None,
        **blocks,
        "finality_s": _finality(trace),
        "stakes": _stakes(trace),
        "offences": _offences(trace),
        "partitions": _partitions(trace),
    }


def _records(trace: Trace, query: str) -> list[dict[str, Any]]:
    rows = trace.sql(f"{query} ORDER BY 1")
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict(orient="records")]


def _blocks(trace: Trace) -> dict[str, Any]:
    """Return the final blocks in order of height, times to 1 us; of a long chain every n-th, as `every` says."""
    count = int(trace.sql("SELECT count(*) AS n FROM block_committed").n.iloc[0])
    every = max(1, -(-count // _MOST_BLOCKS))
    rows = trace.sql(
        "SELECT height, round, proposer, began_s, proposed_s, time_s, records, bit FROM block_committed "
        f"WHERE height % {every} = 0 ORDER BY height"
    )
    return {
        "all_blocks": count,
        "every": every,
        "blocks": {str(name): rows[name].round(6).to_numpy() for name in rows.columns},
    }


def _finality(trace: Trace) -> dict[str, float]:
    """Return median and 95th percentile of commit less proposal, over the blocks proposed after the warm-up."""
    rows = trace.sql(
        "SELECT quantile_cont(time_s - proposed_s, 0.5) AS p50, quantile_cont(time_s - proposed_s, 0.95) AS p95 "
        f"FROM block_committed WHERE proposed_s >= {trace.scenario.statistics.warmup_s!r}"
    ).astype(np.float64)
    return {str(name): float(rows[name].iloc[0]) for name in rows.columns}


def _stakes(trace: Trace) -> dict[str, Any]:
    """Return the credits of each validator at each height, or at every n-th; NaN while it does not vote."""
    validators = trace.sql("SELECT validator FROM validator_deployed ORDER BY validator").validator
    rows = trace.sql(
        "SELECT height, validator, CASE WHEN member = 1 THEN credits ELSE -1 END AS credits FROM stake_changed"
    )
    wide = rows.pivot_table(index="height", columns="validator", values="credits").reindex(columns=validators)
    wide = wide.ffill()  # a height without a row changes nothing
    wide = wide.iloc[:: max(1, -(-wide.size // _MOST_CREDITS))]
    stakes: FloatArray = wide.where(wide >= 0).to_numpy(np.float64)
    return {"height": wide.index.to_numpy(np.int64), "credits": list(stakes.T)}


def _offences(trace: Trace) -> list[dict[str, Any]]:
    """Return each offence once: when it was first found, and by how many validators."""
    return _records(
        trace,
        "SELECT min(time_s) AS time_s, height, round, accused, offence, count(*) AS seen FROM offence_found "
        "GROUP BY height, round, accused, offence",
    )


def _partitions(trace: Trace) -> list[dict[str, Any]]:
    """Return begin and end of each partition; one that did not heal ends with the run."""
    rows = trace.sql("SELECT time_s, begins, groups FROM validators_parted ORDER BY time_s, seq")
    found: list[dict[str, Any]] = []
    for time_s, begins, groups in rows.itertuples(index=False, name=None):
        if begins:
            found.append({"begin_s": time_s, "end_s": trace.complete_to_s, "groups": groups})
        else:
            for part in found:
                if part["groups"] == groups and part["end_s"] == trace.complete_to_s:
                    part["end_s"] = time_s
                    break
    return found
