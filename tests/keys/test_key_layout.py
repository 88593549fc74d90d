"""Nodes and links of the key network."""

import pytest

from cosim.errors import InputError
from cosim.keys.attacks import plan_attacks
from cosim.keys.layout import key_layout
from cosim.roads.siting import PlacedSite
from cosim.scenario.keys import Eavesdropper, FibreCut, KeyTopology

SQUARE = [PlacedSite("a", 0, 0), PlacedSite("c", 1000, 1000), PlacedSite("b", 1000, 0), PlacedSite("d", 0, 1000)]


def pairs(topology: KeyTopology, sites=SQUARE) -> list[tuple[int, int]]:
    return [(fibre.start, fibre.end) for fibre in key_layout(topology, sites).links]


def test_a_ring_goes_around_the_middle():
    """Four corners listed crosswise become a ring of the four sides, each a kilometre times the detour."""
    layout = key_layout(KeyTopology(), SQUARE)
    assert [(f.start, f.end, f.length_km) for f in layout.links] == [
        (s, e, 1.3) for s, e in [(0, 2), (0, 3), (1, 2), (1, 3)]
    ]


def test_a_star_hangs_on_the_most_central_node():
    """Of three sites on a line the middle one is the hub."""
    line = [PlacedSite("a", 0, 0), PlacedSite("b", 900, 0), PlacedSite("m", 500, 0)]
    assert pairs(KeyTopology(shape="star"), line) == [(0, 2), (1, 2)]


def test_a_mesh_joins_clusters_by_the_shortest_gap():
    """Two pairs far apart are joined within and by one link between their near ends."""
    line = [PlacedSite("a", 0, 0), PlacedSite("b", 10, 0), PlacedSite("c", 500, 0), PlacedSite("d", 510, 0)]
    assert pairs(KeyTopology(shape="mesh", neighbours=1), line) == [(0, 1), (1, 2), (2, 3)]


def test_sites_hang_on_the_nearest_of_the_nodes():
    """With two nodes of their own the shape joins those, and each site has a link to the nearer one."""
    topology = KeyTopology(nodes=[{"name": "w", "x_m": -5, "y_m": 0}, {"name": "e", "x_m": 1005, "y_m": 0}])
    assert pairs(topology) == [(0, 4), (1, 5), (2, 5), (3, 4), (4, 5)]


def test_one_site_has_no_links_and_two_have_one():
    """A ring of one node has no link, a ring of two has one."""
    assert pairs(KeyTopology(), SQUARE[:1]) == []
    assert pairs(KeyTopology(), SQUARE[:2]) == [(0, 1)]


def test_listed_links_replace_the_shape():
    """Links by name override the shape; a given length stands, and no fibre is shorter than a metre."""
    topology = KeyTopology(
        links=[{"ends": ("a", "b"), "length_km": 12.0}, {"ends": ("b", "c"), "length_km": 0}, {"ends": ("d", "a")}]
    )
    layout = key_layout(topology, SQUARE)
    assert [(f.start, f.end, f.length_km) for f in layout.links] == [(0, 2, 12.0), (1, 2, 0.001), (0, 3, 1.3)]


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        ({"links": [{"ends": ("a", "x")}]}, "no node or site is named x"),
        ({"links": [{"ends": ("a", "b")}, {"ends": ("b", "a")}]}, "joined already"),
        ({"links": [{"ends": ("a", "b")}, {"ends": ("c", "d")}]}, "no links lead from a to c"),
        ({"nodes": [{"name": "b", "x_m": 0, "y_m": 0}]}, "two nodes are named b"),
    ],
)
def test_a_broken_topology_is_refused_in_one_line(topology, said):
    """The message names keys.topology, the value and the remedy."""
    with pytest.raises(InputError, match=r"^keys\.topology") as raised:
        key_layout(KeyTopology(**topology), SQUARE)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_attack_on_no_link_is_refused():
    """A diagonal of the ring is no link; the message says which are."""
    cut = FibreCut(kind="cut", ends=("a", "c"), start_s=0, end_s=1)
    with pytest.raises(InputError, match=r"^keys\.attacks\[0\]\.ends: no link joins a and c; the links are a-b"):
        plan_attacks([cut], key_layout(KeyTopology(), SQUARE))


def test_a_slot_is_intercepted_by_the_part_that_the_attack_covers():
    """Half of the pulses for half of a slot are a quarter; a second eavesdropper takes its share of what passes."""
    first = Eavesdropper(kind="eavesdropper", ends=("b", "a"), start_s=1.5, end_s=9, share=0.5)
    second = Eavesdropper(kind="eavesdropper", ends=("a", "b"), start_s=3, end_s=4, share=0.5)
    attacks = plan_attacks([first, second], key_layout(KeyTopology(), SQUARE))
    assert attacks.intercepted(4, 0.0, 1.0).tolist() == [0, 0, 0, 0]
    assert attacks.intercepted(4, 1.0, 2.0).tolist() == [0.25, 0, 0, 0]
    assert attacks.intercepted(4, 3.0, 4.0).tolist() == [0.75, 0, 0, 0]
