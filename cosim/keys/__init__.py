"""Quantum keys: rates of QKD links, key pools, the key network in simulated time, and the service that grants keys."""
