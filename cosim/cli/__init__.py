"""The commands of `cosim`, a module for each group; heavy imports stand inside, so that --help stays fast."""
