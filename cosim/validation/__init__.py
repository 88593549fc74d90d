"""Comparison of the simulator's parts with laws that are known in closed form."""

from cosim.validation.checks import validate

__all__ = ["validate"]
