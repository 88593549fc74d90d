"""The facts of the key network: nodes, links, blocks of key, pools, the keys of vehicles, and the keys of tasks."""

from dataclasses import dataclass
from math import nan
from typing import Annotated, Any

from cosim.trace.facts.column import Column, Link, Node, TaskId, Text, Time, Vehicle
from cosim.types import KeyState, LinkState


@dataclass(frozen=True, slots=True)
class KeyNodeDeployed:
    """A trusted node of the key network, stated once at the start; the sites come first, with their own numbers."""

    time_s: Time
    node: Node
    name: Text
    x_m: Annotated[float, Column("<f8", "m", "position")]
    y_m: Annotated[float, Column("<f8", "m", "position")]


@dataclass(frozen=True, slots=True)
class KeyLinkDeployed:
    """A QKD link between two nodes, stated once at the start."""

    time_s: Time
    link: Link
    from_node: Node
    to_node: Node
    length_km: Annotated[float, Column("<f8", "km", "of the fibre")]
    capacity_bit: Annotated[int, Column("<i8", "bit", "of its pool")]
    initial_bit: Annotated[int, Column("<i8", "bit", "in its pool at the start; counts as generated")]


@dataclass(frozen=True, slots=True)
class KeyBlockDistilled:
    """A block of a link's key was distilled: stored, as far as there was room, or thrown away."""

    time_s: Time
    link: Link
    bit: Annotated[int, Column("<i8", "bit", "secret bits of the block")]
    stored_bit: Annotated[int, Column("<i8", "bit", "0 if the block was thrown away; the rest of bit is lost")]
    qber: Annotated[float, Column("<f8", "", "error rate of the block; null without a signal", absent=nan)]


@dataclass(frozen=True, slots=True)
class KeyLinkChanged:
    """A QKD link came up, was cut, or aborted because of its error rate."""

    time_s: Time
    link: Link
    state: Annotated[int, Column("<i1", "", "what it is from now on", LinkState)]


@dataclass(frozen=True, slots=True)
class KeyPoolSampled:
    """The pool of a link at a sampling time: its level and running totals; generated = used + lost + stored."""

    time_s: Time
    link: Link
    stored_bit: Annotated[int, Column("<i8", "bit", "in the pool now")]
    generated_bit: Annotated[int, Column("<i8", "bit", "distilled so far, with what the pool had at the start")]
    used_bit: Annotated[int, Column("<i8", "bit", "relayed for transfers and given to vehicles")]
    lost_bit: Annotated[int, Column("<i8", "bit", "thrown away, overflowed or expired")]
    key_bps: Annotated[float, Column("<f8", "bit/s", "secret rate of the last slot")]
    qber: Annotated[float, Column("<f8", "", "of the last slot; null without a signal", absent=nan)]
    detector: Annotated[float, Column("<f8", "", "detector efficiency that is set")]


@dataclass(frozen=True, slots=True)
class VehicleKeysFilled:
    """A vehicle got key material from a node."""

    time_s: Time
    vehicle: Vehicle
    node: Node
    bit: Annotated[int, Column("<i8", "bit", "given to the vehicle")]
    hops: Annotated[int, Column("<i2", "", "links whose pools gave as many bits; 0: made over free space or at a dock")]
    dropped_bit: Annotated[int, Column("<i8", "bit", "older material shared with another node, dropped for it")]


@dataclass(frozen=True, slots=True)
class VehicleKeysSampled:
    """The pools of all vehicles together, including those that have left; filled = used + lost + stored."""

    time_s: Time
    stored_bit: Annotated[int, Column("<i8", "bit", "in all pools now")]
    filled_bit: Annotated[int, Column("<i8", "bit", "given to vehicles so far")]
    used_bit: Annotated[int, Column("<i8", "bit", "taken by transfers so far")]
    lost_bit: Annotated[int, Column("<i8", "bit", "expired, dropped, or gone with a vehicle")]
    filling: Annotated[int, Column("<i4", "", "vehicles that want more")]
    waiting: Annotated[int, Column("<i4", "", "transfers that wait for a key")]


@dataclass(frozen=True, slots=True)
class TaskKeyed:
    """The keys of a task, in one row at its end; no row for a task whose transfers needed no new key."""

    time_s: Time
    task: TaskId
    vehicle: Vehicle
    state: Annotated[int, Column("<i1", "", "what became of them", KeyState)]
    up_asked_s: Annotated[float, Column("<f8", "s", "key of the uplink asked for", absent=nan)]
    up_keyed_s: Annotated[float, Column("<f8", "s", "and drawn", absent=nan)]
    up_bit: Annotated[int, Column("<i8", "bit", "taken from the vehicle's pool")]
    up_hops: Annotated[int, Column("<i2", "", "links whose pools gave as many bits")]
    down_asked_s: Annotated[float, Column("<f8", "s", "key of the downlink asked for", absent=nan)]
    down_keyed_s: Annotated[float, Column("<f8", "s", "and drawn", absent=nan)]
    down_bit: Annotated[int, Column("<i8", "bit", "taken from the vehicle's pool")]
    down_hops: Annotated[int, Column("<i2", "", "links whose pools gave as many bits")]


@dataclass(frozen=True, slots=True)
class DetectorTurned:
    """The policy set the detector of a QKD link at a decision epoch; a row for each link whenever it turned this knob."""

    time_s: Time
    link: Link
    detector: Annotated[float, Column("<f8", "", "detector efficiency from now on")]


FACTS: tuple[type[Any], ...] = (
    KeyNodeDeployed,
    KeyLinkDeployed,
    KeyBlockDistilled,
    KeyLinkChanged,
    KeyPoolSampled,
    VehicleKeysFilled,
    VehicleKeysSampled,
    TaskKeyed,
    DetectorTurned,
)
"""The kinds of facts of the key network, in the order of storage."""
