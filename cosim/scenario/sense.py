"""What a scenario says without effect, or surely did not mean: one table of rules, whose remarks are a run's notes.

A scenario of which no task could ever be decided is refused; all else is legal, runs, and is noted.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cosim.adaptation.mcs import Numerology
from cosim.errors import InputError
from cosim.scenario.bands import AirBand, channels, downlink_band, sidelink_band, uplink_band
from cosim.scenario.preset_values import PRESETS
from cosim.scenario.radio import McsLink, Radio
from cosim.scenario.schema import Scenario
from cosim.scenario.section import Choice, Uniform
from cosim.scenario.twin import BudgetSync, PeriodicSync
from cosim.scenario.work import PoissonArrivals, TaskClass


class Stand(NamedTuple):
    """A site as it stands on the map."""

    name: str
    x_m: float
    y_m: float
    cores: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of a run beside its scenario, as far as it is known yet."""

    sites: Sequence[Stand] = ()
    """Where the sites stand; empty before that is known."""
    vehicle_types: frozenset[str] | None = None
    """Types of the vehicles that came; None before the run is over."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Figures of merit by name, of a run that is over."""


Remarks = Iterator[str]


@dataclass(frozen=True, slots=True)
class SenseRule:
    """A rule: when it speaks, and what it says of a scenario and of what its run has shown."""

    name: str
    when: str
    """The condition, for the documentation."""
    remarks: Callable[[Scenario, Shown], Remarks]


def sense_notes(scenario: Scenario, shown: Shown) -> list[str]:
    """Return the remarks of all rules on a scenario.

    >>> sense_notes(Scenario(tasks={"arrivals": {"kind": "poisson", "rate_per_s": 0}}), Shown())
    ['tasks.arrivals.rate_per_s=0: no task is released; raise it']

    Args:
        scenario: the scenario.
        shown: what is known of its run.
    """
    return [remark for rule in RULES for remark in rule.remarks(scenario, shown)]


def listed_stands(scenario: Scenario) -> list[Stand]:
    """Return the sites that the scenario itself places; none where a map does."""
    if scenario.sites.kind != "listed":
        return []
    cores = scenario.compute.edge.cores
    return [
        Stand(one.name, one.x_m, one.y_m, cores if one.cores is None else one.cores) for one in scenario.sites.sites
    ]


def refuse_senseless(scenario: Scenario) -> None:
    """Refuse a scenario of which no figure could mean anything.

    Raises:
        InputError: no decision falls within the run.
    """
    decisions = scenario.decisions
    if decisions.kind == "periodic" and decisions.period_s >= scenario.duration_s:
        raise InputError(
            f"decisions.period_s={decisions.period_s:g}: no decision falls within duration_s={scenario.duration_s:g}, so "
            "that no task could set out; lower it"
        )


# --- time ----------------------------------------------------------------------------------------------------------


def _spans(scenario: Scenario) -> Iterator[tuple[str, str, float]]:
    """Yield what happens for a time: its field, what it is, and when it starts."""
    if scenario.keys is not None:
        for k, attack in enumerate(scenario.keys.attacks):
            yield f"keys.attacks[{k}]", attack.kind, attack.start_s
    if scenario.ledger is not None:
        for k, fault in enumerate(scenario.ledger.faults):
            yield f"ledger.faults[{k}]", fault.kind, fault.start_s
        for k, partition in enumerate(scenario.ledger.partitions):
            yield f"ledger.partitions[{k}]", "partition", partition.start_s
        if scenario.ledger.loss > 0.0:
            yield "ledger", "loss", scenario.ledger.loss_start_s


def _never_begins(scenario: Scenario, _: Shown) -> Remarks:
    for place, what, start_s in _spans(scenario):
        if start_s >= scenario.duration_s:
            name = "loss_start_s" if what == "loss" else "start_s"
            yield (
                f"{place}.{name}={start_s:g}: the {what} never begins within duration_s={scenario.duration_s:g}; "
                "start it earlier or raise duration_s"
            )


