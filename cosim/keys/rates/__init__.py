"""Models of the secret key rate of a QKD link, as pure functions of numbers."""
