"""The pools of a key network behind the REST interface of ETSI GS QKD 014, in real time; for `cosim kms` alone."""
