"""The experiments of paper S1."""
