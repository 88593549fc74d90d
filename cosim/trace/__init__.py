"""Facts of a run: recorded, stored as Parquet, read back."""
