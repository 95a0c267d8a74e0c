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

from dataclasses import dataclass
from typing import Final

from linkage.cover.exact import exact
from linkage.cover.problem import Chosen, Hits, Ints, Problem, Stops
from linkage.cover.search import approximate, ordered
from linkage.errors import UsageError

__all__ = ["Chosen", "Cover", "Hits", "Ints", "Problem", "Stops", "approximate", "cover", "exact", "ordered"]

SMALL: Final = 60_000
"""Problems of at most so many (value, account) pairs, of values and accounts that differ, are solved exactly."""


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
