"""Link adaptation: the spectral efficiency that a link has at a signal-to-noise ratio, as pure functions of numbers."""
