"""Compile a function to machine code, once for all runs where there is a place to keep it."""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np


def kernel(function: Callable[..., Any]) -> Any:
    """Like `numba.njit(cache=True, nogil=True)`, but without a cache where no folder can be written.

    Compiled code holds no lock: several threads can run it at once.
    """
    try:
        return nb.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return nb.njit(nogil=True)(function)


@kernel
def grown(values, size):  # type: ignore[no-untyped-def]
    """A copy of the values with room for `size` of them; what follows is undefined."""
    larger = np.empty(size, values.dtype)
    larger[: len(values)] = values
    return larger


@kernel
def root_of(parent, x):  # type: ignore[no-untyped-def]
    """The root of x in a forest of parents, where a root is its own; halves the path on the way (union-find)."""
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x
