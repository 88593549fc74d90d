"""The ledger of paper S3: records, Merkle trees, blocks, consensus and stakes as pure models; `run` gives them time."""
