"""One thread for each numerical library: the last bits of a matrix product depend on how many share the work."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Final, TypeAlias

_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_BLAS_USERS: Final = ("numpy._core._multiarray_umath", "scipy.linalg._fblas")
"""Modules through which the OpenBLAS that NumPy and SciPy bring is reached; each has one of its own."""
_OPENBLAS_NAMES: Final = tuple(product(("scipy_openblas", "openblas"), ("64_", "")))

_Setting: TypeAlias = tuple[Callable[[], int], Callable[[int], object]]
"""How many threads a library uses, and how to change that."""


@contextmanager
def one_thread_when_loaded() -> Iterator[None]:
    """Make libraries that are loaded inside, by this process or by one that it starts, use one thread from then on."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def one_thread() -> Iterator[None]:
    """Make the libraries of this process use one thread inside, whether loaded before or inside."""
    settings = [*_openblas_settings(), *_torch_settings()]
    before = [count() for count, _ in settings]
    with one_thread_when_loaded():
        for _, change in settings:
            change(1)
        try:
            yield
        finally:
            for (_, change), threads in zip(settings, before, strict=True):
                change(threads)


def _openblas_settings() -> Iterator[_Setting]:
    for name in _BLAS_USERS:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None:
            continue
        library = ctypes.CDLL(file)  # looks a name up in what it is linked with, too
        for stem, suffix in _OPENBLAS_NAMES:
            count = getattr(library, f"{stem}_get_num_threads{suffix}", None)
            change = getattr(library, f"{stem}_set_num_threads{suffix}", None)
            if count is not None and change is not None:
                yield count, change


def _torch_settings() -> Iterator[_Setting]:
    torch = sys.modules.get("torch")  # no rule needs it: not imported here
    if torch is not None:
        yield torch.get_num_threads, torch.set_num_threads
