"""Parametrised quantum circuits, simulated: their definitions, their engine, their ways of training."""
