"""Why tasks were late or lost."""
