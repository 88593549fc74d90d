"""The facts of a run: what is recorded, how it is stored as Parquet, and how it is read back."""
