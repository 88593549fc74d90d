"""The scenario: the frozen, checked description of a run, read from YAML."""
