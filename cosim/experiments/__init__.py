"""Many runs with a purpose: comparisons of policies, and the papers' experiments."""
