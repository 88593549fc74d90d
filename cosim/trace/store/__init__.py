"""The store of facts: Parquet files with a manifest, written, checked and read back."""
