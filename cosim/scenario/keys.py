"""The key network of a scenario (paper S3): QKD links between trusted nodes, vehicles' key pools, and key use."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from cosim.scenario.key_rates import DecoyBb84Rate, KeyEnvironment, KeyRateModel
from cosim.scenario.section import Name, NonNegative, Positive, Real, Section, Whole

MOST_BIT = 2**53
"""Largest count of bits that a float can hold exactly."""


class KeyNode(Section):
    """A trusted node apart from the sites; every site has a node anyway."""

    name: Name = Field(description="Of the node; different from those of sites.")
    x_m: Real = Field(description="Position in the map's own coordinates.")
    y_m: Real = Field(description="Position in the map's own coordinates.")


class KeyLink(Section):
    """A QKD link between two nodes or sites, by name."""

    ends: tuple[Name, Name] = Field(description="Names of two nodes or sites.")
    length_km: NonNegative | None = Field(
        None, description="Of the fibre; by default the straight distance times detour."
    )

    @model_validator(mode="after")
    def _two(self) -> "KeyLink":
        if self.ends[0] == self.ends[1]:
            raise ValueError(f"both ends are {self.ends[0]}; name two nodes")
        return self


class KeyTopology(Section):
    """The topology of the key network: which nodes are joined by QKD links over fibre.

    Without `nodes` the shape joins the sites. With nodes it joins those, and each site has a link to its nearest node.
    """

    nodes: tuple[KeyNode, ...] = Field(
        (), description="Trusted nodes beside the sites; none: the shape joins the sites."
    )
    shape: Literal["ring", "mesh", "star"] = Field(
        "ring",
        description="star: all hang on the most central one; mesh: links to near neighbours, clusters joined by their shortest gaps.",
    )
    neighbours: Whole = Field(2, ge=1, description="mesh: links to this many nearest.")
    links: tuple[KeyLink, ...] | None = Field(
        None, description="Instead of the shape and of the sites' own links: these and no others."
    )
    detour: Real = Field(
        1.3, ge=1, le=100, description="Length of a fibre over the straight distance; streets make it longer."
    )

    @model_validator(mode="after")
    def _unique(self) -> "KeyTopology":
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise ValueError(f"node names must differ, got {names}")
        return self


class LinkPool(Section):
    """The store of key bits that the two ends of a QKD link share."""

    capacity_bit: Whole = Field(10_000_000, ge=1, le=MOST_BIT, description="More is lost.")
    low_water_bit: Whole = Field(
        0, ge=0, le=MOST_BIT, description="Vehicles are not filled from what is below it: it is kept for transfers."
    )
    initial_bit: Whole = Field(0, ge=0, le=MOST_BIT, description="At the start; counts as generated.")
    expiry_s: Positive | None = Field(None, description="Age at which key is thrown away; null: never.")

    @model_validator(mode="after")
    def _fits(self) -> "LinkPool":
        for field in ("low_water_bit", "initial_bit"):
            if getattr(self, field) > self.capacity_bit:
                raise ValueError(
                    f"{field}={getattr(self, field)} exceeds capacity_bit={self.capacity_bit}; raise capacity_bit"
                )
        return self


class _VehiclePool(Section):
    capacity_bit: Whole = Field(65_536, ge=1, le=MOST_BIT, description="256 AES keys.")
    expiry_s: Positive | None = Field(
        None, description="Age of a filling at which what is left of it is thrown away; null: never."
    )


class SiteFilling(_VehiclePool):
    """Vehicles get key from the site that serves them, out of the pools of that site's links."""

    kind: Literal["site"] = "site"
    rate_bps: Positive = Field(
        10e3, description="To each vehicle; published mobile QKD 1.6 to 20 kbit/s (arXiv 2505.17587)."
    )
    low_water_bit: Whole = Field(
        16_384, ge=0, le=MOST_BIT, description="Below it a vehicle asks for more, until it is full."
    )
    initial_bit: Whole = Field(0, ge=0, le=MOST_BIT, description="Loaded at the nearest site as the vehicle enters.")


class FreeSpaceFilling(_VehiclePool):
    """Vehicles make fresh key with the serving site over a free-space link, slower with distance."""

    kind: Literal["free_space"]
    rate_bps: Positive = Field(
        20e3, description="Secret rate at zero distance; published mobile QKD 1.6 to 20 kbit/s (arXiv 2505.17587)."
    )
    transmitter_radius_m: Positive = Field(0.02, description="Not published for roads; a small telescope.")
    receiver_radius_m: Positive = Field(0.05, description="Likewise.")
    divergence_rad: Positive = Field(1e-4, description="Half angle; likewise.")
    attenuation_db_per_km: NonNegative = Field(0.5, description="Clear air.")
    low_water_bit: Whole = Field(
        16_384, ge=0, le=MOST_BIT, description="Below it a vehicle asks for more, until it is full."
    )


