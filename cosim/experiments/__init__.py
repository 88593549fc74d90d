"""Experiments of many runs: comparisons of policies, trainings, and the experiments of papers."""
