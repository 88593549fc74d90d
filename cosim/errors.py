"""Errors whose message is for the person who runs the tool: one line, no traceback."""


class InputError(Exception):
    """Bad input; the message names file, field, value and remedy. The command line ends with 2."""


class RunError(Exception):
    """A run that started and could not go on; what was flushed is kept. The command line ends with 1."""
