"""The kinds of facts by subject, and what a column of them holds."""
