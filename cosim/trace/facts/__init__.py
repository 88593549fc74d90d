"""The kinds of facts, a module for each subject, and the types, units and codes of their columns."""
