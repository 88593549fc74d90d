"""Any scenario, as Hypothesis draws it: of most sections some fields, as defaults written out, or otherwise."""

from typing import Any

from hypothesis import strategies as st

Draws = st.SearchStrategy[Any]


def of(*values: Any) -> Draws:
    """One of the values."""
    return st.sampled_from(values)


def some(**fields: Draws) -> Draws:
    """A section with some of the fields, in any order."""
    drawn = st.fixed_dictionaries({}, optional=fields)
    return drawn.flatmap(lambda section: st.permutations(list(section.items())).map(dict))


def kinds(**sections: Draws) -> Draws:
    """One section of several, with its kind."""
    return st.one_of([drawn.map(lambda one, kind=kind: {**one, "kind": kind}) for kind, drawn in sections.items()])


SPREAD = st.one_of(
    of(5e8, 500_000_000, 7e8),
    kinds(
        uniform=st.just({"low": 0.5, "high": 1}),
        exponential=of({"mean": 3}, {"mean": 3.0}, {"mean": 4}),
        choice=of({"values": [1, 2.0]}, {"values": [1.0, 2], "weights": [1, 1]}, {"values": [1]}),
    ),
)
OPTIONS = of(
    {}, {"depth": 3}, {"depth": 3.0}, {"depth": "3"}, {"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}], "c": {}}
)
MOBILITY = kinds(
    libsumo=some(step_s=of(1, 1.0, 0.5), scale=of(1, 2), max_vehicles=of(None, 50), cache=of(True, False)),
    traci=some(step_s=of(1, 0.5), gui=of(True, False), port=of(None, 9000)),
    replay=some(begin_s=of(0, 30), step_s=of(1.0, 0.5)),
    synthetic=some(vehicles=of(10, 20), speed_mps=of(15, 15.0, {"kind": "exponential", "mean": 3})),
)
RADIO = some(
    preset=of(None, "lte_20mhz", "lte_10mhz", "nr_20mhz_fr1"),
    bandwidth_hz=of(20e6, 20_000_000, 1e6),
    downlink_bandwidth_hz=of(None, 20e6),
    path_loss=kinds(
        umi=some(frequency_ghz=of(5.9, 3.5), los=of("drawn", "never")),
        power_law=some(exponent=of(2, 3.0)),
        plugin=st.fixed_dictionaries({"name": of("a", "b"), "options": OPTIONS}),
    ),
    access=kinds(ofdma=st.just({}), fixed=some(slice_share=of(0.1, 0.5)), noma=some(sic=of(True, False))),
    interference=of(False, True),
    power=of("per_radio", "per_transfer"),
    handover=some(hysteresis_db=of(3, 3.0, 2), transfer=of("continue", "restart")),
    sidelink=st.one_of(st.none(), some(range_m=of(150, 150.0, 80))),
)
KEYS = some(
    rate=kinds(
        decoy_bb84=some(pulse_hz=of(1e9, 1_000_000_000, 1e8)),
        qib_vec=some(
            pair_rate_per_s=of(50, 60.0), free_space=st.one_of(st.none(), some(half_angle_rad=of(1e-4, 2e-4)))
        ),
    ),
    topology=some(
        shape=of("ring", "star"),
        links=st.one_of(
            st.none(), st.lists(of({"ends": ["a", "b"]}, {"ends": ["a", "b"], "length_km": 2}), max_size=1)
        ),
    ),
    vehicle=kinds(site=some(capacity_bit=of(65_536, 4096)), dock=some(site=of(None, "a"))),
    use=kinds(aes256_rekey=some(lifetime_s=of(60, 30)), otp=st.just({}), none=st.just({})),
    slot_s=of(1, 2.0),
)
LEDGER = some(
    block=some(interval_s=of(5, 10.0)),
    credits=some(initial=of(1000, 999), penalty=of(50, 51)),
    timeouts=some(vote_s=of(None, 0.5, 1)),
    committee=of(None, 3),
    dissemination=of("direct", "tree"),
    faults=of([], [{"kind": "silent", "validator": "a"}], [{"kind": "silent", "validator": "a", "delay_s": 1}]),
)
TWIN = some(
    sync=kinds(periodic=some(period_s=of(1, 2)), budget=some(messages_per_s=of(50, 50.0, 0))),
    forecast=kinds(constant_velocity=some(horizon_s=of(10, 20)), kalman=some(model=of("velocity", "acceleration"))),
    loss=of(0, 0.0, 0.5),
)
CLASSES = st.lists(
    st.fixed_dictionaries(
        {"name": of("default")},
        optional={
            "cycles": SPREAD,
            "output_bit": of(1e5, 100_000, 0),
            "semantic": st.one_of(st.none(), some(efficiency=of({"kind": "uniform", "low": 0.5, "high": 1}, 1))),
            "vehicle_types": of(None, [], ["car"]),
        },
    ),
    min_size=1,
    max_size=1,
)
SCENARIOS = some(
    name=of("unnamed", "other"),
    duration_s=of(600, 600.0, 60),
    seed=of(1, 2),
    policy=st.one_of(
        of("greedy-latency", "local"),
        st.fixed_dictionaries({"name": of("greedy-latency", "local"), "options": OPTIONS}),
    ),
    statistics=some(warmup_s=of(0, 5), batches=of(20, 10)),
    mobility=MOBILITY,
    sites=kinds(
        roads=some(spacing_m=of(800, 300)),
        map=st.just({}),
        listed=st.just({"sites": [{"name": "a", "x_m": 0, "y_m": 1.0}]}),
    ),
    radio=RADIO,
    backhaul=some(kind=of("star", "mesh"), latency_s=of(0.001, 0)),
    cloud=st.one_of(st.none(), some(cores=of(1024, 8))),
    compute=some(
        edge=some(cores=of(8, 4), queue_limit=of(None, 0)), vehicle=some(core_hz=of(1e9, 2e9), shared=of(True, False))
    ),
    energy=some(vehicle_budget_j=of(None, 5)),
    tasks=some(
        arrivals=kinds(
            poisson=some(
                rate_per_s=of(1, 1.0, 0.5),
                type_factor=of({}, {"bus": 2, "car": 0}, {"car": 0.0, "bus": 2.0}),
                profile=of([], [{"time_s": 0, "factor": 1}]),
            ),
            plugin=st.fixed_dictionaries({"name": of("a"), "options": OPTIONS}),
        ),
        classes=CLASSES,
        on_deadline=of("finish", "drop"),
    ),
    decisions=kinds(
        periodic=some(period_s=of(0.1, 1), knobs=of(["target"], ["target", "share"], []), reward=some(scale=of(1, 2))),
        per_task=some(candidates=of(3, 2), reward=some(kind=of("analytic", "realised"))),
    ),
    keys=st.one_of(st.none(), KEYS),
    ledger=st.one_of(st.none(), LEDGER),
    twin=st.one_of(st.none(), TWIN),
    trace=some(positions=of(False, True), sample_s=of(1, 2)),
)
"""Plain data, as a YAML file gives it; every one is valid."""
