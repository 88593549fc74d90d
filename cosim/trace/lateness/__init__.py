"""Why tasks were late or lost: the parts of their time, and the cause that each is attributed to."""
