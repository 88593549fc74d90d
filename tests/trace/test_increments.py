"""Growth of running totals in batches, against a loop over the samples."""

from types import SimpleNamespace
from typing import Any, cast

import duckdb
import numpy as np
import pandas as pd
import pytest
from effort import seeds

from cosim.trace.metrics.batches import Batches, increments


@pytest.mark.parametrize("seed", seeds(40))
def test_increments(seed: int) -> None:
    """Each batch has the growth from the last sample before it to its own last one, and the time between these."""
    draw = np.random.default_rng(seed)
    slices = Batches(begin_s=float(draw.integers(0, 5)), end_s=20.0, count=int(draw.integers(1, 9)), confidence=0.95)
    samples = pd.DataFrame(
        [
            {"site": site, "direction": direction, "time_s": time_s, "total": total}
            for site in range(4)
            for direction in range(2)
            for moments in [np.sort(draw.choice(np.arange(1, 26), int(draw.integers(1, 20)), replace=False))]
            for time_s, total in zip(
                moments.astype(float), np.cumsum(draw.integers(0, 9, len(moments))).astype(float), strict=True
            )
            if draw.random() < 0.8  # some keys have no sample at all
        ]
    )
    trace = cast("Any", SimpleNamespace(sql=lambda query: duckdb.sql(query).df()))
    duckdb.register("samples", samples)
    found = increments(trace, slices, "samples", "total", ("site", "direction"))
    early = samples[samples.time_s <= slices.end_s]
    assert list(found) == sorted({(site, way) for site, way in zip(early.site, early.direction, strict=True)})
    for (site, way), (amounts, times_s) in found.items():
        own = early[(early.site == site) & (early.direction == way)]
        for batch in range(slices.count):
            ends = [slices.begin_s + k * slices.length_s for k in (batch, batch + 1)]
            before, here = (own[own.time_s <= end_s + 1e-9].iloc[-1:] for end_s in ends)
            grown = here.total.sum() - before.total.sum(), here.time_s.sum() - before.time_s.sum()
            assert (amounts[batch], times_s[batch]) == pytest.approx(grown)
