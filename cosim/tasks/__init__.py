"""The tasks of vehicles: arrivals, classes, semantic extraction."""