def _periods(scenario: Scenario) -> Iterator[tuple[str, float, str]]:
    """Yield periods: the field, how long, and what does not happen within a run that is no longer."""
    yield "mobility.step_s", scenario.mobility.step_s, "vehicles do not move"
    yield "trace.sample_s", scenario.trace.sample_s, "hosts and cells are sampled at the end only"
    keys, ledger, twin = scenario.keys, scenario.ledger, scenario.twin
    if keys is not None:
        yield "keys.slot_s x keys.block_slots", keys.slot_s * keys.block_slots, "no link makes any key"
    if ledger is not None:
        yield "ledger.block.interval_s", ledger.block.interval_s, "no block is made unless batches fill it"
    if twin is not None:
        if isinstance(twin.sync, PeriodicSync):
            yield "twin.sync.period_s", twin.sync.period_s, "most vehicles never tell their state again"
        yield "twin.site_period_s", twin.site_period_s, "sites never tell theirs"
        yield "twin.forecast.horizon_s", twin.forecast.horizon_s, "no forecast so far ahead is checked"
        if twin.placement is not None:
            yield "twin.placement.period_s", twin.placement.period_s, "no twin that stands is placed anew"


def _too_long(scenario: Scenario, _: Shown) -> Remarks:
    for name, period_s, then in _periods(scenario):
        if period_s >= scenario.duration_s:
            yield f"{name}={period_s:g}: within duration_s={scenario.duration_s:g} {then}; lower it or raise duration_s"


# --- places and hosts ----------------------------------------------------------------------------------------------


def _one_place(_: Scenario, shown: Shown) -> Remarks:
    first: dict[tuple[float, float], str] = {}
    for site in shown.sites:
        other = first.setdefault((site.x_m, site.y_m), site.name)
        if other != site.name:
            yield f"sites {other} and {site.name} stand in one place, x_m={site.x_m:g}, y_m={site.y_m:g}; move one"


def _no_cores(scenario: Scenario, shown: Shown) -> Remarks:
    if shown.sites and scenario.cloud is None and not any(site.cores for site in shown.sites):
        helpers = scenario.radio.sidelink is not None and scenario.compute.vehicle.shared
        where = "only in vehicles" if helpers else "only in their own vehicles"
        yield f"compute.edge.cores=0: no site has cores and there is no cloud, so that tasks run {where}; raise it"


def _sidelink_for_nobody(scenario: Scenario, _: Shown) -> Remarks:
    if scenario.radio.sidelink is not None and not scenario.compute.vehicle.shared:
        yield "compute.vehicle.shared=false: nobody uses radio.sidelink; leave that out or share the vehicles"


def _grant_for_nobody(scenario: Scenario, _: Shown) -> Remarks:
    radio = scenario.radio
    of_presets = {preset.values["grant_s.sidelink"].value for preset in PRESETS.values()}
    # a preset's goes without saying, also in a stored scenario, which does not tell who wrote it
    if radio.grant_s.sidelink not in {0.0, *of_presets} and radio.sidelink is None:
        yield (
            f"radio.grant_s.sidelink={radio.grant_s.sidelink:g}: there is no radio.sidelink whose transfers could wait; "
            "leave it out or add a sidelink"
        )


def _no_coverage(_: Scenario, shown: Shown) -> Remarks:
    if shown.figures.get("coverage_ratio") == 0.0:
        yield (
            "radio: no vehicle was ever in the cell of a site; move the sites to the traffic, or lower radio.min_snr_db"
        )


# --- tasks ---------------------------------------------------------------------------------------------------------


def _no_traffic(scenario: Scenario, shown: Shown) -> Remarks:
    if scenario.mobility.kind == "synthetic" and scenario.mobility.vehicles == 0:
        yield "mobility.vehicles=0: nobody is on the road; raise it"
    elif shown.vehicle_types is not None and not shown.vehicle_types:
        yield "mobility: no vehicle came to the map; choose another mobility.begin_s or raise the demand"


def _no_rate(scenario: Scenario, shown: Shown) -> Remarks:
    arrivals = scenario.tasks.arrivals
    if isinstance(arrivals, PoissonArrivals):
        if arrivals.rate_per_s == 0.0:
            yield "tasks.arrivals.rate_per_s=0: no task is released; raise it"
            return
        if arrivals.profile and _most_of(arrivals, scenario.duration_s) == 0.0:
            yield f"tasks.arrivals.profile: is 0 up to duration_s={scenario.duration_s:g}: no task is released; raise it"
            return
    if shown.vehicle_types and shown.figures.get("released") == 0.0:
        after = " after the warm-up" if scenario.statistics.warmup_s else ""
        yield f"tasks.arrivals: no task was released{after}; raise the rate, or check files and vehicle types"


def _most_of(arrivals: PoissonArrivals, end_s: float) -> float:
    """Return the largest factor of a profile within a run."""
    corners = arrivals.profile
    reached = [point for k, point in enumerate(corners) if k == 0 or corners[k - 1].time_s < end_s]
    return max(point.factor for point in reached)


