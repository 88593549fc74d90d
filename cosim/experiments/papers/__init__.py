"""The experiments of papers: a file for each says what is trained, measured and drawn."""
