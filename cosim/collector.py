"""Python's garbage collector, which would walk the whole network of a simulation again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Collect seldom in this process, and nothing that exists already; may be nested.

    The parts of a simulation live as long as it does, and what comes and goes is freed by its count of references.
    """
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    if not frozen:
        gc.collect()
        gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        if not frozen:
            gc.unfreeze()