def _profile_later(scenario: Scenario, _: Shown) -> Remarks:
    arrivals = scenario.tasks.arrivals
    if isinstance(arrivals, PoissonArrivals) and len(arrivals.profile) > 1:
        first_s = arrivals.profile[0].time_s
        if first_s >= scenario.duration_s:
            yield (
                f"tasks.arrivals.profile: its first corner, {first_s:g} s, is beyond duration_s={scenario.duration_s:g}, "
                "so that its factor is constant; its times are of the run's clock"
            )


def _no_such_type(scenario: Scenario, shown: Shown) -> Remarks:
    if not shown.vehicle_types:
        return
    there = ", ".join(sorted(shown.vehicle_types)[:8])
    for k, one in enumerate(scenario.tasks.classes):
        for name in one.vehicle_types or ():
            if name not in shown.vehicle_types:
                yield f"tasks.classes[{k}].vehicle_types: no vehicle of type {name} came; those that came are {there}"
    arrivals = scenario.tasks.arrivals
    for name in arrivals.type_factor if isinstance(arrivals, PoissonArrivals) else ():
        if name not in shown.vehicle_types:
            yield f"tasks.arrivals.type_factor: no vehicle of type {name} came; those that came are {there}"


def _never_on_time(scenario: Scenario, shown: Shown) -> Remarks:
    for k, one in enumerate(scenario.tasks.classes):
        least_s = scenario.decisions.inference_s + _least_s(scenario, one, shown.sites)
        most_s = _largest(one.deadline_s)
        if most_s < least_s:
            yield (
                f"tasks.classes[{k}].deadline_s={most_s:g}: tasks of {one.name} take at least {least_s:.3g} s, so that "
                "all are late; raise it"
            )


def _least_s(scenario: Scenario, one: TaskClass, sites: Sequence[Stand]) -> float:
    """Return a lower bound of the time from a decision to the end of execution, with grants, at the best place."""
    cycles, own_hz = _smallest(one.cycles), _largest(scenario.compute.vehicle.core_hz)
    own = 1.0 if one.semantic is None else _smallest(one.semantic.vehicle_accuracy)
    away = 1.0 if one.semantic is None else _smallest(one.semantic.edge_accuracy)
    least = [cycles * own / own_hz]
    radio, up = scenario.radio, uplink_band(scenario.radio)
    kept = 1.0 if one.semantic is None else max(one.semantic.min_efficiency, _smallest(one.semantic.efficiency))
    sent_s = _smallest(one.input_bit) * min(kept, 1.0) / (up.curve.most_bps_hz * up.band_hz)
    if radio.sidelink is not None:
        sent_s = 0.0  # whose band is another
    grants_s = radio.grant_s.uplink + radio.grant_s.downlink
    if radio.sidelink is not None:
        grants_s = min(grants_s, 2.0 * radio.grant_s.sidelink)
    hosts_hz = [scenario.compute.edge.core_hz, *_listed_hz(scenario)]
    if scenario.cloud is not None:
        hosts_hz.append(scenario.cloud.core_hz)
    if scenario.radio.sidelink is not None:
        hosts_hz.append(own_hz)
    if not sites or scenario.cloud is not None or any(site.cores for site in sites):
        least.append(sent_s + grants_s + cycles * away / max(hosts_hz))
    return min(least)


def _listed_hz(scenario: Scenario) -> list[float]:
    if scenario.sites.kind == "listed":
        return [site.core_hz for site in scenario.sites.sites if site.core_hz is not None]
    return [] if scenario.sites.kind in ("roads", "grid") else [math.inf]  # a map's own sites may be of any speed


def _smallest(value: object) -> float:
    match value:
        case Uniform(low=low):
            return low
        case Choice(values=values):
            return min(values)
        case float() | int():
            return float(value)
    return 0.0


def _largest(value: object) -> float:
    match value:
        case Uniform(high=high):
            return high
        case Choice(values=values):
            return max(values)
        case float() | int():
            return float(value)
    return math.inf


def _knob_of_nothing(scenario: Scenario, _: Shown) -> Remarks:
    if "cpu_share" in scenario.decisions.knobs and scenario.compute.edge.discipline != "processor_sharing":
        yield (
            f"decisions.knobs: cpu_share has no effect with compute.edge.discipline={scenario.compute.edge.discipline}; "
            "use processor_sharing or leave it out"
        )


