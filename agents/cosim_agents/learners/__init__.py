"""Policies that learn from the tasks they decide."""
