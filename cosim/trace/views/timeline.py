"""The life of one task in words, step by step."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from cosim.errors import InputError
from cosim.quantity import digits, quantity
from cosim.types import Direction, KeyState, Phase, Status, Tier

_EXECUTED = "execution ends"
_STEPS = (
    ("up_asked_s", "asks for a key for its uplink"),
    ("up_keyed_s", "{up_drawn} for its uplink"),
    ("up_downgraded_s", "downgraded: its uplink goes without a quantum key"),
    ("uplink_s", "uplink starts"),
    ("uplinked_s", "uplink ends in cell {uplink_site}"),
    ("queued_s", "enters the queue of {host}"),
    ("started_s", "execution starts at {host}"),
    ("executed_s", _EXECUTED),
    ("down_asked_s", "asks for a key for its downlink"),
    ("down_keyed_s", "{down_drawn} for its downlink"),
    ("down_downgraded_s", "downgraded: its downlink goes without a quantum key"),
    ("downlink_s", "downlink starts{downlink_from}"),
    ("refused_s", "refused: the key that it waits for has not come"),
)


def timeline(sql: Callable[[str], pd.DataFrame], task: int) -> list[tuple[float, str]]:
    """Return what happened to a task, and meanwhile to its vehicle's radio, as (time, text) in order of time.

    Args:
        sql: answers a query over the trace.
        task: number of the task.

    Raises:
        InputError: no such task.
    """
    released = sql(f"SELECT * FROM task_released WHERE task = {task:d}")
    if released.empty:
        count = int(sql("SELECT count(*) AS n FROM task_released").n[0])
        raise InputError(f"task {task}: not in this trace; it has {count} tasks, numbered from 0")
    deployed = sql("SELECT site, name FROM site_deployed")
    sites = dict(zip(deployed.site.tolist(), deployed.name.tolist(), strict=True))
    release = released.to_dict("records")[0]
    ended = sql(f"SELECT * FROM task_ended WHERE task = {task:d}")
    keyed = sql(f"SELECT * EXCLUDE (time_s) FROM task_keyed WHERE task = {task:d}").to_dict("records")
    steps: list[tuple[float, str]] = []
    for row in ended.to_dict("records"):
        steps.extend(_lived({**row, **(_keyed(keyed[0], row) if keyed else {})}, sites))
    events = [  # of one instant in this order
        *_released(release),
        *_decided(sql(f"SELECT * FROM task_decided WHERE task = {task:d}"), sites),
        *(step for step in steps if step[1] == _EXECUTED),
        *_moved(sql(f"SELECT * FROM transfer_moved WHERE task = {task:d} ORDER BY seq"), sites),
        *_cells(sql, release, ended, sites),
        *_grants(sql(f"SELECT * FROM transfer_granted WHERE task = {task:d} ORDER BY seq"), sites),
        *(step for step in steps if step[1] != _EXECUTED),
    ]
    return sorted(events, key=lambda event: event[0])


def _site(number: int | None, sites: dict[int, str]) -> str:
    return "none" if number is None else sites.get(number, f"site {number}")


def _host(tier: int | None, target: int | None, sites: dict[int, str]) -> str:
    if tier == Tier.LOCAL:
        return "its own vehicle"
    return f"vehicle {target}" if tier == Tier.NEIGHBOUR else _site(target, sites)


def _released(row: dict[Any, Any]) -> Iterator[tuple[float, str]]:
    text = (
        f"released by vehicle {row['vehicle']}: class {row['task_class']}, {quantity(row['input_bit'], 'bit')}, "
        f"{digits(row['cycles'] / 1e6)} Mcycles, deadline t={row['deadline_s']:.6g} s"
    )
    yield row["time_s"], text


def _decided(rows: pd.DataFrame, sites: dict[int, str]) -> Iterator[tuple[float, str]]:
    for row in rows.to_dict("records"):
        host = _host(row["tier"], row["target"], sites)
        yield row["time_s"], f"decided: {Tier(row['tier']).name} at {host}, {quantity(row['expected_s'], 's')} expected"


def _moved(rows: pd.DataFrame, sites: dict[int, str]) -> Iterator[tuple[float, str]]:
    for row in rows.to_dict("records"):
        if row["direction"] == Direction.WIRES:
            yield row["time_s"], _carried(row, sites)
            continue
        name = Direction(row["direction"]).name.lower()
        if row["to_site"] is None:
            what = f"{name} waits for coverage"
        elif row["from_site"] is None:
            what = f"{name} goes on in cell {_site(row['to_site'], sites)}"
        else:
            what = f"{name} moves from cell {_site(row['from_site'], sites)} to {_site(row['to_site'], sites)}"
        yield row["time_s"], f"{what}, {quantity(row['left_bit'], 'bit')} left"


def _grants(rows: pd.DataFrame, sites: dict[int, str]) -> Iterator[tuple[float, str]]:
    for row in rows.to_dict("records"):
        name, cell = Direction(row["direction"]).name.lower(), _site(row["site"], sites)
        where = f"by vehicle {row['vehicle']} in the band of {cell}" if name == "sidelink" else f"in cell {cell}"
        waited, left = quantity(row["waited_s"], "s"), quantity(row["left_bit"], "bit")
        yield row["time_s"], f"{name} is granted {where} after {waited}: {left} to send"


def _carried(row: dict[Any, Any], sites: dict[int, str]) -> str:
    if row["to_site"] is None:
        return f"result waits at {_site(row['from_site'], sites)} for a cell of its vehicle"
    if row["from_site"] is None:
        return f"result goes on to cell {_site(row['to_site'], sites)}"
    at, cell = (_site(row[name], sites) for name in ("from_site", "to_site"))
    return f"result is at {at} and crosses wires again, to cell {cell}"


def _cells(
    sql: Callable[[str], pd.DataFrame], release: dict[Any, Any], ended: pd.DataFrame, sites: dict[int, str]
) -> Iterator[tuple[float, str]]:
    end_s = math.inf if ended.empty else float(ended.time_s[0])
    changes = sql(
        f"SELECT * FROM cell_changed WHERE vehicle = {release['vehicle']:d} AND time_s >= {release['time_s']!r} "
        "ORDER BY seq"
    )
    for row in changes[changes.time_s <= end_s].to_dict("records"):
        yield (
            row["time_s"],
            f"vehicle changes from cell {_site(row['from_site'], sites)} to {_site(row['to_site'], sites)}",
        )


def _keyed(keys: dict[Any, Any], life: dict[Any, Any]) -> dict[str, Any]:
    """Return the steps of a task's keys as columns, to stand beside those of its life."""
    steps = {name: keys[name] for name in ("up_asked_s", "up_keyed_s", "down_asked_s", "down_keyed_s")}
    for way, transfer in (("up", "uplink_s"), ("down", "downlink_s")):
        bit, hops = keys[f"{way}_bit"], keys[f"{way}_hops"]
        relayed = f" over {hops} link{'' if hops == 1 else 's'}" if hops else ""
        steps[f"{way}_drawn"] = f"draws {bit} bit of key{relayed}" if bit else "finds a key that another has drawn"
        without = not math.isnan(keys[f"{way}_asked_s"]) and math.isnan(keys[f"{way}_keyed_s"])
        steps[f"{way}_downgraded_s"] = life[transfer] if without else math.nan
    steps["refused_s"] = life["time_s"] if keys["state"] == KeyState.REFUSED else math.nan
    return steps