# --- radio ---------------------------------------------------------------------------------------------------------


def _unfelt_link(scenario: Scenario, _: Shown) -> Remarks:
    radio = scenario.radio
    default = Radio.model_fields["max_efficiency_bps_hz"].default
    if radio.link.kind != "shannon" and radio.max_efficiency_bps_hz != default:
        told = "null" if radio.max_efficiency_bps_hz is None else f"{radio.max_efficiency_bps_hz:g}"
        yield (
            f"radio.max_efficiency_bps_hz={told}: has no effect with radio.link.kind={radio.link.kind}, which has a "
            "highest rate of its own; leave it out"
        )
    if radio.vehicle_noise_figure_db is not None and radio.noise_dbm is not None:
        yield (
            f"radio.vehicle_noise_figure_db={radio.vehicle_noise_figure_db:g}: has no effect with radio.noise_dbm, which "
            "is the whole noise of every receiver; leave one of them out"
        )
    least_db = 10.0 * math.log10(least) if (least := uplink_band(radio).curve.least_sinr) > 0.0 else -math.inf
    if radio.min_snr_db != Radio.model_fields["min_snr_db"].default and radio.min_snr_db < least_db:
        yield (
            f"radio.min_snr_db={radio.min_snr_db:g}: radio.link carries nothing below {least_db:.1f} dB, where coverage "
            "ends; raise it, or leave it out"
        )


def _no_channel(scenario: Scenario, _: Shown) -> Remarks:
    link = scenario.radio.link
    if not isinstance(link, McsLink):
        return
    frame = channels(link)
    for name, band in _bands(scenario.radio):
        width_hz = frame.channel_hz(band.band_hz)
        if band.band_hz != width_hz:
            yield (
                f"{name}={band.band_hz:g}: no channel of {link.standard} has this width, so that rates are those of one "
                f"of {width_hz / 1e6:g} MHz, in proportion; choose one of {_listed_mhz(frame)} MHz"
            )


def _listed_mhz(frame: Numerology) -> str:
    return ", ".join(f"{width_hz / 1e6:g}" for width_hz in frame.channels)


def _bands(radio: Radio) -> Iterator[tuple[str, AirBand]]:
    """Yield the bands that a scenario gives, with their fields."""
    yield "radio.bandwidth_hz", uplink_band(radio)
    if radio.downlink_bandwidth_hz is not None:
        yield "radio.downlink_bandwidth_hz", downlink_band(radio)
    if radio.sidelink is not None:
        yield "radio.sidelink.bandwidth_hz", sidelink_band(radio, radio.sidelink)


# --- keys, ledger, twin --------------------------------------------------------------------------------------------


def _no_key(scenario: Scenario, shown: Shown) -> Remarks:
    keys = scenario.keys
    if keys is None:
        return
    if shown.figures.get("key_generated") == 0.0 and keys.slot_s * keys.block_slots < scenario.duration_s:
        yield "keys: no link made any key; shorten the links, or add some in keys.topology"
    if keys.pool.low_water_bit == keys.pool.capacity_bit and keys.vehicle.kind == "site":
        yield f"keys.pool.low_water_bit={keys.pool.low_water_bit}: is all of capacity_bit: no vehicle is filled; lower it"
    if keys.vehicle.kind != "dock" and keys.vehicle.low_water_bit == 0:
        yield "keys.vehicle.low_water_bit=0: vehicles never ask for key; raise it"
    if keys.vehicle.kind == "site" and keys.vehicle.initial_bit > keys.vehicle.capacity_bit:
        yield (
            f"keys.vehicle.initial_bit={keys.vehicle.initial_bit}: only capacity_bit={keys.vehicle.capacity_bit} of it "
            "is loaded; lower it or raise capacity_bit"
        )


def _voters(scenario: Scenario, shown: Shown) -> list[str]:
    """Return the sites that vote from the first height; empty where that is not known."""
    assert scenario.ledger is not None  # noqa: S101 - asked by rules of the ledger only
    named = scenario.ledger.validators
    return list(named) if named is not None else [site.name for site in shown.sites if site.cores]


def _one_voter(scenario: Scenario, shown: Shown) -> Remarks:
    if scenario.ledger is not None and not scenario.ledger.membership:
        voters = _voters(scenario, shown)
        if len(voters) == 1:
            yield f"ledger.validators: {voters[0]} alone decides every block, and no vote takes place; name more sites"


