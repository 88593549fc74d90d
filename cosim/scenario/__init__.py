"""What a run is made of: a frozen, checked description read from YAML."""
