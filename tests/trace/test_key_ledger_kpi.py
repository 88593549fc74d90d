"""Key figures of keys and ledger against plain counting in the run made by hand."""

from pathlib import Path

import pytest
from substrate import BLOCK_BIT, END_S, INITIAL_BIT, change, facts, write

from cosim.cli.console import say_summary
from cosim.scenario.schema import Statistics
from cosim.trace.facts.keys import KeyPoolSampled
from cosim.trace.facts.ledger import ConsensusWorked
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace

OF_KEYS = {"key_generated", "key_rate_mean", "kgr_delivered", "qber_mean", "key_wait_mean", "downgraded_ratio",
           "lost_no_key_ratio", "key_used", "key_lost", "no_key"}  # fmt: skip
OF_THE_LEDGER = {"blocks", "finality_mean", "finality_p95", "block_interval_mean", "records_per_s", "ledger_cpu_share"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run made by hand; to be read only."""
    return write(tmp_path_factory.mktemp("substrate") / "run", facts())


def figures(run: Path, **options: float) -> dict[str, float]:
    """Values by name."""
    with Trace.open(run) as trace:
        found = kpis(trace, Statistics(batches=5, **options))
    return {name: one.value for name, one in found.items()}


def test_figures_of_the_keys(run: Path) -> None:
    """Bits, rates, error rate, waits and losses are those counted by hand; bits of the start are not generated."""
    found = figures(run)
    drawn = 256 + 256 + 2 * 32
    expected = {
        "key_generated": BLOCK_BIT * END_S,
        "key_used": 2 * 600 + 2 * 256 + 32,
        "key_lost": BLOCK_BIT,
        "key_rate_mean": BLOCK_BIT,
        "kgr_delivered": drawn / (2 * END_S),
        "qber_mean": (0.25 + 19 * 0.01) / 20,
        "key_wait_mean": (1.5 + 1.0 + 1.0 + 0.5 + 0.0) / 5,
        "downgraded_ratio": 1 / 6,
        "lost_no_key_ratio": 1 / 6,
        "no_key": 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_figures_of_the_ledger(run: Path) -> None:
    """Finality runs from the demand to make the block to its commit; the ledger's share is of all busy core-seconds."""
    found = figures(run)
    tasks_s = {"A": 0.5 * 4, "B": 0.0}
    ledger_s = {"A": 1.75 + 1.0, "B": 0.5}
    expected = {
        "blocks": 2,
        "finality_mean": (2.75 + 1.5) / 2,
        "finality_p95": 1.5 + 0.95 * 1.25,
        "block_interval_mean": 2.5,
        "records_per_s": 9 / END_S,
        "ledger_cpu_share/A": ledger_s["A"] / (ledger_s["A"] + tasks_s["A"]),
        "ledger_cpu_share/B": 1.0,
        "ledger_cpu_share": 3.25 / (3.25 + 2.0),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_the_warm_up_is_left_out(run: Path) -> None:
    """After a warm-up of 15 s only what is later counts: the second block, and the bits of five seconds."""
    found = figures(run, warmup_s=15.25)
    assert (found["blocks"], found["block_interval_mean"]) == (1, 2.5)
    assert found["key_generated"] == BLOCK_BIT * 5
    assert found["key_used"] == found["key_lost"] == 0


def test_totals_without_a_sample_at_the_start(tmp_path: Path) -> None:
    """Bits that the pools had at the start are not generated ones, sampled or not."""
    rows = [row for row in facts() if type(row) is not KeyPoolSampled or row.time_s > 0]
    assert figures(write(tmp_path / "run", rows))["key_generated"] == BLOCK_BIT * END_S
    assert INITIAL_BIT > 0


@pytest.mark.parametrize(("off", "gone"), [("keys", OF_KEYS), ("ledger", OF_THE_LEDGER)])
def test_no_figures_of_what_a_run_has_not(tmp_path: Path, off: str, gone: set[str]) -> None:
    """A run without keys has no figures of keys, one without a ledger none of blocks."""
    found = set(figures(write(tmp_path / "run", facts(), **{off: None})))
    assert not gone & found
    assert (OF_KEYS | OF_THE_LEDGER) - gone <= found


def test_a_quarter_of_a_core_under_processor_sharing(tmp_path: Path) -> None:
    """Work that lasted four times as long as alone counts with a quarter of a core."""
    run = write(tmp_path / "run", change(facts(), ConsensusWorked, 0, cycles=1.75e9 / 4))
    assert figures(run)["ledger_cpu_share/A"] == pytest.approx((1.75 / 4 + 1.0) / (2.75 + 2.0))


def test_the_summary_names_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The short table of a run with keys and a ledger has a row for each telling figure, after the sites' use."""
    with Trace.open(run) as trace:
        say_summary(kpis(trace))
    labels = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    for label in ("QBER", "wait for keys", "without a quantum key", "time to finality, mean", "blocks"):
        assert labels.index(label) > labels.index("utilisation of the sites")
    assert labels.index("lost") == labels.index("late") + 1
