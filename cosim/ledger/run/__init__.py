"""The ledger in simulated time: records, batches, blocks, and the vote on them over the run's own wires and hosts."""
