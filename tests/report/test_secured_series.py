"""What the page shows of keys and ledger is what the facts say."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from secured_run import CAPACITY_BIT, PLAIN, Setting, craft
from unpacked import unpack

from cosim.report.page.html import page
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.reader import Trace


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain run, and two with keys and a ledger: `run` has more links than lines, `few` has not."""
    home = tmp_path_factory.mktemp("secured")
    (home / "plain.yaml").write_text(PLAIN)
    simulate(load(home / "plain.yaml"), home / "plain")
    craft(home / "plain", home / "run", Setting(nodes=4, reach=2))
    craft(home / "plain", home / "few", Setting(nodes=0))
    return home


Shown = dict[str, tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def pages(home: Path) -> Shown:
    """The page of each run by its name, and the run in its data."""
    return {name: shown(home / name) for name in ("plain", "run", "few")}


def shown(run: Path) -> tuple[str, dict[str, Any]]:
    """The page of a run, and the run in its data."""
    text = page([run])
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return text, json.loads(found[1])["runs"][0]


def rows_of(run: Path, kind: str) -> list[dict[str, Any]]:
    """All facts of a kind in order, as plain dictionaries."""
    with Trace.open(run) as trace:
        return list(trace.sql(f"SELECT * FROM {kind} ORDER BY time_s, seq").to_dict(orient="records"))


def same(found: list[float | None], wanted: list[float | None]) -> None:
    """Two columns are equal, with None where there is nothing."""
    assert [value is None for value in found] == [value is None for value in wanted]
    assert [value for value in found if value is not None] == pytest.approx(
        [value for value in wanted if value is not None], abs=2e-3, rel=1e-9
    )


def test_named_links_are_those_that_were_down_then_the_emptiest(home: Path, pages: Shown) -> None:
    """Eight links of fourteen have a line: three that were down, then the others with the lowest mean level."""
    _, run = pages["run"]
    level: dict[int, list[int]] = {}
    for row in rows_of(home / "run", "key_pool_sampled"):
        level.setdefault(row["link"], []).append(row["stored_bit"])
    down = {row["link"] for row in rows_of(home / "run", "key_link_changed") if row["state"]}
    order = sorted(level, key=lambda link: (link not in down, sum(level[link]) / len(level[link])))
    assert len(level) == 14
    assert run["series"]["keys"]["named"] == order[:8]
    assert len(pages["few"][1]["series"]["keys"]["named"]) == 3


@pytest.mark.parametrize("name", ["run", "few"])
def test_links_are_counted(home: Path, pages: Shown, name: str) -> None:
    """Stored bits, mean rates and mean error rates of each line and of the band equal plain counting."""
    _, run = pages[name]
    keys, slice_s = run["series"]["keys"], run["series"]["outcomes"]["slice_s"]
    samples = rows_of(home / name, "key_pool_sampled")
    links = range(len(run["series"]["keys"]["net"]["links"]))
    others = [link for link in links if link not in keys["named"]]
    stored = {(row["link"], row["time_s"]): row["stored_bit"] for row in samples}
    assert keys["stored"]["time_s"] == sorted({time_s for _, time_s in stored})
    for link, line in zip(keys["named"], keys["stored"]["lines"], strict=True):
        assert line == [stored[link, time_s] for time_s in keys["stored"]["time_s"]]
    for edge, choice in (("low", min), ("high", max)):
        wanted = [choice(stored[link, at] for link in others) for at in keys["stored"]["time_s"]] if others else None
        assert keys["stored"][edge] == wanted
    for column in ("key_bps", "qber"):
        means: dict[int, list[float | None]] = {}
        for link in links:
            found = []
            for number, begin_s in enumerate(run["series"]["outcomes"]["begin_s"]):
                inside = [
                    row[column]
                    for row in samples
                    if row["link"] == link
                    and (begin_s < row["time_s"] <= begin_s + slice_s or (number == 0 and row["time_s"] == 0.0))
                    and not math.isnan(row[column])
                ]
                found.append(sum(inside) / len(inside) if inside else None)
            means[link] = found
        for link, line in zip(keys["named"], keys[column]["lines"], strict=True):
            same(line, means[link])
        for edge, choice in (("low", min), ("high", max)):
            if others:
                among = [
                    [v for v in values if v is not None] for values in zip(*(means[i] for i in others), strict=True)
                ]
                same(keys[column][edge], [choice(values) if values else None for values in among])
    assert any(value is None for line in keys["qber"]["lines"] for value in line)  # the cut link


def test_spans_are_those_of_the_changes(pages: Shown) -> None:
    """A link is shaded from the change that took it down until the next, or until the end."""
    _, run = pages["few"]
    found = {(one["link"], one["state"], one["begin_s"], one["end_s"]) for one in run["series"]["keys"]["down"]}
    assert found == {(0, 1, 6.0, 10.0), (1, 2, 12.0, 20.0), (2, 1, 14.0, 15.0)}
    assert run["series"]["keys"]["abort_qber"] == 0.11


def test_vehicles_and_tasks_are_counted(home: Path, pages: Shown) -> None:
    """Vehicles' pools, waits and tasks short of keys equal plain counting in each slice."""
    _, run = pages["run"]
    keys, slice_s, begins = (
        run["series"]["keys"],
        run["series"]["outcomes"]["slice_s"],
        run["series"]["outcomes"]["begin_s"],
    )
    sampled = rows_of(home / "run", "vehicle_keys_sampled")
    ended = {row["task"]: row for row in rows_of(home / "run", "task_ended")}
    keyed = rows_of(home / "run", "task_keyed")

    def place(time_s: float) -> int:
        return min(int(time_s // slice_s), len(begins) - 1)

    waits: list[list[float]] = [[] for _ in begins]
    for row in keyed:
        task = ended[row["task"]]
        total = 0.0
        for way, started in (("up", "uplink_s"), ("down", "downlink_s")):
            if not math.isnan(row[f"{way}_asked_s"]):
                until = (row[f"{way}_keyed_s"], task[started], task["time_s"])
                total += next(value for value in until if not math.isnan(value)) - row[f"{way}_asked_s"]
        if task["status"] != 8:
            waits[place(task["released_s"])].append(total)
    for number, begin_s in enumerate(begins):
        inside = [row for row in sampled if begin_s < row["time_s"] <= begin_s + slice_s]
        assert keys["vehicles"]["stored_bit"][number] == inside[-1]["stored_bit"]
        for name in ("filling", "waiting"):
            assert keys["vehicles"][name][number] == pytest.approx(sum(row[name] for row in inside) / len(inside))
        for name, level in (("p50", 0.5), ("p95", 0.95)):
            wanted = [float(np.quantile(waits[number], level))] if waits[number] else [None]
            same([keys["waits_s"][name][number]], wanted)
        no_key = [task for task in ended.values() if task["status"] == 9 and place(task["time_s"]) == number]
        assert keys["tasks"]["no_key"][number] == len(no_key)
        downgraded = [row for row in keyed if row["state"] == 1 and place(row["time_s"]) == number]
        assert keys["tasks"]["downgraded"][number] == len(downgraded)
    assert sum(keys["tasks"]["no_key"]) > 0


def columns(text: str, stored: dict[str, Any]) -> dict[str, Any]:
    """Packed columns in a page."""
    found = re.search(rf'id="blob-{stored["blob"]}">(.*?)</script>', text)
    assert found
    return unpack(stored["columns"], found[1])


def test_the_map_has_the_pools(home: Path, pages: Shown) -> None:
    """The playback holds each link's level at each sample, its changes, and where the nodes are."""
    text, run = pages["run"]
    net = run["series"]["keys"]["net"]
    found = columns(text, net["levels"])
    times = found["sample_ms"] / 1e3
    levels = np.cumsum(found["stored"].reshape(len(net["links"]), -1), axis=1) * net["unit_bit"]
    stored = {(row["link"], row["time_s"]): row["stored_bit"] for row in rows_of(home / "run", "key_pool_sampled")}
    assert levels.size == len(stored)
    assert all(
        levels[link, number] == stored[link, at] for link in range(len(levels)) for number, at in enumerate(times)
    )
    changes = rows_of(home / "run", "key_link_changed")
    assert found["changed_ms"] == pytest.approx([row["time_s"] * 1e3 for row in changes])
    for name in ("link", "state"):
        assert found[f"changed_{name}"].tolist() == [row[name] for row in changes]
    assert [node["name"] for node in net["nodes"]] == ["a", "b", "c", "q0", "q1", "q2", "q3"]
    assert {link["capacity_bit"] for link in net["links"]} == {CAPACITY_BIT}
    low, high = run["frame"]["low_m"], run["frame"]["high_m"]
    assert all(low[0] <= node["x_m"] <= high[0] and low[1] <= node["y_m"] <= high[1] for node in net["nodes"])


def test_stories_have_the_waits(home: Path, pages: Shown) -> None:
    """Each kept task has its waits for keys to 1 ms; a run without keys has no such columns."""
    text, run = pages["run"]
    found = columns(text, run["stories"])
    ended = pd.DataFrame(rows_of(home / "run", "task_ended"))
    keyed = {row["task"]: row for row in rows_of(home / "run", "task_keyed")}
    for number, task in enumerate(ended.sort_values(["vehicle", "released_s", "task"]).task):
        wait_ms = (keyed[task]["up_keyed_s"] - keyed[task]["up_asked_s"]) * 1e3
        if not math.isnan(wait_ms):
            assert found["up_key"][number] == pytest.approx(wait_ms, abs=0.51)
    assert "up_key" not in pages["plain"][1]["stories"]["columns"]


def test_blocks_are_those_of_the_chain(home: Path, pages: Shown) -> None:
    """Blocks, stakes, offences, partitions and quantiles of the time to finality equal the facts."""
    _, run = pages["run"]
    ledger = run["series"]["ledger"]
    blocks = sorted(rows_of(home / "run", "block_committed"), key=lambda row: row["height"])
    assert (ledger["all_blocks"], ledger["every"], ledger["interval_s"]) == (len(blocks), 1, 1.0)
    for name, values in ledger["blocks"].items():
        assert values == pytest.approx([row[name] for row in blocks], rel=0, abs=1e-6)
    took_s = [row["time_s"] - row["proposed_s"] for row in blocks if row["proposed_s"] >= 5.0]
    for name, level in (("p50", 0.5), ("p95", 0.95)):
        assert ledger["finality_s"][name] == pytest.approx(float(np.quantile(took_s, level)))
    stakes = {
        (row["height"], row["validator"]): row["credits"] if row["member"] else None
        for row in rows_of(home / "run", "stake_changed")
    }
    assert ledger["stakes"]["height"] == sorted({height for height, _ in stakes})
    for one, stake in zip(ledger["validators"], ledger["stakes"]["credits"], strict=True):
        assert stake == [stakes[height, one["validator"]] for height in ledger["stakes"]["height"]]
    assert [(one["validator"], one["site"], one["name"]) for one in ledger["validators"]] == [
        (0, 0, "a"),
        (1, 1, "b"),
        (2, 2, "c"),
    ]
    assert ledger["offences"] == [{"time_s": 14.0, "height": 9, "round": 0, "accused": 1, "offence": 1, "seen": 2}]
    edges_s = [time_s for one in ledger["partitions"] for time_s in (one["begin_s"], one["end_s"])]
    assert edges_s == pytest.approx([8.0, 11.0, 19.4, 20.0])


def test_only_what_a_run_has(home: Path, tmp_path: Path) -> None:
    """Without keys or ledger neither their data nor their code is in the page."""
    craft(home / "plain", tmp_path / "keys", Setting(), ledger=False)
    craft(home / "plain", tmp_path / "ledger", Setting(), keys=False)
    for run, keys, ledger in (
        (home / "plain", False, False),
        (tmp_path / "keys", True, False),
        (tmp_path / "ledger", False, True),
    ):
        text, data = shown(run)
        assert (data["series"]["keys"] is not None) == keys
        assert (data["series"]["ledger"] is not None) == ledger
        assert ("class KeyNet" in text, "function ledgerCards" in text) == (keys, ledger)


def test_a_long_chain_is_thinned(home: Path, tmp_path: Path) -> None:
    """Of more than 1,500 blocks every n-th is in the page, and the page says how many there were."""
    craft(home / "plain", tmp_path / "run", Setting(block_s=0.01), keys=False)
    ledger = shown(tmp_path / "run")[1]["series"]["ledger"]
    assert ledger["every"] == -(-ledger["all_blocks"] // 1500)
    assert ledger["blocks"]["height"] == [n for n in range(1, ledger["all_blocks"] + 1) if n % ledger["every"] == 0]
