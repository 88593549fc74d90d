"""The ledger in simulated time: batches, blocks, and the vote on them over the wires and hosts that tasks use."""
