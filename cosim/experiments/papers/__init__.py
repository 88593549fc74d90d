"""Experiments of papers: `study` runs those that `registry` lists; each has a folder for what only it needs."""
