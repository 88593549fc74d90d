"""The commands of `cosim`, a module for each group; heavy imports are inside functions, so that --help stays fast."""
