"""The ledger of paper S3: records, Merkle trees, blocks, and the stake of key credits behind them; pure but `run`."""
