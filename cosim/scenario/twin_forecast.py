"""Forecasts of the motion of vehicles by the twin: the model by kind, and the disc that is stated around a forecast."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from cosim.scenario.section import NonNegative, Positive, Real, Section, Whole


class _Forecast(Section):
    share: Real = Field(
        0.9, ge=0.5, le=0.99, description="Of the errors, which the disc around a forecast is said to hold."
    )
    horizon_s: Positive = Field(
        10.0,
        ge=1,
        le=30,
        description="Up to here the twin checks its own forecasts against the states that come later.",
    )
    checks: Whole = Field(
        192, ge=1, le=10_000, description="Vehicles whose forecast is kept at each synchronisation to be checked later."
    )
    memory: Positive = Field(
        1500.0, ge=100, le=1e6, description="Checks of a horizon that weigh in; 0.8 % is then the error of its share."
    )
    pace: NonNegative = Field(
        3e-4,
        le=0.01,
        description="Change of the disc's level for each check that was missed; 0: none (Gibbs and Candes 2021).",
    )


class LastForecast(_Forecast):
    """A vehicle stays where it was last seen: no forecast."""

    kind: Literal["last"]


class VelocityForecast(_Forecast):
    """A vehicle keeps its speed and its heading."""

    kind: Literal["constant_velocity"]


class TurnForecast(_Forecast):
    """A vehicle keeps its speed and its turn rate."""

    kind: Literal["constant_turn"]
    gap_s: Positive = Field(3.0, description="States further apart tell no turn rate; it is then 0.")


class KalmanForecast(_Forecast):
    """A Kalman filter of place and velocity, or also of acceleration, for each vehicle."""

    kind: Literal["kalman"]
    model: Literal["velocity", "acceleration"] = Field(
        "velocity", description="What is kept: the velocity, or also the acceleration."
    )
    noise: Positive = Field(
        2.0,
        ge=1e-6,
        le=1e4,
        description="Spectral density of acceleration, m2/s3, or of jerk, m2/s5, that is not modelled.",
    )
    place_sd_m: Positive = Field(0.1, ge=1e-3, le=100, description="Error of a state's place, each axis.")
    speed_sd_mps: Positive = Field(0.1, ge=1e-3, le=100, description="Error of a state's velocity, each axis.")


class MapForecast(_Forecast):
    """A vehicle follows its lane and the turns and speeds that are usual there, behind the vehicle in front."""

    kind: Literal["map"]
    room_m: NonNegative = Field(
        7.5, le=100, description="Front to front behind a standing vehicle: SUMO's car of 5 m and its minGap of 2.5 m."
    )
    off_road_m: Positive = Field(
        10.0, le=1000, description="A vehicle further from every lane moves straight on, as on a car park."
    )


MotionForecast: TypeAlias = Annotated[
    LastForecast | VelocityForecast | TurnForecast | KalmanForecast | MapForecast, Field(discriminator="kind")
]


class _Demand(Section):
    weight: Real = Field(0.2, gt=0, le=1, description="Of the newest interval in the level (alpha).")
    window: Whole = Field(64, ge=1, le=10_000, description="Intervals whose deviations bound the next one (S1 eq 9).")
    quantile: Real = Field(
        1.0, gt=0, le=1, description="Of the deviations in the window that is taken as epsilon; 1: their maximum."
    )


class SmoothedDemand(_Demand):
    """Exponentially weighted mean of the arrival rates."""

    kind: Literal["smoothed"] = "smoothed"


class HoltDemand(_Demand):
    """Holt's linear method: a level and a trend, both exponentially weighted."""

    kind: Literal["holt"]
    trend_weight: Real = Field(0.1, gt=0, le=1, description="Of the newest change of level in the trend (beta).")


DemandForecast: TypeAlias = Annotated[SmoothedDemand | HoltDemand, Field(discriminator="kind")]
