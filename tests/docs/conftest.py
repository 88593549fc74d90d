"""Puts docs/ on the path, where the pages are that are made of the code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
