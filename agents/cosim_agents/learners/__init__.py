"""Learning algorithms: policies that learn from the tasks that they decide."""
