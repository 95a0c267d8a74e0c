"""Partial weighted cover: the fewest innocents hit by blocked values that stop enough targets.

A target is stopped when enough of what it does goes over chosen values of one column (its addresses, say): one value
may be enough, or it takes several. An innocent is hit by the first value, and counts once. The cost of some values is

    innocents hit + values chosen / (values there are + 1)

so that one innocent more is worse than any number of values, and of sets that hit equally many the smallest is best.
To stop all targets is weighted set cover at least, which is NP-hard; Chvátal's greedy rule (1979,
doi:10.1287/moor.4.3.233), which Wolsey (1982, doi:10.1007/BF02579435) extends to values that do a part, is within a
logarithm of the optimum there, and the innocents that two values share make it harder. So three steps:

1. Greedy: take the value that brings most towards stopping targets for its new cost, until enough are stopped.
2. Reverse delete: leave out, the dearest first, what is not needed any more.
3. Ruin and recreate (Schrimpf et al. 2000, doi:10.1006/jcph.1999.6413): take out a few chosen values that are near each
   other, repair by 1 and 2 with noise, and keep the result if it is no dearer. The number of rounds and the seed
   do not depend on time: the same problem gives the same answer.

A small problem is solved exactly instead, as a mixed-integer programme by HiGHS: see `exact`. Where its time runs out,
the better of both counts.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, coo_array, csr_array, eye_array

from linkage.errors import UsageError

SMALL: Final = 60_000
"""Problems of at most so many (value, account) pairs, of values and accounts that differ, are solved exactly."""

ROUNDS: Final = (20, 120)
"""Of step 3: at least and at most so many."""

WORK: Final = 10_000_000
"""Rounds times pairs: large problems get fewer rounds, a second or two of them."""

_NOISE: Final = 0.3
_SEED: Final = 20250214

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


@dataclass(frozen=True)
class Cover:
    """A choice of values.

    Attributes:
        chosen: bool[V].
        cost: of the choice.
        bound: no choice that stops as many costs less; None where that is not known.
        optimal: none costs less than this one.
    """

    chosen: Chosen
    cost: float
    bound: float | None
    optimal: bool


def cover(problem: Problem, need: int, seconds: float = 0.0, *, quick: bool = False) -> Cover:
    """Choose values that stop at least `need` targets at a low cost.

    Args:
        problem: what there is to choose from.
        need: targets to stop, from 0 to `problem.reachable`.
        seconds: a small problem is solved exactly, if that takes no longer; with 0 none is.
        quick: a large problem is not searched beyond steps 1 and 2.

    Raises:
        UsageError: `need` is out of its range.
    """
    if not 0 <= need <= problem.reachable:
        raise UsageError(f"{need:,} targets cannot be stopped, {problem.reachable:,} can.")
    better, bound, optimal = None, None, need == 0
    if seconds and need and problem.size <= SMALL:
        better, bound, optimal = exact(problem, need, seconds)
    found = (
        better
        if better is not None and optimal
        else approximate(problem, need, 0 if quick and problem.size > SMALL else None)
    )
    if better is not None and problem.cost(better) < problem.cost(found) - problem.price / 2:
        found = better
    cost = problem.cost(found)
    if bound is not None:
        bound = min(bound, cost)
        # Any other set's cost differs by the price of a value at least.
        optimal = optimal or cost - bound < problem.price / 2
    return Cover(found, cost, bound, optimal)


def approximate(problem: Problem, need: int, rounds: int | None = None) -> Chosen:
    """Steps 1 to 3: bool[V]. `rounds` of step 3; by the size of the problem where they are not given."""
    if rounds is None:
        rounds = min(max(WORK // max(problem.size, 1), ROUNDS[0]), ROUNDS[1])
    search = _Search(problem, need)
    search.fill(None)
    search.prune()
    best, cost = search.chosen.copy(), search.cost
    random = np.random.default_rng(_SEED)
    for _ in range(rounds if best.sum() > 1 else 0):
        search.ruin(random)
        search.fill(random)
        search.prune()
        if search.cost <= cost + problem.price / 2:
            best, cost = search.chosen.copy(), search.cost
        else:
            search.back_to(best)
    return best


def exact(problem: Problem, need: int, seconds: float) -> tuple[Chosen | None, float, bool]:
    """The best choice by HiGHS's branch and bound, a lower bound of the cost, and whether the choice is the optimum.

    y_v says that value v is chosen, s_j that way j is gone, x_t that target t is stopped, z_i that innocent i is hit;
    w are weights, a amounts, n needs:

        minimise    sum w_i z_i + price · sum y_v
        subject to  sum w_t x_t ≥ need,  x_t ≤ sum of s_j of t,  n_j s_j ≤ sum a_vj y_v,
                    z_i ≥ y_v for each v that hits i

    Only y, and s of ways that several values make, must be whole: then the best x and z are. The choice is None where
    none was found in time.
    """
    stops, hits = problem.stops, problem.hits
    values, ways, targets, innocents = problem.values, len(stops.need), len(stops.weight), len(hits.weight)
    pairs = hits.reach.tocoo()
    at, ones, way = np.arange(pairs.nnz), np.ones(pairs.nnz), np.arange(ways)
    # The rows of a way that needs 1 are s ≤ sum y; the others are scaled so that all coefficients are near 1.
    amount = coo_array((stops.amount / stops.need[stops.way], (stops.way, stops.value)), shape=(ways, values))
    blocks: Any = [
        [amount, -eye_array(ways), None, None],
        [None, coo_array((np.ones(ways), (stops.target, way)), shape=(targets, ways)), -eye_array(targets), None],
        [None, None, csr_array(stops.weight[None, :].astype(np.float64)), None],
        [coo_array((-ones, (at, pairs.row)), shape=(pairs.nnz, values)), None, None,
         coo_array((ones, (at, pairs.col)), shape=(pairs.nnz, innocents))],
    ]  # fmt: skip
    low = np.concatenate([np.zeros(ways + targets), [need], np.zeros(pairs.nnz)])
    found = milp(
        np.concatenate([np.full(values, problem.price), np.zeros(ways + targets), hits.weight]),
        constraints=LinearConstraint(block_array(blocks).tocsc(), low, np.inf),
        integrality=np.concatenate([np.ones(values), stops.need > 1, np.zeros(targets + innocents)]),
        bounds=Bounds(0, 1),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    bound = found.mip_dual_bound
    bound = 0.0 if bound is None or not math.isfinite(bound) else max(0.0, float(bound))
    if found.x is None:
        return None, bound, False
    chosen = found.x[:values] > 0.5
    # Tolerances of the solver may let a target pass that lacks an exchange.
    if stops.total(chosen) < need:
        return None, bound, False
    return chosen, bound, bool(found.status == 0)


class _Search:
    """A choice, and for each value what adding it would bring, kept up to date as values come and go."""

    def __init__(self, problem: Problem, need: int) -> None:
        self.problem = problem
        self.need = need
        self.chosen: Chosen = np.zeros(problem.values, np.bool_)
        self.stopped, self.hit = _Stopped(problem.stops), _Hit(problem.hits)

    @property
    def cost(self) -> float:
        return self.hit.total + self.problem.price * int(self.chosen.sum())

    def set(self, value: int, chosen: bool) -> None:
        self.chosen[value] = chosen
        self.stopped.change(value, 1 if chosen else -1)
        self.hit.change(value, 1 if chosen else -1)

    def back_to(self, chosen: Chosen) -> None:
        for value in np.flatnonzero(self.chosen != chosen).tolist():
            self.set(value, bool(chosen[value]))

    def fill(self, random: np.random.Generator | None) -> None:
        """Step 1, with noise where there is a generator."""
        while self.stopped.total < self.need:
            gain = np.minimum(self.stopped.gain, self.need - self.stopped.total)
            worth = gain / (self.hit.fresh + self.problem.price)
            if random is not None:
                worth *= np.exp(random.normal(0.0, _NOISE, len(worth)))
            worth[self.chosen] = -1.0
            self.set(int(np.argmax(worth)), True)

    def prune(self) -> None:
        """Step 2."""
        spare = self.stopped.total - self.need
        at = np.flatnonzero(self.chosen)
        at = at[self.stopped.lost(at) <= spare]
        saved = self.hit.saved(at)
        for value in at[np.lexsort((at, -saved))].tolist():
            lost = int(self.stopped.lost(np.array([value]))[0])
            if self.stopped.total - lost >= self.need:
                self.set(value, False)

    def ruin(self, random: np.random.Generator) -> None:
        """Take out some chosen values: half of the time those that reach the same targets or innocents."""
        at = np.flatnonzero(self.chosen)
        first = int(random.choice(at))
        if random.random() < 0.5:
            near = np.concatenate([self.stopped.near(first), self.hit.near(first)])
            near = np.unique(near[self.chosen[near]])
            at = near if len(near) > 1 else at
        many = int(random.integers(1, min(6, len(at)) + 1))
        for value in {first, *random.choice(at, many, replace=False).tolist()}:
            self.set(value, False)


class _Stopped:
    """How far each way is; `gain` is what each value would bring, in targets, a part of one as a part of 1."""

    def __init__(self, stops: Stops) -> None:
        self._stops = stops
        self._done = np.zeros(len(stops.need), np.int64)
        self._gone = np.zeros(len(stops.weight), np.int64)
        self.total = 0
        self._brings = self._worth(np.arange(len(stops.value)))
        self.gain = np.bincount(stops.value, self._brings, len(stops.by_value) - 1)

    def _worth(self, pairs: Ints) -> NDArray[np.float64]:
        s, way = self._stops, self._stops.way[pairs]
        left = np.maximum(s.need[way] - self._done[way], 0)
        still = np.where(self._gone[s.target[way]] == 0, s.weight[s.target[way]], 0)
        worth: NDArray[np.float64] = np.minimum(left, s.amount[pairs]) / s.need[way] * still
        return worth

    def change(self, value: int, by: int) -> None:
        s = self._stops
        at = slice(s.by_value[value], s.by_value[value + 1])
        way = s.way[at]
        target = s.target[way]
        gone, before = self._done[way] >= s.need[way], self._gone[target] > 0
        self._done[way] += by * s.amount[at]
        self._gone[target] += (self._done[way] >= s.need[way]).astype(np.int64) - gone
        self.total += int(((self._gone[target] > 0).astype(np.int64) - before) @ s.weight[target])
        pairs, _ = _gather(s.by_target, target)
        worth = self._worth(pairs)
        np.add.at(self.gain, s.value[pairs], worth - self._brings[pairs])
        self._brings[pairs] = worth

    def lost(self, values: Ints) -> Ints:
        """Targets that would not be stopped without each of the chosen values."""
        s = self._stops
        pairs, lengths = _ranges(s.by_value, values)
        way = s.way[pairs]
        done, target = self._done[way], s.target[way]
        breaks = (done >= s.need[way]) & (done - s.amount[pairs] < s.need[way]) & (self._gone[target] == 1)
        lost = np.where(breaks, s.weight[target], 0)
        return np.bincount(np.repeat(np.arange(len(values)), lengths), lost, len(values)).astype(np.int64)

    def near(self, value: int) -> Ints:
        """Values that do anything towards a target of this one."""
        s = self._stops
        return s.value[_gather(s.by_target, s.target[s.way[s.by_value[value] : s.by_value[value + 1]]])[0]]


class _Hit:
    """How often each innocent is hit; `fresh` is how many each value would hit anew."""

    def __init__(self, hits: Hits) -> None:
        self._hits = hits
        self._times = np.zeros(len(hits.weight), np.int64)
        self.total = 0
        self.fresh: Ints = hits.reach @ hits.weight

    def _row(self, value: int) -> NDArray[np.int32]:
        reach = self._hits.reach
        return reach.indices[reach.indptr[value] : reach.indptr[value + 1]]

    def change(self, value: int, by: int) -> None:
        row, weight = self._row(value), self._hits.weight
        before = self._times[row]
        self._times[row] = before + by
        turned = row[(before == 0) if by > 0 else (before == 1)]
        self.total += by * int(weight[turned].sum())
        values, lengths = _gather(self._hits.by_thing, turned)
        np.subtract.at(self.fresh, values, by * np.repeat(weight[turned], lengths))

    def saved(self, values: Ints) -> Ints:
        """Innocents who would not be hit without each of the chosen values."""
        innocents, lengths = _gather(self._hits.reach, values)
        alone = np.where(self._times[innocents] == 1, self._hits.weight[innocents], 0)
        return np.bincount(np.repeat(np.arange(len(values)), lengths), alone, len(values)).astype(np.int64)

    def near(self, value: int) -> Ints:
        """Values that hit anybody whom this one hits."""
        return _gather(self._hits.by_thing, self._row(value))[0]


def _gather(rows: csr_array, at: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """The columns of some rows, one row after the other, and how many each has."""
    places, lengths = _ranges(rows.indptr, at)
    return rows.indices[places].astype(np.int64), lengths


def _ranges(start: NDArray[np.integer[Any]], at: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """All places from start[a] to start[a + 1] of each a, and how many each has."""
    first = start[at].astype(np.int64)
    lengths = start[at + 1].astype(np.int64) - first
    offset = np.repeat(first - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return (offset + np.arange(int(lengths.sum()))).astype(np.int64), lengths


def ordered(problem: Problem, chosen: Chosen) -> Iterator[tuple[int, int, int]]:
    """The chosen values in greedy order: (value, targets that it stops anew, innocents that it hits anew)."""
    search = _Search(problem, 0)
    left = np.flatnonzero(chosen)
    while len(left):
        gain, harm = np.round(search.stopped.gain[left], 9), search.hit.fresh[left]
        best = int(np.lexsort((left, -gain, -gain / (harm + problem.price)))[0])
        stopped, value = search.stopped.total, int(left[best])
        search.set(value, True)
        yield value, search.stopped.total - stopped, int(harm[best])
        left = np.delete(left, best)
