"""The ledger of a finished run, hashed again from the rows of its trace (paper S3, section III-D)."""
