"""Where the vehicles are: SUMO live, a recording, or synthetic roads."""
