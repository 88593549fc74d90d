"""What every part of a scenario is built from: frozen sections, bounded numbers and distributions."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator


class Section(BaseModel):
    """A part of a scenario: frozen, with no unknown keys and no infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _plain_number(value: Any) -> Any:
    """Text and truth values are not numbers, though Python would read them as such."""
    if isinstance(value, str | bool):
        raise ValueError("must be a number, not text or a truth value; write it plainly")
    return value


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Real: TypeAlias = Annotated[float, BeforeValidator(_plain_number)]
Whole: TypeAlias = Annotated[int, BeforeValidator(_plain_number)]
Positive: TypeAlias = Annotated[float, BeforeValidator(_plain_number), Field(gt=0)]
NonNegative: TypeAlias = Annotated[float, BeforeValidator(_plain_number), Field(ge=0)]
Share: TypeAlias = Annotated[float, BeforeValidator(_plain_number), Field(gt=0, le=1)]


class Uniform(Section):
    """Uniform on [low, high]."""

    kind: Literal["uniform"]
    low: NonNegative
    high: NonNegative

    @model_validator(mode="after")
    def _ordered(self) -> "Uniform":
        if self.high < self.low:
            raise ValueError(f"high={self.high:g} is below low={self.low:g}; swap them")
        return self


class Exponential(Section):
    """Exponential with the given mean."""

    kind: Literal["exponential"]
    mean: Positive


class Lognormal(Section):
    """Lognormal with the given mean and coefficient of variation (standard deviation over mean)."""

    kind: Literal["lognormal"]
    mean: Positive
    cv: Positive


class Choice(Section):
    """One of the values, with probabilities proportional to the weights (equal if none are given)."""

    kind: Literal["choice"]
    values: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    weights: tuple[Positive, ...] | None = None

    @model_validator(mode="after")
    def _paired(self) -> "Choice":
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.weights)} weights for {len(self.values)} values; give one weight per value")
        return self


def _distribution_kind(value: Any) -> Any:
    """The tag of a distribution; anything that is not a mapping has to be a number."""
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
