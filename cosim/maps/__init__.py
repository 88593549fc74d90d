"""Map folders: made, listed, drawn."""
