"""Figures of all links by one query, against a walk over the samples of one link after the other."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import numpy as np
import pandas as pd
import pytest
from effort import seeds

from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.facts.keys import KeyLinkDeployed, KeyPoolSampled
from cosim.trace.metrics.batches import Batches
from cosim.trace.metrics.keys import link_figures
from cosim.trace.metrics.statistics import Estimate, batch_ratio, batch_total
from cosim.trace.store.reader import Trace

TOTALS = ("generated_bit", "used_bit", "lost_bit")


def link_by_link(samples: pd.DataFrame, links: pd.DataFrame, slices: Batches) -> Iterator[tuple[str, Estimate]]:
    """The figures as sums over links, each filled up from batch to batch by itself."""
    starts = links.assign(time_s=0.0, generated_bit=links.initial_bit, used_bit=0, lost_bit=0)
    rows = pd.concat([starts[["link", "time_s", *TOTALS]], samples[["link", "time_s", *TOTALS]]])
    rows = rows[rows.time_s <= slices.end_s]
    place = np.ceil((rows.time_s - slices.begin_s) / slices.length_s)
    rows = rows.assign(batch=np.clip(place, 0, slices.count).astype(int) - 1)
    for name in TOTALS:
        total, count = np.zeros(slices.count), 0
        for _, own in rows.groupby("link"):
            filled = own.groupby("batch")[name].max().reindex(range(-1, slices.count)).ffill().fillna(0.0)
            total, count = total + np.diff(filled.to_numpy(np.float64)), count + 1
        yield f"key_{name.removesuffix('_bit')}", batch_total(total, slices.confidence, "bit")
        if name == "generated_bit":
            links_s = np.full(slices.count, count * slices.length_s)
            yield "key_rate_mean", batch_ratio(total, links_s, slices.confidence, "bit/s")


def check_equal(found: Iterator[tuple[str, Estimate]], expected: Iterator[tuple[str, Estimate]]) -> None:
    """Values and intervals are equal to the last digit, what is not known too."""
    given, wanted = dict(found), dict(expected)
    assert list(given) == list(wanted)
    for name, estimate in wanted.items():
        assert repr(given[name]) == repr(estimate), name


@pytest.mark.parametrize("seed", seeds(400))
def test_random_pools(seed: int) -> None:
    """Links with gaps in their samples, with one sample, with none but the start, without one, and none."""
    draw = np.random.default_rng(seed)
    slices = Batches(float(draw.integers(0, 6)), float(draw.integers(8, 26)), int(draw.integers(1, 9)), 0.95)
    count = int(draw.integers(0, 6))
    links = pd.DataFrame({"link": np.arange(count), "initial_bit": draw.integers(0, 2, count) * 500})
    rows = []
    for link, initial_bit in zip(links.link, links.initial_bit, strict=True):
        moments = np.sort(draw.choice(np.arange(1, 61), int(draw.integers(0, 20)), replace=False)) / 2.0
        used_bit = np.cumsum(draw.integers(0, 90, len(moments)))
        lost_bit = np.cumsum(draw.integers(0, 3, len(moments)))
        made_bit = initial_bit + np.cumsum(draw.integers(0, 99, len(moments)))
        rows += list(zip([link] * len(moments), moments, made_bit, used_bit, lost_bit, strict=True))
    samples = pd.DataFrame(rows, columns=["link", "time_s", *TOTALS]).astype({"link": int, "time_s": float})
    samples = samples.astype(dict.fromkeys(TOTALS, np.int64))
    links = links[draw.random(count) < 0.9]  # of a damaged trace, in which a link counts from 0
    base = duckdb.connect()
    base.register("key_pool_sampled", samples)
    base.register("key_link_deployed", links.assign(time_s=0.0))
    trace = cast("Any", SimpleNamespace(sql=lambda query: base.sql(query).df()))
    check_equal(link_figures(trace, slices), link_by_link(samples, links, slices))


def test_qib_vec(tmp_path: Path) -> None:
    """Paper S3's network with a cut, over several warm-ups and numbers of batches."""
    cut = 'keys.attacks=[{"kind": "cut", "ends": ["qn-1", "qn-2"], "start_s": 10, "end_s": 20}]'
    result = simulate(load("qib_vec", ["duration_s=45", "statistics.warmup_s=5", cut]), tmp_path / "run")
    with Trace.open(result.folder) as trace:
        samples, links = trace.table(KeyPoolSampled), trace.table(KeyLinkDeployed)
        for begin_s, count in ((0.0, 1), (5.0, 9), (12.5, 4)):
            slices = Batches(begin_s, 45.0, count, 0.95)
            check_equal(link_figures(trace, slices), link_by_link(samples, links, slices))
