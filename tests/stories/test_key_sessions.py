"""What costs a key and what does not: sessions, the way back, pads, neighbours, the cloud, another cell, free space.

As in test_keys a link makes a key a second, and vehicles, loaded at the dock of B, need one of A-B for a task at A.
"""

import pytest
from secured import KEY, KEYS
from stories import FAR, NEAR_A, NEAR_B, Told, merged, tell

from cosim.trace.store.reader import Trace

NEAR = [NEAR_A] * 13
PLATOON = dict.fromkeys("abc", NEAR)
SMALL = {"input_bit": 2.5e5}
LINK = {"topology": {"links": [{"ends": ["A", "B"]}]}, "vehicle": {"site": "B"}}


def keys(**changes):
    """The usual keys, with A and B joined, and changes."""
    return merged(merged(KEYS, LINK), changes)


QUICK = {"input_bit": 1e5, "output_bit": 1e5, "cycles": 1e8}
EASY = [(1.25, "a", QUICK), (2.25, "a", QUICK), (4.25, "a", QUICK)]
RICH = {"initial_bit": 50 * KEY}


@pytest.mark.parametrize(
    ("use", "keyed"),
    [
        ({"kind": "aes256_rekey", "lifetime_s": 2.0}, [0, 2]),
        ({"kind": "aes256_rekey", "lifetime_byte": 5e4}, [0, 2]),
        ({"kind": "aes256_rekey"}, [0]),
        ({"kind": "none"}, []),
    ],
)
def test_the_life_of_a_session_key(tmp_path, use, keyed):
    """Transfers go under one key until it has lasted lifetime_s or carried lifetime_byte; with `none` under no key.

    Each task carries 25 kB, both ways together.
    """
    story = tell(tmp_path, PLATOON, EASY, keys=keys(pool=RICH, use=use))
    assert story.of("up_keyed", "down_keyed") == [
        f"{EASY[task][0]} up_keyed {task} 256 bit over 1 hops" for task in keyed
    ]
    assert all("COMPLETED" in fact for fact in story.of("TaskEnded"))
    assert len(story.of("KeyBlockDistilled")) == 10


def test_the_way_back_needs_a_key_of_its_own(tmp_path):
    """A key that may carry the way there alone is followed by a second one for the way back, which is waited for."""
    use = {"kind": "aes256_rekey", "lifetime_byte": 1.25e4}
    story = tell(tmp_path, PLATOON, [(0.25, "a", QUICK)], keys=keys(pool={"initial_bit": KEY}, use=use))
    assert story.about(0) == [
        "0.25 up_asked 0",
        "0.25 up_keyed 0 256 bit over 1 hops",
        "0.25 uplink 0",
        "0.35 uplinked 0 A",
        "0.35 queued 0",
        "0.35 started 0",
        "0.45 executed 0",
        "0.45 down_asked 0",
        "1 down_keyed 0 256 bit over 1 hops",
        "1 downlink 0",
        "1.1 TaskEnded 0 COMPLETED through A",
    ]


def test_a_one_time_pad_takes_as_many_bits_as_are_sent(tmp_path):
    """With a one-time pad 300 bits up and 200 down cost as many; a message larger than the pool never goes."""
    tasks = [(1.25, "a", {"input_bit": 300, "output_bit": 200}), (3.25, "b", {"input_bit": 100 * KEY + 1})]
    story = tell(tmp_path, PLATOON, tasks, keys=keys(pool=RICH, use={"kind": "otp"}))
    assert story.of("up_keyed", "down_keyed", "TaskKeyed") == [
        "1.25 up_keyed 0 300 bit over 1 hops",
        "2.2503 down_keyed 0 200 bit over 1 hops",
        "2.2505 TaskKeyed 0 DRAWN",
        "3.25 TaskKeyed 1 REFUSED",
    ]
    assert story.of("TaskEnded")[1] == "3.25 TaskEnded 1 NO_KEY in KEY"


def test_neighbours_both_pay(tmp_path):
    """A task for a neighbour takes the key from both vehicles' pools; of one home it crosses no link."""
    story = tell(
        tmp_path,
        {"a": NEAR, "b": NEAR},
        [(0.25, "a")],
        Told("b"),
        keys=keys(vehicle={"capacity_bit": KEY}),
        radio={"sidelink": {"range_m": 50.0, "max_neighbours": 1}},
    )
    assert story.of("up_keyed") == ["0.25 up_keyed 0 256 bit over 0 hops"]
    with Trace.open(story.run) as trace:
        assert trace.sql("SELECT max(used_bit) AS bit FROM vehicle_keys_sampled").bit[0] == 2 * KEY