def _brought(row: dict[Any, Any], sites: dict[int, str]) -> str:
    """Return where the downlink starts and what wires its result has crossed; "" if none or unknown, as in old runs."""
    site, wire_bit = row["downlink_from_site"], row["wire_bit"]
    if site is None:  # as in a run of an older schema
        return ""
    wires = f", after {quantity(wire_bit, 'bit')} x wires" if wire_bit > 0.0 else ""
    return f" in cell {_site(site, sites)}{wires}"


def _lived(row: dict[Any, Any], sites: dict[int, str]) -> Iterator[tuple[float, str]]:
    host = _host(row["tier"], row["target"], sites)
    known = {"host": host, "uplink_site": _site(row["uplink_site"], sites), "downlink_from": _brought(row, sites)}
    for column, text in _STEPS:
        if not math.isnan(row.get(column, math.nan)):
            yield row[column], text.format_map({**row, **known})
    spare_s = row["deadline_s"] - row["time_s"]
    text = (
        f"ends {Status(row['status']).name} in phase {Phase(row['phase']).name} after "
        f"{quantity(row['time_s'] - row['released_s'], 's')}, "
        f"{quantity(abs(spare_s), 's')} {'before' if spare_s >= 0 else 'after'} its deadline"
    )
    yield row["time_s"], text
