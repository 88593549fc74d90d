"""Quantum keys: how fast a link makes them."""
