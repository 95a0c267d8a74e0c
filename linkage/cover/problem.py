"""What there is to choose from: values, the targets that they stop and the innocents that they hit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

Chosen = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stops:
    """What values do towards stopping targets.

    A target has ways to be stopped, one for each column of its values; a way is gone when the chosen values' amounts
    add up to what it needs. Targets that are alike are one, of weight their number.

    Attributes:
        value, way, amount: int64[P], sorted by (value, way).
        need, target: int64[W], of each way.
        weight: int64[T].
        by_value: int64[V + 1], where each value's pairs start.
        by_target: the pairs of each target.
    """

    value: Ints
    way: Ints
    amount: Ints
    need: Ints
    target: Ints
    weight: Ints
    by_value: Ints
    by_target: csr_array

    @classmethod
    def of(cls, values: int, value: Ints, target: Ints, column: Ints, amount: Ints, need: Ints) -> "Stops":
        """From pairs of a value and a target, each once; `need` is the target's, at least 1, `amount` is at least 1."""
        # What is enough alone is a column of its own.
        enough = amount >= need
        rows = np.stack([target, np.where(enough, -1, column), value, np.where(enough, 1, amount),
                         np.where(enough, 1, need)], axis=1)  # fmt: skip
        rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
        start = np.flatnonzero(np.any(np.diff(rows[:, :2], axis=0, prepend=-9), axis=1))
        way = np.repeat(np.arange(len(start)), np.diff(start, append=len(rows)))
        able = np.bincount(way, rows[:, 3], len(start)) >= rows[start, 4]
        rows = rows[able[way]]
        kinds: dict[bytes, int] = {}
        weight: list[int] = []
        kept: list[Ints] = []
        for alike in np.split(rows, np.flatnonzero(np.diff(rows[:, 0])) + 1) if len(rows) else []:
            at = kinds.setdefault(alike[:, 1:].tobytes(), len(weight))
            if at == len(weight):
                weight.append(0)
                kept.append(np.column_stack([np.full(len(alike), at), alike[:, 1:]]))
            weight[at] += 1
        rows = np.concatenate(kept) if kept else np.zeros((0, 5), np.int64)
        first = np.any(np.diff(rows[:, :2], axis=0, prepend=-9), axis=1)
        way = np.cumsum(first) - 1
        order = np.lexsort((way, rows[:, 2]))
        pairs = rows[order]
        of = coo_array((np.ones(len(pairs)), (pairs[:, 0], np.arange(len(pairs)))), shape=(len(weight), len(pairs)))
        return cls(
            value=pairs[:, 2],
            way=way[order],
            amount=pairs[:, 3],
            need=rows[first, 4],
            target=rows[first, 0],
            weight=np.array(weight, np.int64),
            by_value=np.searchsorted(pairs[:, 2], np.arange(values + 1)),
            by_target=of.tocsr(),
        )

    def total(self, chosen: Chosen) -> int:
        """Targets that the chosen values stop."""
        done = np.bincount(self.way, self.amount * chosen[self.value], len(self.need)) >= self.need
        stopped = np.zeros(len(self.weight), np.bool_)
        stopped[self.target[done]] = True
        return int(self.weight[stopped].sum())


@dataclass(frozen=True)
class Hits:
    """The innocents that values hit; those whom the same values hit are one, of weight their number.

    Attributes:
        reach: values by innocents.
        by_thing: the transpose.
        weight: int64[innocents].
    """

    reach: csr_array
    by_thing: csr_array
    weight: Ints

    @classmethod
    def of(cls, values: int, value: Ints, innocent: Ints) -> "Hits":
        """From pairs, in any order, each once."""
        order = np.lexsort((value, innocent))
        cut = np.flatnonzero(np.diff(innocent[order]))
        alike: dict[bytes, int] = {}
        weight: list[int] = []
        kept: list[Ints] = []
        for hit_by in np.split(value[order], cut + 1) if len(order) else []:
            at = alike.setdefault(hit_by.tobytes(), len(weight))
            if at == len(weight):
                weight.append(0)
                kept.append(hit_by)
            weight[at] += 1
        rows = np.concatenate(kept) if kept else np.zeros(0, np.int64)
        columns = np.repeat(np.arange(len(kept)), [len(hit_by) for hit_by in kept])
        reach = coo_array((np.ones(len(rows), np.int64), (rows, columns)), shape=(values, len(kept))).tocsr()
        return cls(reach, reach.T.tocsr(), np.array(weight, np.int64))

    def total(self, chosen: Chosen) -> int:
        """Innocents that the chosen values hit."""
        return int(self.weight[self.by_thing @ chosen.astype(np.int64) > 0].sum())


@dataclass(frozen=True)
class Problem:
    """Values to choose from: how many, what they stop and whom they hit."""

    values: int
    stops: Stops
    hits: Hits

    @property
    def reachable(self) -> int:
        """Targets that all values together stop."""
        return int(self.stops.weight.sum())

    @property
    def price(self) -> float:
        """What choosing one value more adds to the cost; all together less than one innocent."""
        return 1.0 / (self.values + 1)

    @property
    def size(self) -> int:
        """Pairs of a value and whom it stops or hits."""
        return int(len(self.stops.value) + self.hits.reach.nnz)

    def cost(self, chosen: Chosen) -> float:
        """Innocents hit, and the price of the values."""
        return self.hits.total(chosen) + self.price * int(chosen.sum())
