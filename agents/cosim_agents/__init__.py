"""Policies for cosim: rules, exact optimum, quantum search, and agents that learn."""
