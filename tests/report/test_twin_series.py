"""What the page shows of twins is what the facts say."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from twinned_run import CAPACITY, PLAIN, Setting, craft
from unpacked import unpack

from cosim.report.page.html import page
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.reader import Trace

Shown = dict[str, tuple[str, dict[str, Any]]]
Row = dict[str, Any]
SETTINGS = {
    "placed": Setting(),
    "roaming": Setting(placed=False),
    "dense": Setting(sample_s=0.0625),
    "silent": Setting(forecast=False),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain run, and some with twins."""
    home = tmp_path_factory.mktemp("twinned")
    (home / "plain.yaml").write_text(PLAIN)
    simulate(load(home / "plain.yaml"), home / "plain")
    for name, setting in SETTINGS.items():
        craft(home / "plain", home / name, setting)
    return home


@pytest.fixture(scope="module")
def pages(home: Path) -> Shown:
    """The page of each run by its name, and the run in its data."""
    return {name: shown(home / name) for name in ("plain", *SETTINGS)}


def shown(run: Path) -> tuple[str, Row]:
    """The page of a run, and the run in its data."""
    text = page([run])
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return text, json.loads(found[1])["runs"][0]


def rows_of(run: Path, kind: str) -> list[Row]:
    """All facts of a kind in order, as plain dictionaries."""
    with Trace.open(run) as trace:
        return list(trace.sql(f"SELECT * FROM {kind} ORDER BY time_s, seq").to_dict(orient="records"))


def same(found: list[float | None], wanted: list[float | None]) -> None:
    """Two columns are equal to the six digits that a page has, with None where there is nothing."""
    assert [value is None for value in found] == [value is None for value in wanted]
    assert [value for value in found if value is not None] == pytest.approx(
        [value for value in wanted if value is not None], abs=1e-6, rel=0
    )


def known(value: float) -> float | None:
    """None for NaN."""
    return None if math.isnan(value) else value


@pytest.mark.parametrize(("name", "every"), [("placed", 1), ("dense", 2), ("silent", 1)])
def test_samples_are_those_of_the_facts(home: Path, pages: Shown, name: str, every: int) -> None:
    """Ages and errors are those that were sampled, of more than 240 samples every n-th, and the page says so."""
    twins = pages[name][1]["series"]["twin"]
    facts = rows_of(home / name, "twin_sampled")[every - 1 :: every]
    assert twins["every"] == every
    for column, values in twins["samples"].items():
        same(values, [known(row[column]) for row in facts])
    assert twins["samples"]["mean_age_s"].count(None) == (1 if every == 1 else 0)
    assert all(value is None for value in twins["samples"]["inside_ratio"]) == (name == "silent")


@pytest.mark.parametrize("name", ["placed", "dense"])
def test_slices_are_counted(home: Path, pages: Shown, name: str) -> None:
    """Mean ages, messages and bits of each slice are the growth of the totals over it; no twins, no age."""
    run = pages[name][1]
    slices, begins, slice_s = (
        run["series"]["twin"]["slices"],
        run["series"]["outcomes"]["begin_s"],
        run["series"]["outcomes"]["slice_s"],
    )
    totals = {row["time_s"]: row for row in rows_of(home / name, "twin_sampled")}
    nothing = dict.fromkeys(totals[20.0], 0.0)
    for number, begin_s in enumerate(begins):
        before, after = totals.get(begin_s, nothing), totals[begin_s + slice_s]
        twin_s = after["twin_s"] - before["twin_s"]
        age_s = (after["age_s2"] - before["age_s2"]) / twin_s if twin_s else None
        same([slices["mean_age_s"][number]], [age_s])
        for column, total in (("sent", "sent"), ("received", "received"), ("lost", "lost"), ("bps", "sent_bit")):
            same([slices[column][number]], [(after[total] - before[total]) / slice_s])


