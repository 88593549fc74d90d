"""Key management: the QKD network in simulated time, vehicles' key pools, and the service that transfers ask."""