def test_the_cloud_is_behind_the_serving_site(tmp_path):
    """A task for the cloud has its key with the site that serves the vehicle, or without one with its home."""
    cloud = {"cores": 1, "core_hz": 1e9, "latency_s": 0.0, "bandwidth_bps": 1e9}
    paths = {"a": NEAR, "b": [FAR] * 2 + [NEAR_A] * 11}
    tasks = [(0.25, "a", SMALL), (0.5, "b", SMALL)]
    story = tell(tmp_path, paths, tasks, "cloud", keys=keys(pool=RICH), cloud=cloud)
    assert story.of("up_keyed") == ["0.25 up_keyed 0 256 bit over 1 hops", "0.5 up_keyed 1 256 bit over 0 hops"]


def test_moving_on_costs_another_key(tmp_path):
    """A session belongs to a vehicle and a site: in the next cell, for the next site's host, a new key is drawn."""
    paths = {"a": [NEAR_A] * 4 + [NEAR_B] * 9}
    story = tell(tmp_path, paths, [(1.25, "a", QUICK), (4.25, "a", QUICK)], Told(["A", "B"]), keys=keys(pool=RICH))
    assert story.of("up_keyed") == ["1.25 up_keyed 0 256 bit over 1 hops", "4.25 up_keyed 1 256 bit over 0 hops"]


def test_a_vehicle_makes_keys_over_free_space(tmp_path):
    """Over a beam without loss it makes 300 fresh bits a slot with its site, until it is full; no link gives any."""
    beam = {"rate_bps": 300.0, "divergence_rad": 1e-9, "attenuation_db_per_km": 0.0}
    filling = {"kind": "free_space", "capacity_bit": 512, "low_water_bit": 512, **beam}
    story = tell(tmp_path, {"a": NEAR}, [(0.25, "a", SMALL)], keys={**keys(), "vehicle": filling})
    assert story.of("VehicleKeysFilled", "up_keyed") == [
        "1 VehicleKeysFilled a at A 300 bit",
        "1 up_keyed 0 256 bit over 0 hops",
        "2 VehicleKeysFilled a at A 300 bit",
        "3 VehicleKeysFilled a at A 168 bit",
    ]


class Looks(Told):
    """Reads what vehicles have before it decides, or does not."""

    def __init__(self, looks):
        super().__init__("A")
        self._looks = looks

    def decide(self, observation):
        """As told."""
        if self._looks:
            assert observation.keys.vehicle_bit.tolist() == [512]
        return super().decide(observation)


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("sample_s", [1.0, 0.45])
def test_looking_changes_nothing(tmp_path, looks, sample_s):
    """Who asked first is filled first, b as it drew at 1.45 before a, whose key had come of age at 1.4, was noticed.

    Neither a policy that reads levels at that very instant nor a sample in between makes a ask earlier.
    """
    filling = {"kind": "site", "rate_bps": KEY, "capacity_bit": 512, "low_water_bit": 512, "initial_bit": 512}
    story = tell(
        tmp_path,
        {"a": NEAR, "b": [None, *NEAR]},
        [(1.45, "b", SMALL)],
        Looks(looks),
        keys={**keys(), "vehicle": {**filling, "expiry_s": 1.4}},
        trace={"sample_s": sample_s},
        duration_s=3.0,
    )
    assert story.of("VehicleKeysFilled")[2:4] == [
        "2 VehicleKeysFilled b at A 256 bit",
        "2 VehicleKeysFilled a at A 256 bit",
    ]


def test_a_helper_leaves_while_the_key_is_waited_for(tmp_path):
    """A task whose neighbour leaves before their key has come ends HELPER_LOST, and no key was used."""
    story = tell(
        tmp_path,
        {"a": NEAR, "b": [NEAR_A]},
        [(0.25, "a")],
        Told("b"),
        keys={**keys(), "vehicle": {"kind": "site", "rate_bps": 100.0}},
        radio={"sidelink": {"range_m": 50.0, "max_neighbours": 1}},
    )
    assert story.about(0) == ["0.25 up_asked 0", "1 TaskEnded 0 HELPER_LOST in KEY"]
    assert story.of("TaskKeyed") == ["1 TaskKeyed 0 REFUSED"]
