"""Partial weighted cover: the fewest innocents hit by blocked values that stop enough targets.

Every value stops some targets and hits some innocents; each is counted once, however many chosen values reach it. The
cost of a set of values is

    innocents hit + values chosen / (values there are + 1)

so that one innocent more is worse than any number of values, and of sets that hit equally many the smallest is best.
To stop all targets is weighted set cover, which is NP-hard; Chvátal's greedy rule (1979,
doi:10.1287/moor.4.3.233) is within ln n of the optimum there, and the innocents that two values share make it harder.
So three steps:

1. Greedy: take the value that stops most new targets for its new cost, until enough are stopped.
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
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, coo_array, csr_array, eye_array

from linkage.errors import UsageError

SMALL: Final = 20_000
"""Problems of at most so many (value, account) pairs, of values and accounts that differ, are solved exactly."""

ROUNDS: Final = (20, 400)
"""Of step 3: at least and at most so many."""

WORK: Final = 10_000_000
"""Rounds times pairs: large problems get fewer rounds, a second or two of them."""

_NOISE: Final = 0.3
_SEED: Final = 20250214
_UNWORTH: Final = -1.0

Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class Sets:
    """Which things each value reaches, and how much each thing weighs; rows are values."""

    reach: csr_array
    weight: NDArray[np.int64]

    @classmethod
    def of(cls, value: NDArray[np.int64], thing: NDArray[np.int64], values: int) -> "Sets":
        """From pairs (value, thing), in any order, each once. Things that the same values reach become one, of weight
        their number; the others keep their order."""
        order = np.lexsort((value, thing))
        cut = np.flatnonzero(np.diff(thing[order], prepend=-1))
        groups: dict[bytes, int] = {}
        weight: list[int] = []
        kept: list[NDArray[np.int64]] = []
        for reached in np.split(value[order], cut[1:]) if len(cut) else []:
            at = groups.setdefault(reached.tobytes(), len(weight))
            if at == len(weight):
                weight.append(0)
                kept.append(reached)
            weight[at] += 1
        rows = np.concatenate(kept) if kept else np.zeros(0, np.int64)
        columns = np.repeat(np.arange(len(kept)), [len(reached) for reached in kept])
        cells = (np.ones(len(rows), np.int64), (rows, columns))
        return cls(coo_array(cells, shape=(values, len(kept))).tocsr(), np.array(weight, np.int64))

    @cached_property
    def by_thing(self) -> csr_array:
        """The transpose: rows are things."""
        return self.reach.T.tocsr()

    def total(self, chosen: Chosen) -> int:
        """The weight that the chosen values reach together."""
        return int(self.weight[self.by_thing @ chosen.astype(np.int64) > 0].sum())


@dataclass(frozen=True)
class Problem:
    """Values to choose from.

    Attributes:
        stops: the targets that each value stops.
        hits: the innocents that each value hits.
    """

    stops: Sets
    hits: Sets

    @classmethod
    def of(
        cls,
        values: int,
        stops: tuple[NDArray[np.int64], NDArray[np.int64]],
        hits: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> "Problem":
        """From pairs (value, target) and (value, innocent), each once."""
        return cls(Sets.of(*stops, values), Sets.of(*hits, values))

    @property
    def values(self) -> int:
        """How many there are to choose from."""
        return int(self.stops.reach.shape[0])

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
        """Pairs of a value and what it reaches."""
        return int(self.stops.reach.nnz + self.hits.reach.nnz)

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


def cover(problem: Problem, need: int, seconds: float = 0.0) -> Cover:
    """Choose values that stop at least `need` targets at a low cost.

    Args:
        problem: what there is to choose from.
        need: targets to stop, from 0 to `problem.reachable`.
        seconds: a small problem is solved exactly, if that takes no longer; with 0 none is.

    Raises:
        UsageError: `need` is out of its range.
    """
    if not 0 <= need <= problem.reachable:
        raise UsageError(f"{need:,} targets cannot be stopped, {problem.reachable:,} can.")
    better, bound, optimal = None, None, need == 0
    if seconds and need and problem.size <= SMALL:
        better, bound, optimal = exact(problem, need, seconds)
    found = better if better is not None and optimal else approximate(problem, need)
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

    y_v says that value v is chosen, x_t that target t is stopped, z_i that innocent i is hit; w are weights:

        minimise    sum w_i z_i + price · sum y_v
        subject to  sum w_t x_t ≥ need,  x_t ≤ sum of y_v that stop t,  z_i ≥ y_v for each v that hits i

    Only y must be whole: then the best x and z are. The choice is None where none was found in time.
    """
    stops, hits = problem.stops, problem.hits
    values, targets, innocents = problem.values, len(stops.weight), len(hits.weight)
    pairs = hits.reach.tocoo()
    at = np.arange(pairs.nnz)
    ones = np.ones(pairs.nnz)
    chosen_hits = coo_array((-ones, (at, pairs.row)), shape=(pairs.nnz, values))
    hit = coo_array((ones, (at, pairs.col)), shape=(pairs.nnz, innocents))
    enough = csr_array(stops.weight[None, :].astype(np.float64))
    blocks: Any = [
        [stops.by_thing.astype(np.float64), -eye_array(targets), None],
        [None, enough, None],
        [chosen_hits, None, hit],
    ]
    rows = block_array(blocks).tocsc()
    low = np.concatenate([np.zeros(targets), [need], np.zeros(pairs.nnz)])
    found = milp(
        np.concatenate([np.full(values, problem.price), np.zeros(targets), hits.weight]),
        constraints=LinearConstraint(rows, low, np.inf),
        integrality=np.concatenate([np.ones(values), np.zeros(targets + innocents)]),
        bounds=Bounds(0, 1),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    bound = found.mip_dual_bound
    bound = 0.0 if bound is None or not math.isfinite(bound) else max(0.0, float(bound))
    if found.x is None:
        return None, bound, False
    chosen = found.x[:values] > 0.5
    return chosen, bound, bool(found.status == 0 and stops.total(chosen) >= need)


class _Search:
    """A choice, and for each value what adding it would bring, kept up to date as values come and go."""

    def __init__(self, problem: Problem, need: int) -> None:
        self.problem = problem
        self.need = need
        self.chosen: Chosen = np.zeros(problem.values, np.bool_)
        self.stopped, self.hit = _Reached(problem.stops), _Reached(problem.hits)

    @property
    def cost(self) -> float:
        return self.hit.total + self.problem.price * int(self.chosen.sum())

    def _set(self, value: int, chosen: bool) -> None:
        self.chosen[value] = chosen
        self.stopped.change(value, 1 if chosen else -1)
        self.hit.change(value, 1 if chosen else -1)

    def back_to(self, chosen: Chosen) -> None:
        for value in np.flatnonzero(self.chosen != chosen).tolist():
            self._set(value, bool(chosen[value]))

    def fill(self, random: np.random.Generator | None) -> None:
        """Step 1, with noise where there is a generator."""
        while self.stopped.total < self.need:
            gain = np.minimum(self.stopped.fresh, self.need - self.stopped.total)
            worth = gain / (self.hit.fresh + self.problem.price)
            if random is not None:
                worth *= np.exp(random.normal(0.0, _NOISE, len(worth)))
            worth[gain == 0] = _UNWORTH
            self._set(int(np.argmax(worth)), True)

    def prune(self) -> None:
        """Step 2."""
        spare = self.stopped.total - self.need
        at = np.flatnonzero(self.chosen)
        at = at[self.stopped.only(at) <= spare]
        saved = self.hit.only(at)
        for value in at[np.lexsort((at, -saved))].tolist():
            lost = int(self.stopped.only(np.array([value]))[0])
            if self.stopped.total - lost >= self.need:
                self._set(value, False)

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
            self._set(value, False)


class _Reached:
    """How often each thing is reached by the chosen values, and what each value would reach anew."""

    def __init__(self, sets: Sets) -> None:
        self._sets = sets
        self._times = np.zeros(len(sets.weight), np.int64)
        self.total = 0
        self.fresh: NDArray[np.int64] = sets.reach @ sets.weight

    def change(self, value: int, by: int) -> None:
        reach, weight = self._sets.reach, self._sets.weight
        row = reach.indices[reach.indptr[value] : reach.indptr[value + 1]]
        before = self._times[row]
        self._times[row] = before + by
        turned = row[(before == 0) if by > 0 else (before == 1)]
        if not len(turned):
            return
        self.total += by * int(weight[turned].sum())
        values, lengths = _gather(self._sets.by_thing, turned)
        np.subtract.at(self.fresh, values, by * np.repeat(weight[turned], lengths))

    def only(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """What would not be reached without each of the chosen values."""
        things, lengths = _gather(self._sets.reach, values)
        alone = np.where(self._times[things] == 1, self._sets.weight[things], 0)
        return np.bincount(np.repeat(np.arange(len(values)), lengths), alone, len(values)).astype(np.int64)

    def near(self, value: int) -> NDArray[np.int64]:
        """Values that reach anything that this one reaches."""
        reach = self._sets.reach
        return _gather(self._sets.by_thing, reach.indices[reach.indptr[value] : reach.indptr[value + 1]])[0]


def _gather(rows: csr_array, at: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The columns of some rows, one row after the other, and how many each has."""
    start = rows.indptr[at].astype(np.int64)
    lengths = rows.indptr[at + 1].astype(np.int64) - start
    offset = np.repeat(start - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return rows.indices[offset + np.arange(int(lengths.sum()))].astype(np.int64), lengths


def ordered(problem: Problem, chosen: Chosen) -> Iterator[tuple[int, int, int]]:
    """The chosen values in greedy order: (value, targets that it stops anew, innocents that it hits anew)."""
    search = _Search(problem, 0)
    left = np.flatnonzero(chosen)
    while len(left):
        gain, harm = search.stopped.fresh[left], search.hit.fresh[left]
        best = int(np.lexsort((left, -gain, -gain / (harm + problem.price)))[0])
        yield int(left[best]), int(gain[best]), int(harm[best])
        search._set(int(left[best]), True)
        left = np.delete(left, best)
