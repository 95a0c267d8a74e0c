"""Choose values by a greedy rule, and better the choice: steps 1 to 3 of `linkage.cover`."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from linkage.cover.problem import Chosen, Hits, Ints, Problem, Stops

ROUNDS: Final = (20, 120)
"""Of step 3: at least and at most so many."""

WORK: Final = 10_000_000
"""Rounds times pairs: large problems get fewer rounds, a second or two of them."""

_NOISE: Final = 0.3
_SEED: Final = 20250214


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
