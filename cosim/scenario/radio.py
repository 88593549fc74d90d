"""The radio of a scenario: path loss, medium access, handover, and the bands and powers."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from cosim.scenario.preset_values import PRESETS, PresetName
from cosim.scenario.presets import mark_written, over_preset, spelled_out
from cosim.scenario.section import Decibel, Name, NonNegative, Positive, Section, Share, Whole


class PowerLaw(Section):
    """h = g0 / d^alpha (paper S1 eq 3), no shadowing, always in line of sight."""

    kind: Literal["power_law"]
    exponent: Positive = Field(2.0, description="S1 Table III.")
    gain_at_1m_db: Decibel = Field(-40.0, description="g0; S1 gives no value, -40 dB at 1 m is common.")


class _Shadowed(Section):
    frequency_ghz: Positive = Field(5.9, ge=0.5, le=100, description="ITS band.")
    shadowing: bool = Field(True, description="AR(1) in dB along the travelled distance.")
    los: Literal["drawn", "always", "never"] = Field(
        "drawn", description="Line of sight: drawn from its probability, or fixed."
    )


class Umi(_Shadowed):
    """3GPP TR 38.901 urban micro, street canyon."""

    kind: Literal["umi"] = "umi"
    site_height_m: Positive = Field(10.0, gt=1, description="TR 38.901 Table 7.2-1.")
    vehicle_height_m: Positive = Field(1.5, gt=1, description="Of the antenna; TR 38.901 Table 7.2-1.")


class V2vUrban(_Shadowed):
    """3GPP TR 37.885 urban."""

    kind: Literal["v2v_urban"]


class V2vHighway(_Shadowed):
    """3GPP TR 37.885 highway."""

    kind: Literal["v2v_highway"]


class PluginPathLoss(Section):
    """A path loss from the entry-point group cosim.path_loss."""

    kind: Literal["plugin"]
    name: Name = Field(description="Of the entry point.")
    options: dict[str, Any] = Field(default_factory=dict, description="Handed to the path loss as they stand.")


PathLoss: TypeAlias = Annotated[PowerLaw | Umi | V2vUrban | V2vHighway | PluginPathLoss, Field(discriminator="kind")]


class Ofdma(Section):
    """OFDMA: the transfers of a cell share its band, equally or in proportion to the policy's shares."""

    kind: Literal["ofdma"] = "ofdma"


class Fixed(Section):
    """Fixed slices: each transfer has its own slice of the band, whatever other transfers do."""

    kind: Literal["fixed"]
    slice_share: Share = Field(0.1, description="Slice of the cell's band for each transfer.")


class Noma(Section):
    """NOMA: all uplink transfers of a cell use the whole band at once (paper S3 eq 13)."""

    kind: Literal["noma"]
    sic: bool = Field(
        True,
        description="Successive interference cancellation: stronger received users are decoded and removed first.",
    )


Access: TypeAlias = Annotated[Ofdma | Fixed | Noma, Field(discriminator="kind")]


class ShannonLink(Section):
    """Shannon's rate, B log2(1 + SINR), up to `radio.max_efficiency_bps_hz` (the papers)."""

    kind: Literal["shannon"] = "shannon"


class AttenuatedLink(Section):
    """A share of Shannon's rate between a lowest and a highest SINR (3GPP TR 36.942 Annex A.2).

    Between vehicles the uplink's share and cap hold, because there as well a user's transmitter sends.
    """

    kind: Literal["attenuated"]
    uplink_alpha: Share = Field(0.4, description="Share of Shannon's rate, uplink and sidelink; TR 36.942 Table A.2.")
    downlink_alpha: Share = Field(0.6, description="Share of Shannon's rate, downlink; TR 36.942 Table A.2.")
    uplink_max_bps_hz: Positive = Field(2.0, description="Cap, uplink and sidelink; TR 36.942 Table A.2.")
    downlink_max_bps_hz: Positive = Field(4.4, description="Cap, downlink; TR 36.942 Table A.2.")
    min_sinr_db: Decibel = Field(-10.0, description="Coverage ends there; TR 36.942 Table A.2.")


class McsLink(Section):
    """Modulation and coding in steps, after the tables of 3GPP, less what carries no user data.

    Noise is over the occupied band. Between vehicles the uplink's tables hold (TS 36.213 clause 14.1.1).
    """

    kind: Literal["mcs"]
    standard: Literal["lte", "nr"] = Field(
        "lte", description="CQI, MCS and transport blocks of LTE (TS 36.213), or of NR with 256QAM (TS 38.214)."
    )
    subcarrier_khz: Literal[15, 30, 60] | None = Field(
        None, description="Subcarrier spacing of NR below 7 GHz; null: 30. LTE has 15."
    )
    bit_error_rate: Positive = Field(
        5e-5, le=0.01, description="For which SINRs a CQI is chosen: Gamma = -ln(5 BER) / 1.5 above Shannon's bound."
    )
    packet_byte: Whole = Field(
        1250, ge=1, le=65507, description="Payload of a packet, over which its headers are spread; at most UDP's."
    )

    @model_validator(mode="after")
    def _spacing(self) -> "McsLink":
        if self.standard == "lte" and self.subcarrier_khz not in (None, 15):
            raise ValueError(f"subcarrier_khz={self.subcarrier_khz}: LTE has 15; leave it out or use standard: nr")
        return self


Link: TypeAlias = Annotated[ShannonLink | AttenuatedLink | McsLink, Field(discriminator="kind")]


class Grant(Section):
    """Time between "has data" and the first bit of a transfer, for each medium."""

    uplink: NonNegative = Field(0.0, description="Uplink, s.")
    downlink: NonNegative = Field(0.0, description="Downlink, s.")
    sidelink: NonNegative = Field(0.0, description="Sidelink, s.")


