"""Time and sharing: the clock, its random streams, and fluid media in virtual time."""
