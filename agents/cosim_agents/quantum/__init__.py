"""Parametrised quantum circuits in simulation: definitions, engine, training methods, and Grover search."""