def _all_seated(scenario: Scenario, shown: Shown) -> Remarks:
    if scenario.ledger is None or scenario.ledger.committee is None or scenario.ledger.membership:
        return
    voters, seats = len(_voters(scenario, shown)), scenario.ledger.committee
    if 0 < voters <= seats:
        yield f"ledger.committee={seats}: there are only {voters} validators, and all have a seat; lower it or leave it out"


def _parts_nobody(scenario: Scenario, shown: Shown) -> Remarks:
    if scenario.ledger is None or scenario.ledger.membership:
        return
    voters = set(_voters(scenario, shown))
    for k, partition in enumerate(scenario.ledger.partitions):
        if voters and (voters <= set(partition.side) or voters.isdisjoint(partition.side)):
            yield f"ledger.partitions[{k}].side: all validators are on one side; name some of them"


def _moves_nobody(scenario: Scenario, shown: Shown) -> Remarks:
    if scenario.ledger is None:
        return
    voters = set(_voters(scenario, shown))
    if not voters:
        return
    for k, move in sorted(enumerate(scenario.ledger.membership), key=lambda one: one[1].height):
        if (move.validator in voters) == (move.action == "join"):
            state = "is one already" if move.action == "join" else "is none then"
            yield f"ledger.membership[{k}]: {move.validator} cannot {move.action} as a validator, it {state}; leave it out"
        (voters.add if move.action == "join" else voters.discard)(move.validator)


def _nothing_heard(scenario: Scenario, shown: Shown) -> Remarks:
    ledger, twin = scenario.ledger, scenario.twin
    if ledger is not None and ledger.loss == 1.0 and len(_voters(scenario, shown)) != 1:
        always = ledger.loss_start_s == 0.0 and ledger.loss_end_s >= scenario.duration_s
        if always:
            yield "ledger.loss=1: no vote is ever heard, so that no block is decided; lower it"
    if twin is not None and twin.loss == 1.0:
        yield "twin.loss=1: no state of a vehicle ever arrives; lower it"
    if twin is not None and isinstance(twin.sync, BudgetSync) and twin.sync.messages_per_s == 0.0:
        yield "twin.sync.messages_per_s=0: no vehicle may tell its state; raise it"


RULES: Final[tuple[SenseRule, ...]] = (
    SenseRule("never begins", "an attack, fault, partition or loss starts at `duration_s` or later", _never_begins),
    SenseRule(
        "period too long",
        "a tick, sample, key block, ledger block, synchronisation, placement or forecast takes as long as the run",
        _too_long,
    ),
    SenseRule("one place", "two sites stand in one place", _one_place),
    SenseRule("no cores", "no site has cores and there is no cloud", _no_cores),
    SenseRule(
        "sidelink for nobody", "there is a sidelink, but vehicles do not share their processors", _sidelink_for_nobody
    ),
    SenseRule("grant for nobody", "transfers of a sidelink wait for grants, and there is none", _grant_for_nobody),
    SenseRule("no coverage", "no vehicle was ever in the cell of a site", _no_coverage),
    SenseRule("no traffic", "no vehicle is or came on the map", _no_traffic),
    SenseRule("no task", "the rate is 0 all the time, or no task was released", _no_rate),
    SenseRule("profile later", "the first corner of an arrival profile lies beyond the run", _profile_later),
    SenseRule("no such type", "tasks are for a type of vehicle that never came", _no_such_type),
    SenseRule("never on time", "a class's longest deadline is shorter than its fastest execution", _never_on_time),
    SenseRule(
        "knob of nothing", "`cpu_share` is handed over, but hosts do not share their processors", _knob_of_nothing
    ),
    SenseRule(
        "unfelt link",
        "a field of the radio that its kind of link, or another field, leaves without effect",
        _unfelt_link,
    ),
    SenseRule("no channel", "with steps of modulation and coding, a band that is no standard channel", _no_channel),
    SenseRule("no key", "no link made key, or vehicles can never be filled, or are given more than they hold", _no_key),
    SenseRule("one voter", "a ledger has a single validator", _one_voter),
    SenseRule("all seated", "a committee has as many seats as there are validators", _all_seated),
    SenseRule("parts nobody", "a partition has all validators on one side", _parts_nobody),
    SenseRule("moves nobody", "a validator joins that is one, or leaves that is none", _moves_nobody),
    SenseRule("nothing heard", "all votes, or all states of a twin, are lost, or none may be sent", _nothing_heard),
)
"""All rules, in the order of their remarks."""
