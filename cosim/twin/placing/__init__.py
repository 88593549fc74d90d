"""Which host carries which twin: creation times and limits of S5, policies, migration and tiers; all pure."""
