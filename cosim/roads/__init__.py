"""Readers of SUMO's road networks: net, lanes, sites, projection."""
