"""Facts as Parquet: written, listed, checked, read back."""
