"""A key service with the REST interface of ETSI GS QKD 014 over a simulated key network, for `cosim kms`."""
