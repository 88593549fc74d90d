"""Keys and ledgers that cannot be: status 2, one line that names the field, the value and what to do, no folder."""

import pytest
from commands import refused

pytestmark = pytest.mark.usefixtures("home")
SITES = (
    "sites.sites=[{name: a, x_m: 100, y_m: 10}, {name: b, x_m: 300, y_m: 10}, {name: c, x_m: 200, y_m: 10, cores: 0}]"
)


def line(capfd: pytest.CaptureFixture[str], *overrides: str) -> str:
    """What is said of a tiny scenario with three sites, the last without cores."""
    changes = [word for change in (SITES, *overrides) for word in ("--set", change)]
    return refused(capfd, "tiny.yaml", *changes)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "{topology: {links: [{ends: [a, z]}]}}",
            "keys.topology.links[0].ends: no node or site is named z; there are a",
        ),
        ("{topology: {links: [{ends: [a, a]}]}}", "both ends are a; name two nodes"),
        ("{topology: {links: [{ends: [a, b]}]}}", "keys.topology.links: no links lead from a to c; add one"),
        (
            "{topology: {links: [{ends: [a, b]}, {ends: [b, a]}, {ends: [b, c]}]}}",
            "keys.topology.links[1].ends: b and a are joined already; drop one of the two links",
        ),
        (
            "{topology: {nodes: [{name: b, x_m: 0, y_m: 0}]}}",
            "keys.topology.nodes: two nodes are named b, sites counted; rename one",
        ),
        (
            "{topology: {shape: star}, attacks: [{kind: cut, ends: [a, b], start_s: 1, end_s: 2}]}",
            "keys.attacks[0].ends: no link joins a and b; the links are ",
        ),
        (
            "{attacks: [{kind: eavesdropper, ends: [a, z], start_s: 1, end_s: 2}]}",
            "keys.attacks[0].ends: no node or site is named z",
        ),
        ("{attacks: [{kind: cut, ends: [a, b], start_s: 2, end_s: 1}]}", "ends at 1 s, before it starts at 2 s; swap"),
        ("{vehicle: {kind: dock, site: z}}", "keys.vehicle.site: no site is named z; the sites are a, b, c"),
        ("{pool: {capacity_bit: 10, initial_bit: 11}}", "initial_bit=11 exceeds capacity_bit=10; raise capacity_bit"),
        ("{use: {kind: aes}}", "keys.use.kind = aes: is unknown; known: aes256_rekey, none, otp"),
        ("{rate: {kind: finite_key, decoy_mu: 0.44}}", "are too close; keep decoy_mu"),
    ],
)
def test_impossible_keys(capfd: pytest.CaptureFixture[str], override: str, told: str) -> None:
    """Names that are nowhere, links and pools that cannot be."""
    assert told in line(capfd, f"keys={override}")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("{validators: [a, z]}", "ledger.validators: no site is called z; sites are a, b, c"),
        (
            "{validators: [a, c]}",
            "ledger.validators: site c has no cores to do the ledger's work; give it some or leave",
        ),
        ("{validators: [a, a]}", "validators must be different sites"),
        ("{validators: []}", "validators must be different sites, at least one"),
        ("{faults: [{kind: silent, validator: z}]}", "ledger.faults: no site is called z"),
        (
            "{validators: [a], faults: [{kind: silent, validator: b}]}",
            "ledger.faults: b is no validator; name one of them",
        ),
        (
            "{faults: [{kind: silent, validator: a, start_s: 3, end_s: 2}]}",
            "ends at 2 s, before it starts at 3 s; swap",
        ),
        ("{faults: [{kind: lazy, validator: a}]}", "ledger.faults.0.kind"),
        ("{partitions: [{start_s: 1, end_s: 2, side: [z]}]}", "ledger.partitions: no site is called z"),
        ("{membership: [{height: 2, validator: z, action: join}]}", "ledger.membership: no site is called z"),
        ("{membership: [{height: 2, validator: c, action: join}]}", "ledger.membership: site c has no cores"),
        ("{membership: [{height: 1, validator: a, action: leave}]}", "ledger.membership.0.height"),
        ("{signature: rsa}", "ledger.signature"),
        ("{loss: 1.5}", "ledger.loss"),
        ("{loss: 0.1, loss_start_s: 5, loss_end_s: 2}", "loss_end_s=2 is not after loss_start_s=5; swap them"),
    ],
)
def test_an_impossible_ledger(capfd: pytest.CaptureFixture[str], override: str, told: str) -> None:
    """Validators that are no sites, or sites that cannot work; faults of nobody."""
    assert told in line(capfd, f"ledger={override}")


def test_a_ledger_that_nobody_can_keep(capfd: pytest.CaptureFixture[str]) -> None:
    """Where no site has a host nobody can vote."""
    told = "ledger: no site has a host that could vote; raise compute.edge.cores"
    sites = "sites.sites=[{name: a, x_m: 100, y_m: 10, cores: 0}]"
    assert told in line(capfd, sites, "ledger={}")
