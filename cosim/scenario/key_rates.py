"""The description of key links: their optics, their environment, and one rate model by `kind`.

Sources of the defaults: S3 is the QIB-VEC paper (Table II); GYS the 122 km experiment of Gobby, Yuan and Shields with
the parameters that Lo, Ma and Chen (2005) use; MFL is Ma, Fung and Lo (2007) with those of the 144 km free-space
experiment; Lim is Lim et al., Phys. Rev. A 89, 022307 (2014).
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from cosim.scenario.section import NonNegative, Positive, Real, Section

Efficiency: TypeAlias = Annotated[Real, Field(ge=0, le=1)]
Sifting: TypeAlias = Annotated[Real, Field(ge=1e-6, le=1)]
ErrorShare: TypeAlias = Annotated[Real, Field(ge=0, le=0.45)]
Attenuation: TypeAlias = Annotated[Real, Field(ge=0, le=100)]
Angle: TypeAlias = Annotated[Real, Field(ge=-10, le=10)]
Dark: TypeAlias = Annotated[Real, Field(ge=1e-12, le=0.01)]
Pulses: TypeAlias = Annotated[Real, Field(ge=1, le=1e12)]
Inefficiency: TypeAlias = Annotated[Real, Field(ge=1, le=3)]
Failing: TypeAlias = Annotated[Real, Field(ge=1e-20, le=1e-5)]


class FreeSpace(Section):
    """A beam through air between two telescopes; the defaults are illustrative optics, not of one experiment."""

    transmitter_aperture_m: Positive = Field(0.02, le=10, description="Diameter of the beam where it leaves.")
    receiver_aperture_m: Positive = Field(0.05, le=10, description="Diameter of the receiving telescope.")
    half_angle_rad: NonNegative = Field(
        1e-4, le=1, description="Half angle of the beam's divergence, pointing included."
    )
    atmosphere_db_per_km: Attenuation = Field(0.5, description="Clear air at 1550 nm is below 1, haze a few, fog tens.")


class _Channel(Section):
    free_space: FreeSpace | None = Field(None, description="Null: a fibre; else the link's length is one through air.")


class KeyEnvironment(Section):
    """What changes from slot to slot at a link: temperature and extra noise (S3 eq 3, 7, 8); S3 prints no values."""

    mean_temperature_k: Positive = Field(
        298.0, ge=200, le=400, description="F of eq 3 on average; 293.15 to 298 K is room temperature."
    )
    temperature_deviation_k: NonNegative = Field(
        1.0, le=20, description="Standard deviation of F over slots; our choice."
    )
    noise_amplitude_per_s: NonNegative = Field(0.2, description="A of eq 7, at the slot's beginning; our choice.")
    noise_decay_per_s: NonNegative = Field(0.5, description="beta of eq 7; our choice.")
    noise_oscillation_per_s: NonNegative = Field(
        0.05, description="B of eq 7; our choice, below A so that noise stays positive."
    )
    noise_frequency_rad_per_s: NonNegative = Field(
        0.6283185307179586, description="mu_q of eq 7: one turn in 10 s; our choice."
    )


class QibVecRate(_Channel):
    """S3 eq 1-12, read so that efficiencies stay in [0, 1] and QBER in [0, 1/2]."""

    kind: Literal["qib_vec"]
    fibre_db_per_km: Attenuation = Field(0.2, description="alpha of eq 5; usual at 1550 nm.")
    detector_efficiency: Efficiency = Field(0.9, description="eta_int of eq 3; S3 Table II: 0.8, 0.9, 1.0.")
    sifting: Sifting = Field(0.5, description="q: share of clicks in the same basis, two bases at random.")
    pair_rate_per_s: Positive = Field(50.0, le=1e12, description="v_s of eq 1; S3 Table II: 10, 20, 50 pairs/s.")
    preparation_rad: Angle = Field(1.5707963267948966, description="theta_k of eq 1; pi/2 gives the whole rate.")
    source_loss_per_km: NonNegative = Field(
        0.0, le=100, description="sigma of eq 1; 0, for the loss of the fibre stands in eq 5."
    )
    interference_rad: Angle = Field(
        0.2, description="theta_I of eq 2; with rho 0.02 visibility 0.961, in Table II's 0.8 to 1."
    )
    phase_noise: NonNegative = Field(
        0.02, le=100, description="rho of eq 2, not negative, so that visibility is at most 1."
    )
    temperature_coefficient_per_k: NonNegative = Field(0.004, le=1, description="mu_tem of eq 3; our choice.")
    reference_temperature_k: Positive = Field(293.0, ge=200, le=400, description="F_0 of eq 3.")
    other_efficiency: Efficiency = Field(0.5, description="eta_ot of eq 4: all but the detector; our choice.")
    baseline_noise_per_s: NonNegative = Field(
        0.1, description="N_0 of eq 8, at noise_reference_efficiency; our choice."
    )
    noise_doubling: Annotated[Real, Field(ge=0.01, le=10)] | None = Field(
        0.1,
        description="Rise of detector efficiency that doubles N_0 (our trade-off: without it the best efficiency is always 1); null: N_0 is constant.",
    )
    noise_reference_efficiency: Efficiency = Field(0.8, description="Detector efficiency at which N_0 is the baseline.")
    noise_floor_per_s: Positive = Field(1e-9, description="Least N of eq 8.")
    error_floor: ErrorShare = Field(0.005, description="epsilon_err of eq 9; our choice.")
    fluctuation: NonNegative = Field(20.0, description="mu_1 of eq 11.")
    block_bit: Positive = Field(1e5, ge=1, le=1e15, description="n_sec of eq 11: length of the sifted block.")
    entropy_weight: Real = Field(
        2.16, ge=1, le=10, description="mu_2 of eq 11: 1 for privacy amplification and 1.16 for error correction (Lim)."
    )
    security: NonNegative = Field(1e-10, le=0.1, description="epsilon_sec of eq 11.")
    minus_qber: bool = Field(True, description="Eq 12 as printed also subtracts QBER; false: only the margin of eq 11.")


class DecoyBb84Rate(_Channel):
    """BB84 with decoy states and endless keys (Lo, Ma, Chen 2005; Ma, Qi, Zhao, Lo 2005)."""

    kind: Literal["decoy_bb84"]
    fibre_db_per_km: Attenuation = Field(0.21, description="alpha, GYS.")
    detector_efficiency: Efficiency = Field(0.045, description="eta_Bob, GYS: the receiver's optics and its detectors.")
    sifting: Sifting = Field(0.5, description="q: share of pulses with equal bases.")
    pulse_hz: Pulses = Field(1e9, description="Common in today's systems; GYS itself was slower.")
    signal_mu: Positive = Field(
        0.48, ge=1e-3, le=2, description="Mean photons of a signal pulse; 0.48 is best for GYS."
    )
    weak_mu: Annotated[Real, Field(ge=1e-4, le=2)] | None = Field(
        None,
        description="Mean photons of the weak decoy beside a vacuum; null: infinitely many decoys, yields exactly known.",
    )
    dark_count: Dark = Field(1.7e-6, description="Y_0, clicks per empty pulse, GYS.")
    misalignment: ErrorShare = Field(0.033, description="e_detector, GYS.")
    correction_inefficiency: Inefficiency = Field(1.22, description="f of error correction, GYS.")

    @model_validator(mode="after")
    def _weaker(self) -> "DecoyBb84Rate":
        if self.weak_mu is not None and self.weak_mu > 0.9 * self.signal_mu:
            raise ValueError(
                f"weak_mu={self.weak_mu:g} is not well below signal_mu={self.signal_mu:g}; take at most 0.9 of it"
            )
        return self


class Bbm92Rate(_Channel):
    """Entangled pairs from a source in the middle of the link (MFL)."""

    kind: Literal["bbm92"]
    fibre_db_per_km: Attenuation = Field(0.2, description="alpha over both arms; usual at 1550 nm.")
    detector_efficiency: Efficiency = Field(0.145, description="eta of each side without its arm, MFL.")
    sifting: Sifting = Field(0.5, description="q: share of pulses with equal bases.")
    pulse_hz: Pulses = Field(1e8, description="Pump pulses; our choice.")
    mean_pairs: Positive = Field(0.1, ge=1e-4, le=2, description="2 lambda: mean pairs of a pump pulse.")
    dark_count: Dark = Field(6.02e-6, description="Y_0 of each side, MFL.")
    misalignment: ErrorShare = Field(0.015, description="e_d, MFL.")
    correction_inefficiency: Inefficiency = Field(1.22, description="f of error correction, MFL.")


class FiniteKeyRate(_Channel):
    """Decoy BB84 with three intensities, biased bases and blocks of finite length (Lim); q is basis_x_share squared."""

    kind: Literal["finite_key"]
    fibre_db_per_km: Attenuation = Field(0.2, description="alpha, Lim.")
    detector_efficiency: Efficiency = Field(0.1, description="eta_Bob, Lim.")
    pulse_hz: Pulses = Field(1e9, description="Common in today's systems.")
    basis_x_share: Real = Field(
        0.8,
        ge=0.5,
        le=0.99,
        description="p_X of both sides, the basis of the key; our choice in place of Lim's optimum.",
    )
    block_bit: Positive = Field(
        1e7, ge=1e3, le=1e12, description="n_X: sifted bits in X that make one block; Lim: 1e4 to 1e9."
    )
    signal_mu: Positive = Field(0.45, ge=1e-3, le=2, description="mu_1; our choice in place of Lim's optimum.")
    decoy_mu: Positive = Field(0.2, ge=1e-4, le=2, description="mu_2; our choice in place of Lim's optimum.")
    vacuum_mu: NonNegative = Field(2e-4, le=1, description="mu_3, Lim.")
    signal_share: Real = Field(0.5, ge=0.01, le=0.98, description="Share of pulses with mu_1; our choice.")
    decoy_share: Real = Field(0.35, ge=0.01, le=0.98, description="Share of pulses with mu_2; our choice.")
    dark_count: Dark = Field(6e-7, description="p_dc of each of the two detectors, Lim.")
    after_pulse: Real = Field(0.04, ge=0, le=0.5, description="p_ap, Lim.")
    misalignment: ErrorShare = Field(0.005, description="e_mis, Lim.")
    correction_inefficiency: Inefficiency = Field(1.16, description="f_EC, Lim.")
    secrecy: Failing = Field(1e-10, description="epsilon_sec of a block.")
    correctness: Failing = Field(1e-15, description="epsilon_cor of a block, Lim.")

    @model_validator(mode="after")
    def _ordered(self) -> "FiniteKeyRate":
        if self.decoy_mu <= 1.1 * self.vacuum_mu or self.signal_mu <= 1.1 * (self.decoy_mu + self.vacuum_mu):
            raise ValueError(
                f"signal_mu={self.signal_mu:g}, decoy_mu={self.decoy_mu:g}, vacuum_mu={self.vacuum_mu:g} are too close; keep decoy_mu"
                " a tenth above vacuum_mu and signal_mu a tenth above their sum"
            )
        if self.signal_share + self.decoy_share > 0.99:
            raise ValueError(
                f"signal_share + decoy_share = {self.signal_share + self.decoy_share:g}; leave at least 0.01 for the vacuum"
            )
        return self


KeyRateModel: TypeAlias = Annotated[QibVecRate | DecoyBb84Rate | Bbm92Rate | FiniteKeyRate, Field(discriminator="kind")]
