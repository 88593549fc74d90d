"""Road networks of SUMO, read: net, lanes, siting, projection."""
