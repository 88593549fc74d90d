"""Slices of a run's time as the figures have them: which one a fact belongs to, and columns with a row for each."""

import numpy as np
import pandas as pd

from cosim.report.gather import Outcomes
from cosim.types import FloatArray


def slice_from(time_s: str, over_time: Outcomes) -> str:
    """Slice in which something happened, as SQL; the run's end belongs to the last."""
    return f"least(floor({time_s} / {over_time.slice_s!r}), {len(over_time.begin_s) - 1})::INTEGER"


def slice_until(over_time: Outcomes) -> str:
    """Slice that a sample closes, as SQL; the run's begin belongs to the first."""
    return f"greatest(ceil(time_s / {over_time.slice_s!r} - 1e-9) - 1, 0)::INTEGER"


def columns(rows: pd.DataFrame, over_time: Outcomes) -> dict[str, FloatArray]:
    """Columns of a table whose index are slices; NaN for a slice without a row."""
    filled = rows.reindex(np.arange(len(over_time.begin_s)))
    return {str(name): filled[name].to_numpy(np.float64) for name in rows.columns}


def counts(column: "pd.Series[int]", over_time: Outcomes) -> FloatArray:
    """A column of counts whose index are slices; 0 for a slice without a row."""
    return np.asarray(column.reindex(np.arange(len(over_time.begin_s))).fillna(0), dtype=np.float64)
