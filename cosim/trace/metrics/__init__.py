"""Figures of merit by subject, with intervals."""
