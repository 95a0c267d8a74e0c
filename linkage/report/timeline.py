"""Exchanges of a ring by account and hour, sign-ups and bans, small enough for a page."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ROWS: Final = 40
"""So many accounts have a row of their own: those with most exchanges."""

CELLS: Final = 6_000
"""At most so many cells of a ring's rows, and of its total, are kept; where there are more, the hours are joined."""

WIDTHS: Final = (1, 2, 3, 6, 12, 24, 168, 24 * 365)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Timeline:
    """Times are hours since 1970, UTC.

    Attributes:
        width: hours that one cell holds.
        rows: accounts, each with the cells in which it had exchanges: their start, as steps from one to the next,
            beginning at hour 0, and exchanges.
        total: the same of all members.
    """

    width: int
    rows: list[tuple[str, list[int], list[int]]]
    total: tuple[list[int], list[int]]


def timeline(names: list[str], account: Ints, hour: Ints, count: Ints, total: tuple[Ints, Ints]) -> Timeline:
    """The timeline of a ring.

    Args:
        names: the accounts that have a row of their own.
        account, hour, count: exchanges of those accounts, as places in `names`.
        total: hours and exchanges of all members.
    """
    for width in WIDTHS:
        cells = len(np.unique(np.column_stack([account, hour // width]), axis=0))
        if max(cells, len(np.unique(total[0] // width))) <= CELLS:
            break
    rows = [(name, *_cells(hour[account == at], count[account == at], width)) for at, name in enumerate(names)]
    return Timeline(width, rows, _cells(*total, width))


def _cells(hour: Ints, count: Ints, width: int) -> tuple[list[int], list[int]]:
    start, at = np.unique(hour // width * width, return_inverse=True)
    sums: Any = np.bincount(at, weights=count).astype(np.int64)
    return np.diff(start, prepend=0).tolist(), sums.tolist()