class Handover(Section):
    """When and how a vehicle changes its cell."""

    hysteresis_db: Decibel = Field(
        3.0, ge=0, description="A neighbour must be this much stronger (3GPP A3 offsets are 1 to 4 dB)."
    )
    interruption_s: NonNegative = Field(
        0.05, description="No transfer of the vehicle moves for this long (LTE and NR: 30 to 60 ms)."
    )
    transfer: Literal["continue", "restart"] = Field(
        "continue", description="A transfer goes on over the new cell or starts again."
    )


class Sidelink(Section):
    """Vehicle-to-vehicle radio; neighbours in range may execute a task."""

    range_m: Positive = Field(150.0, description="Vehicles further apart are no neighbours.")
    bandwidth_hz: Positive = Field(10e6, description="Band of the sidelink, beside those of the cells.")
    max_neighbours: Whole = Field(1, ge=1, le=8, description="Neighbours offered as targets to the policy.")
    path_loss: PathLoss = Field(
        default_factory=lambda: V2vUrban(kind="v2v_urban"), description="Between vehicles; TR 37.885 urban by default."
    )


class Radio(Section):
    """The air between vehicles and sites; uplink and downlink have bands of their own in each cell.

    A preset is a way to write other fields: two radios are equal if those are.

    >>> Radio(preset="lte_10mhz", noise_figure_db=7).bandwidth_hz
    10000000.0
    """

    SPELLING: ClassVar[tuple[str, ...]] = ("preset",)

    preset: PresetName | None = Field(
        None,
        description="Named values below those that are written (`cosim scenario presets`); the defaults without one.",
    )
    bandwidth_hz: Positive = Field(20e6, description="Uplink band of each cell.")
    downlink_bandwidth_hz: Positive | None = Field(None, description="Downlink band; as the uplink by default.")
    vehicle_power_w: Positive = Field(0.2, description="23 dBm, the NR user power class 3.")
    max_vehicle_power_w: Positive | None = Field(
        None, description="Bound of the power knob; vehicle_power_w by default."
    )
    power: Literal["per_radio", "per_transfer"] = Field(
        "per_radio",
        description="What a chosen power is of: the vehicle's radio, whose transfers in the air share the larger of "
        "vehicle_power_w and the largest chosen one; or each transfer (S1 eq 15), however many are in the air.",
    )
    site_power_w: Positive = Field(1.0, description="30 dBm.")
    antenna_gain_db: Decibel = Field(3.0, description="Sum over both ends.")
    noise_figure_db: Decibel = Field(9.0, ge=0, description="Of the receiver; adds to the thermal noise.")
    vehicle_noise_figure_db: Decibel | None = Field(
        None, ge=0, description="Of a vehicle's receiver, downlink and sidelink; null: noise_figure_db."
    )
    noise_dbm: Decibel | None = Field(
        None, description="Total noise power; from -174 dBm/Hz, band and noise figure by default."
    )
    path_loss: PathLoss = Field(
        default_factory=Umi, description="Between vehicles and sites; TR 38.901 urban micro by default."
    )
    access: Access = Field(
        default_factory=Ofdma, description="How a cell's transfers share its band; OFDMA by default."
    )
    link: Link = Field(
        default_factory=ShannonLink, description="What rate a signal-to-noise ratio gives; Shannon's by default."
    )
    grant_s: Grant = Field(
        default_factory=Grant, description="Wait of each transfer before its first bit, and again after a handover."
    )
    association: Literal["strongest", "target"] = Field(
        "strongest", description="Uplink to the serving cell, or straight to the target's site (S1, S3)."
    )
    interference: bool = Field(
        False,
        description="Co-channel interference: what others really sent over the past tick outside a flow's own cell.",
    )
    max_efficiency_bps_hz: Positive | None = Field(
        7.4063,
        description="Cap of link kind shannon: 256-QAM at rate 948/1024 (TS 38.214 Table 5.1.3.1-2); null: none.",
    )
    min_snr_db: Decibel = Field(
        -6.7, description="Below it there is no coverage; -6.7 dB is the lowest CQI's usual SNR."
    )
    outage_s: NonNegative = Field(
        1.0, description="A transfer, or a result on its way back, without coverage for longer fails."
    )
    candidates: Whole = Field(4, ge=1, le=16, description="Each vehicle looks at this many nearest sites.")
    handover: Handover = Field(default_factory=Handover)
    sidelink: Sidelink | None = Field(
        None, description="Radio between vehicles; null: none, and no neighbours as targets."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _over_preset(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Lay what is written over the preset's values."""
        name = data.get("preset") if isinstance(data, Mapping) else None
        if not isinstance(name, str) or name not in PRESETS:
            return handler(data)
        written = spelled_out(data)
        radio = handler(over_preset(written))
        mark_written(radio, written)
        return radio

    def __eq__(self, other: object) -> bool:
        """Compare all but the name of a preset."""
        return isinstance(other, Radio) and super(Radio, self._unnamed()).__eq__(other._unnamed())

    def __hash__(self) -> int:
        """Return the hash of all but the name of a preset."""
        return hash(tuple(value for name, value in self if name not in self.SPELLING))

    def _unnamed(self) -> "Radio":
        return self.model_copy(update={"preset": None}) if self.preset is not None else self

    @model_validator(mode="after")
    def _power(self) -> "Radio":
        if self.max_vehicle_power_w is not None and self.max_vehicle_power_w < self.vehicle_power_w:
            raise ValueError(
                f"max_vehicle_power_w={self.max_vehicle_power_w:g} is below vehicle_power_w={self.vehicle_power_w:g}; raise it"
            )
        return self
