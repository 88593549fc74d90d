"""Reports of a run: the picture, the HTML page, and the numbers that both show."""
