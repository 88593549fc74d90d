"""The building blocks of a scenario: frozen sections, bounded numbers and distributions."""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator


class Section(BaseModel):
    """A part of a scenario: frozen, with no unknown keys and no infinite numbers.

    Example:
        >>> class Beacons(Section):
        ...     period_s: Positive = 1.0
        >>> Beacons(period_s=0.5)
        Beacons(period_s=0.5)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    SPELLING: ClassVar[tuple[str, ...]] = ()
    """Fields that are a way of writing others: no part of what a run is, and so of no identity or provenance."""


def _plain_number(value: Any) -> Any:
    """Refuse text and truth values, which Python would read as numbers."""
    if isinstance(value, str | bool):
        raise ValueError("must be a number, not text or a truth value; write it plainly")
    return value


def _computable(value: float) -> float:
    """Refuse sizes beyond which products and quotients of a few such numbers leave the range of a float."""
    if abs(value) > 1e18 or 0 < abs(value) < 1e-30:
        raise ValueError("must be 0 or between 1e-30 and 1e18 in size; choose such a value or check the unit")
    return value


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Whole: TypeAlias = Annotated[int, BeforeValidator(_plain_number)]
Real: TypeAlias = Annotated[float, BeforeValidator(_plain_number), AfterValidator(_computable)]
Positive: TypeAlias = Annotated[Real, Field(gt=0)]
NonNegative: TypeAlias = Annotated[Real, Field(ge=0)]
Share: TypeAlias = Annotated[Real, Field(ge=1e-6, le=1)]
Decibel: TypeAlias = Annotated[Real, Field(ge=-300, le=300)]


class Uniform(Section):
    """Uniform on [low, high]."""

    kind: Literal["uniform"]
    low: NonNegative = Field(description="Smallest value.")
    high: NonNegative = Field(description="Largest value.")

    @model_validator(mode="after")
    def _ordered(self) -> "Uniform":
        if self.high < self.low:
            raise ValueError(f"high={self.high:g} is below low={self.low:g}; swap them")
        return self


class Exponential(Section):
    """Exponential with the given mean."""

    kind: Literal["exponential"]
    mean: Positive = Field(description="Mean value.")


class Lognormal(Section):
    """Lognormal with the given mean and coefficient of variation (standard deviation over mean)."""

    kind: Literal["lognormal"]
    mean: Positive = Field(description="Mean value.")
    cv: Positive = Field(description="Standard deviation over mean.")


class Choice(Section):
    """One of the values, with probabilities proportional to the weights (equal if none are given)."""

    kind: Literal["choice"]
    values: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = Field(description="What may be drawn.")
    weights: tuple[Positive, ...] | None = Field(None, description="One for each value; null: all equal.")

    @model_validator(mode="after")
    def _paired(self) -> "Choice":
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.weights)} weights for {len(self.values)} values; give one weight per value")
        return self


def _distribution_kind(value: Any) -> Any:
    """Return the tag of a distribution; anything that is not a mapping has to be a number."""
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", "number")


Distribution: TypeAlias = Annotated[
    Annotated[NonNegative, Tag("number")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[Exponential, Tag("exponential")]
    | Annotated[Lognormal, Tag("lognormal")]
    | Annotated[Choice, Tag("choice")],
    Discriminator(_distribution_kind),
]
"""A plain number (constant) or a distribution by `kind`."""


def refuse_zero(value: float | Section, field: str) -> None:
    """Refuse a number or distribution that can be 0, for a quantity by which something is divided.

    Raises:
        ValueError: the number or distribution can be 0.
    """
    match value:
        case Uniform(low=low):
            smallest = low
        case Choice(values=values):
            smallest = min(values)
        case float() | int():
            smallest = value
        case _:
            return
    if smallest <= 0:
        raise ValueError(f"{field} can be 0; give it a positive value")


def refuse_huge(value: float | Section, field: str, most: float) -> None:
    """Refuse large values of a quantity, which come from a wrong unit and would drown others in rounding.

    Args:
        value: the number or distribution.
        field: name of the field, for the message.
        most: largest number, bound or mean allowed.

    Raises:
        ValueError: the number, a bound or the mean of the distribution is above `most`.
    """
    match value:
        case Uniform(high=high):
            largest = high
        case Choice(values=values):
            largest = max(values)
        case Exponential(mean=mean) | Lognormal(mean=mean):
            largest = mean
        case float() | int():
            largest = value
        case _:
            return
    if largest > most:
        raise ValueError(f"{field} can be {largest:g}, above {most:g}; check the unit")
