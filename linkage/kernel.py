"""Compile a function to machine code, once for all runs where there is a place to keep it."""

from collections.abc import Callable
from typing import Any

import numba as nb


def kernel(function: Callable[..., Any]) -> Any:
    """Like `numba.njit(cache=True)`, but without a cache where no folder can be written, instead of failing."""
    try:
        return nb.njit(cache=True)(function)
    except RuntimeError:
        return nb.njit(function)
