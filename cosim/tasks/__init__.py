"""What vehicles want computed: arrivals, classes, semantic extraction."""