def test_exact_ages_are_those_of_the_messages(tmp_path: Path) -> None:
    """In a run the mean age over each slice is the mean of all ages at 50,000 times, as the messages give them."""
    scenario = PLAIN.replace("duration_s: 20", "duration_s: 6").replace("warmup_s: 5", "warmup_s: 1")
    (tmp_path / "live.yaml").write_text(f"{scenario}twin: {{sync: {{kind: periodic, period_s: 2}}, loss: 0.2}}\n")
    simulate(load(tmp_path / "live.yaml"), tmp_path / "live")
    run = shown(tmp_path / "live")[1]
    slice_s, begins = run["series"]["outcomes"]["slice_s"], run["series"]["outcomes"]["begin_s"]
    left_s = {row["vehicle"]: row["time_s"] for row in rows_of(tmp_path / "live", "vehicle_left")}
    news = rows_of(tmp_path / "live", "twin_synced")
    at_s = (np.arange(50_000) + 0.5) / 50_000 * 6.0
    age_s, twins = np.zeros_like(at_s), np.zeros_like(at_s)
    for row in rows_of(tmp_path / "live", "vehicle_entered"):
        here = (at_s >= row["time_s"]) & (at_s < left_s.get(row["vehicle"], math.inf))
        told = [one for one in news if one["vehicle"] == row["vehicle"]]
        generated_s = np.array([row["time_s"], *(one["generated_s"] for one in told)])
        place = np.searchsorted([one["time_s"] for one in told], at_s, side="right")
        age_s += here * (at_s - generated_s[place])
        twins += here
    assert len(news) > 10
    for number, begin_s in enumerate(begins):
        inside = (at_s > begin_s) & (at_s < begin_s + slice_s)
        wanted = age_s[inside].sum() / twins[inside].sum()
        assert run["series"]["twin"]["slices"]["mean_age_s"][number] == pytest.approx(wanted, abs=1e-3)


def test_hosts_are_those_of_the_facts(home: Path, pages: Shown) -> None:
    """With a placement, twins and capacities of the hosts are those that were sampled."""
    hosts = pages["placed"][1]["series"]["twin"]["hosts"]
    held = {(row["node"], row["time_s"]): row["twins"] for row in rows_of(home / "placed", "twin_host_sampled")}
    assert (hosts["node"], hosts["capacity"]) == ([0, 1, 2], list(CAPACITY))
    assert hosts["until_s"] == [float(second) for second in range(1, 21)]
    for node, twins in zip(hosts["node"], hosts["twins"], strict=True):
        assert twins == [held[node, time_s] for time_s in hosts["until_s"]]
    dense = pages["dense"][1]["series"]["twin"]["hosts"]["until_s"]
    assert len(dense) <= 120
    assert dense == [number * 0.0625 * 3 for number in range(1, len(dense) + 1)]


def test_without_a_placement_twins_live_where_they_are_heard(home: Path, pages: Shown) -> None:
    """Without a placement a twin counts at the site of its last news, until its vehicle leaves."""
    hosts = pages["roaming"][1]["series"]["twin"]["hosts"]
    news = rows_of(home / "roaming", "twin_synced")
    left_s = {row["vehicle"]: row["time_s"] for row in rows_of(home / "roaming", "vehicle_left")}
    assert hosts["capacity"] is None
    assert left_s
    for number, time_s in enumerate(hosts["until_s"]):
        last = {row["vehicle"]: row["node"] for row in news if row["time_s"] <= time_s}
        living = [node for vehicle, node in last.items() if left_s.get(vehicle, math.inf) > time_s]
        assert [twins[number] for twins in hosts["twins"]] == [living.count(node) for node in hosts["node"]]


