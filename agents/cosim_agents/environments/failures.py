"""Failures of environments that others wrote, as one line each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cosim.errors import InputError, RunError
from cosim.user_code import failed_in, reason_of


@contextmanager
def failing_in(name: str, doing: str, environment: Any) -> Iterator[None]:
    """Tell an error of an environment as a RunError of one line.

    Args:
        name: name of the environment.
        doing: what it was asked to do.
        environment: the environment.
    """
    try:
        yield
    except InputError:
        raise
    except RunError as error:
        raise RunError(f"{name}: {doing}: {error}; correct the environment") from error
    except (Exception, SystemExit) as error:
        at = failed_in(type(getattr(environment, "unwrapped", environment)), error)
        raise RunError(f"{name}: {doing} failed ({reason_of(error)}); correct the environment{at}") from error
