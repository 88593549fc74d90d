"""Key figures of a run by subject, each with a confidence interval."""
