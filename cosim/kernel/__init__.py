"""Time and sharing: the clock, named random streams, and fluid media in virtual time."""