@pytest.mark.parametrize("name", ["placed", "roaming"])
def test_moves_are_counted(home: Path, pages: Shown, name: str) -> None:
    """Twins made, moved and without a host, and quantiles of the times that it took, equal plain counting."""
    run = pages[name][1]
    moves, slice_s = run["series"]["twin"]["moves"], run["series"]["outcomes"]["slice_s"]
    begins, changes = run["series"]["outcomes"]["begin_s"], changes_of(home / name, name == "placed")
    for number in range(len(begins)):
        inside = [row for row in changes if min(int(row["time_s"] // slice_s), len(begins) - 1) == number]
        made = [row for row in inside if row["from_node"] is None and row["to_node"] is not None]
        moved = [row for row in inside if row["from_node"] is not None]
        homeless = [row for row in inside if row["to_node"] is None]
        for kind, chosen in (("made", made), ("moved", moved), ("homeless", homeless)):
            assert moves[kind][number] == len(chosen)
        for kind, chosen, since in (
            ("made", made, "began_s"),
            ("moved", moved, "began_s"),
            ("still", moved, "still_s"),
        ):
            took_s = [row["time_s"] - row[since] for row in chosen]
            for level in (50, 95):
                wanted = float(np.quantile(took_s, level / 100)) if took_s else None
                same([moves[f"{kind}_p{level}_s"][number]], [wanted])
    assert sum(moves["homeless"]) == (name == "placed")
    assert sum(moves["moved"]) > 5


def changes_of(run: Path, placed: bool) -> list[Row]:
    """Where twins live from when on; without a placement at the site of the last news."""
    if placed:
        return rows_of(run, "twin_moved")
    last: dict[int, int] = {}
    found = []
    for row in rows_of(run, "twin_synced"):
        before = last.get(row["vehicle"])
        if before != row["node"]:
            at = dict.fromkeys(("time_s", "began_s", "still_s"), row["time_s"])
            found.append({"vehicle": row["vehicle"], "from_node": before, "to_node": row["node"], **at})
        last[row["vehicle"]] = row["node"]
    return found


def lives_of(text: str, run: Row) -> dict[str, Any]:
    """The packed columns of the twins' lives."""
    stored = run["series"]["twin"]["lives"]["columns"]
    found = re.search(rf'id="blob-{stored["blob"]}">(.*?)</script>', text)
    assert found
    return unpack(stored["columns"], found[1])


@pytest.mark.parametrize("name", ["placed", "roaming"])
def test_stories_have_the_lives(home: Path, pages: Shown, name: str) -> None:
    """Each vehicle's stay, news and homes are in the page to 1 ms."""
    text, run = pages[name]
    found = lives_of(text, run)
    assert run["series"]["twin"]["lives"]["every"] == 1
    left_s = {row["vehicle"]: row["time_s"] for row in rows_of(home / name, "vehicle_left")}
    news, changes = rows_of(home / name, "twin_synced"), changes_of(home / name, name == "placed")
    starts = {kind: np.concatenate([[0], np.cumsum(found[kind])]) for kind in ("news", "homes")}
    for vehicle, entered in enumerate(rows_of(home / name, "vehicle_entered")):
        assert found["entered_ms"][vehicle] == round(entered["time_s"] * 1e3)
        assert found["left_ms"][vehicle] == round(left_s.get(vehicle, -1e-3) * 1e3)
        own = slice(*starts["news"][vehicle : vehicle + 2])
        told = [row for row in news if row["vehicle"] == vehicle]
        assert np.cumsum(found["synced_ms"][own]) == pytest.approx([row["time_s"] * 1e3 for row in told], abs=0.51)
        old_ms = [(row["time_s"] - row["generated_s"]) * 1e3 for row in told]
        assert found["old_ms"][own] == pytest.approx(old_ms, abs=0.51)
        own = slice(*starts["homes"][vehicle : vehicle + 2])
        moved = [row for row in changes if row["vehicle"] == vehicle]
        assert np.cumsum(found["home_ms"][own]) == pytest.approx([row["time_s"] * 1e3 for row in moved], abs=0.51)
        assert found["home_node"][own].tolist() == [-1 if row["to_node"] is None else row["to_node"] for row in moved]
        for column, since in (("home_took_ms", "began_s"), ("home_still_ms", "still_s")):
            took_ms = [(row["time_s"] - row[since]) * 1e3 for row in moved]
            assert found[column][own] == pytest.approx(took_ms, abs=0.51)


def test_lives_of_many_are_thinned(home: Path, pages: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many messages the page has those of every n-th vehicle, whole, and says which."""
    monkeypatch.setattr("cosim.report.page.twin_map._MOST_NEWS", 60)
    text, run = shown(home / "placed")
    every, news = run["series"]["twin"]["lives"]["every"], rows_of(home / "placed", "twin_synced")
    found, whole = lives_of(text, run), lives_of(*pages["placed"])
    assert every == -(-len(news) // 60) > 1
    kept = np.arange(len(whole["news"])) % every == 0
    for kind in ("news", "homes"):
        assert found[kind].tolist() == np.where(kept, whole[kind], 0).tolist()
    assert found["entered_ms"].tolist() == whole["entered_ms"].tolist()


def test_only_a_run_with_twins_has_them(pages: Shown) -> None:
    """Without twins neither their data nor their code is in the page."""
    for name, (text, run) in pages.items():
        there = name != "plain"
        assert (run["series"]["twin"] is not None) == there
        assert ("class Twins" in text) == there
