"""When vehicles want something computed."""
