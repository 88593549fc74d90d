"""Quantum keys: rates of QKD links, pools, the network in simulated time, and the service that transfers ask."""