class DockFilling(_VehiclePool):
    """Vehicles load their whole pool at a dock before they enter, and get no more."""

    kind: Literal["dock"]
    site: Name | None = Field(
        None, description="Whose node shares the key; by default the site nearest to where the vehicle enters."
    )


VehicleFilling: TypeAlias = Annotated[SiteFilling | FreeSpaceFilling | DockFilling, Field(discriminator="kind")]


class RekeyUse(Section):
    """AES-256 between a vehicle and the host's site; a fresh key when the old one has carried or lasted enough."""

    kind: Literal["aes256_rekey"] = "aes256_rekey"
    lifetime_byte: Positive = Field(2.0**26, description="64 MiB under one key.")
    lifetime_s: Positive = Field(60.0, description="Vendors of QKD encryptors rekey about each minute.")


class OneTimePadUse(Section):
    """One-time pad: as many key bits as data bits."""

    kind: Literal["otp"]


class NoUse(Section):
    """Transfers take no keys (RANQKD of S3); the links work all the same."""

    kind: Literal["none"]


KeyUse: TypeAlias = Annotated[RekeyUse | OneTimePadUse | NoUse, Field(discriminator="kind")]


class KeyShortage(Section):
    """What a transfer does whose key is not available."""

    order: Literal["fifo", "priority"] = Field("fifo", description="Who is served first of those that wait.")
    patience_s: NonNegative | None = Field(None, description="How long it waits; null: until the task's deadline.")
    then: Literal["fail", "downgrade"] = Field(
        "fail", description="The task ends NO_KEY, or the transfer goes on under a key agreed without QKD."
    )


class Eavesdropper(Section):
    """An eavesdropper measures and resends a share of the pulses of a link: the error rate rises."""

    kind: Literal["eavesdropper"]
    ends: tuple[Name, Name] = Field(description="The link, by its two ends.")
    start_s: NonNegative = Field(description="From then on.")
    end_s: Positive = Field(description="Until then.")
    share: Real = Field(1.0, gt=0, le=1, description="Of the pulses; all of them give 25 % errors on a clean link.")


class FibreCut(Section):
    """A link is cut for a time; the block in the making is lost, what both ends have stored stays good."""

    kind: Literal["cut"]
    ends: tuple[Name, Name] = Field(description="The link, by its two ends.")
    start_s: NonNegative = Field(description="From then on.")
    end_s: Positive = Field(description="Until then.")


KeyAttack: TypeAlias = Annotated[Eavesdropper | FibreCut, Field(discriminator="kind")]


class Keys(Section):
    """Quantum key distribution: links fill pools, transfers draw on them and wait for them."""

    rate: KeyRateModel = Field(
        default_factory=lambda: DecoyBb84Rate(kind="decoy_bb84"),
        description="What a link makes in a slot; BB84 with decoy states by default.",
    )
    environment: KeyEnvironment = Field(default_factory=KeyEnvironment)
    topology: KeyTopology = Field(default_factory=KeyTopology)
    pool: LinkPool = Field(default_factory=LinkPool)
    vehicle: VehicleFilling = Field(
        default_factory=SiteFilling,
        description="How vehicles come to key material; filled by the serving site by default.",
    )
    use: KeyUse = Field(
        default_factory=RekeyUse, description="What transfers take keys for; AES-256 with fresh keys by default."
    )
    shortage: KeyShortage = Field(default_factory=KeyShortage)
    slot_s: Positive = Field(1.0, ge=1e-3, description="Rates are drawn, and vehicles filled, once in a slot.")
    block_slots: Whole = Field(
        1, ge=1, description="Slots of a block: its key is distilled, checked and released at its end."
    )
    abort_qber: Real = Field(
        0.11,
        gt=0,
        le=0.5,
        description="A block with more errors is thrown away and the link pauses; 11 % is the bound of one-way BB84.",
    )
    abort_pause_s: NonNegative = Field(10.0, description="Until an aborted link tries again.")
    attacks: tuple[KeyAttack, ...] = Field((), description="Eavesdroppers and fibre cuts, each with its time.")

    @model_validator(mode="after")
    def _ordered(self) -> "Keys":
        for attack in self.attacks:
            if attack.end_s <= attack.start_s:
                raise ValueError(
                    f"an attack ends at {attack.end_s:g} s, before it starts at {attack.start_s:g} s; swap them"
                )
        return self
