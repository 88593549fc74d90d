"""Discrete-event co-simulation of vehicular edge networks on SUMO traffic."""

__version__ = "0.1.0"
