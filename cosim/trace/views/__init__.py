"""Ways to look at a trace: timelines, slices, exports, comparisons."""
