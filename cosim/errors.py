"""The two errors of cosim. Each message is one line for the person at the command line, who sees no traceback."""


def one_line(told: object) -> str:
    r"""Return what a library tells, in which a file's own bytes may stand, as one printable line.

    >>> print(one_line("bad magic\n  bytes: \x00a"))
    bad magic bytes: \x00a
    """
    text = " ".join(str(told).split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class InputError(Exception):
    """An error in what the user gave; the message names file, field, value and remedy. The command line exits with 2.

    >>> import cosim
    >>> try:
    ...     cosim.load("per_task", ["duration_s=-1"])
    ... except cosim.InputError as error:
    ...     print("duration_s" in str(error))
    True
    """


class RunError(Exception):
    """A failure of a run that had started; the facts that were flushed are kept. The command line exits with 1.

    >>> import cosim
    >>> try:
    ...     raise cosim.RunError("SUMO ended at t=12 s: killed by signal 9; correct that and run again")
    ... except cosim.RunError as error:
    ...     print(error)
    SUMO ended at t=12 s: killed by signal 9; correct that and run again
    """
