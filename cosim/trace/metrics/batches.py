"""The measured time of a run cut into equal batches, and the estimates that all key figures share."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cosim.trace.metrics.statistics import Estimate, batch_quantile, batch_ratio
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Batches:
    """The measured time of a run, cut into `count` batches of equal length.

    Example:
        >>> Batches(begin_s=10.0, end_s=110.0, count=20, confidence=0.95).length_s
        5.0
    """

    begin_s: float
    end_s: float
    count: int
    confidence: float

    @property
    def length_s(self) -> float:
        """Duration of a batch."""
        return (self.end_s - self.begin_s) / self.count

    def by_start(self, time_s: str) -> str:
        """Return SQL for the batch that a time is in; a time on a boundary belongs to the batch that starts there."""
        return f"least({self.count - 1}, floor(({time_s} - {self.begin_s!r}) / {self.length_s!r}))::INTEGER"

    def by_end(self, time_s: str) -> str:
        """Return SQL for the batch that a sample of running totals closes.

        It is -1 up to the begin of the measured time; a sample on a boundary belongs to the batch before it.
        """
        # Rounding can put the very end into a batch of its own.
        batch = f"ceil(({time_s} - {self.begin_s!r}) / {self.length_s!r})"
        return f"least({self.count}, greatest(0, {batch}))::INTEGER - 1"

    def column(self, table: pd.DataFrame, name: str) -> FloatArray:  # (count,)
        """Return a column of a table indexed by batch as an array over all batches, 0 where the table has no row."""
        values: FloatArray = table[name].reindex(range(self.count)).fillna(0.0).to_numpy(dtype=np.float64)
        return values


def rate(amounts: FloatArray, slices: Batches, unit: str) -> Estimate:
    """Return the amounts of the batches per unit of time.

    Args:
        amounts: amount in each batch, (count,).
        slices: the batches.
        unit: unit of the rate.
    """
    return batch_ratio(amounts, np.full(slices.count, slices.length_s), slices.confidence, unit)


def quantiles(table: pd.DataFrame, slices: Batches, levels: tuple[float, ...], unit: str) -> list[Estimate]:
    """Return quantiles with their intervals, one for each level.

    Args:
        table: columns `batch`, `n` (values in it) and `levels` (list of its quantiles); the row without a batch has
            those
            of all values.
        slices: the batches.
        levels: probabilities of the quantiles, such as 0.95.
        unit: unit of the values.
    """
    whole = table[table.batch.isna()]
    overall = whole.levels.iloc[0] if len(whole) and whole.n.iloc[0] else [np.nan] * len(levels)
    batches = table[table.batch.notna()].set_index("batch")
    counts = slices.column(batches, "n")
    estimates = []
    for place, level in enumerate(levels):
        parts = batches.levels.map(lambda found, place=place: found[place]).reindex(range(slices.count))
        values = parts.to_numpy(dtype=np.float64)
        estimates.append(batch_quantile(float(overall[place]), values, counts, level, slices.confidence, unit))
    return estimates


def increments(
    trace: Trace, slices: Batches, source: str, total: str, keys: tuple[str, ...]
) -> dict[tuple[int, ...], tuple[FloatArray, FloatArray]]:
    """Return the growth of running totals in each batch and the time between the samples used, by key.

    Args:
        trace: a run.
        slices: the batches.
        source: SQL: the kind with the samples, or a query for them in brackets.
        total: column of the running total; 0 before the first sample.
        keys: columns that tell the totals apart.
    """
    names = ", ".join(keys)
    table = trace.sql(
        f"SELECT {names}, {slices.by_end('time_s')} AS batch, max(time_s) AS time_s, max({total}) AS total "
        f"FROM {source} WHERE time_s <= {slices.end_s!r} GROUP BY ALL ORDER BY ALL"
    ).dropna(subset=list(keys))
    groups = table.groupby(list(keys))
    names_of = groups.size().index.to_list()
    row, column = groups.ngroup().to_numpy(np.int64), table["batch"].to_numpy(np.int64) + 1
    # A batch without a sample grows by 0 in 0 s; the next one has its growth and its time.
    filled = np.full((2, len(names_of), slices.count + 1), np.nan)
    filled[:, row, column] = table["time_s"].to_numpy(np.float64), table["total"].to_numpy(np.float64)
    last = np.maximum.accumulate(np.where(np.isnan(filled[0]), 0, np.arange(slices.count + 1)), axis=1)
    filled = np.nan_to_num(np.take_along_axis(filled, last[None], axis=2), nan=0.0)
    time_s, amount = np.diff(filled, axis=2)
    return {key if isinstance(key, tuple) else (key,): (amount[k], time_s[k]) for k, key in enumerate(names_of)}
