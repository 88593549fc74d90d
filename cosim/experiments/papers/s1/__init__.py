"""Paper S1's experiments."""
