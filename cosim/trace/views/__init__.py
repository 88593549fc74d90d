"""Views of a trace: timelines, slices, exports and comparisons."""
