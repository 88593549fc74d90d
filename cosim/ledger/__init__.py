"""The ledger of paper S3: records, Merkle trees, a chain of blocks, and the stake of quantum-key credits behind it."""
