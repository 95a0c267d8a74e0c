"""Search null models as the real sightings were searched, several at a time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.identify import Sightings
from linkage.model import LISTED_SCORE
from linkage.significance.q_values import LISTED_Q
from linkage.significance.rewire import Lives, by_chance, exchanged, rewired

Found = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Strength (bits) and score (0 to 1) of each ring of a null model."""

FLOOR: Final = 0.01
"""There are as many null models as the least q-value needs to be this, within the bounds below."""

FEWEST_NULLS: Final = 3
MOST_NULLS: Final = 39

AFFORDED_TIES: Final = 60_000_000
"""Beyond those without which nothing could be listed, all null models together have at most so many ties."""

TIES_AT_ONCE: Final = 12_000_000
"""Null models that are searched at the same time have at most so many ties: each takes up to about 400 bytes."""

STANDS: Final = 0.05
"""A null model stands for a case with so many more or fewer accounts or ties than the one that it was drawn from."""


@dataclass(frozen=True)
class NullModel:
    """What a search found in a null model, kept for later runs.

    Attributes:
        question: what was searched how, in words that are equal for equal searches.
        accounts, ties: of the sightings that it was drawn from.
        found: strength (bits) and score (0 to 1) of each of its rings.
    """

    question: str
    accounts: int
    ties: int
    found: Found


def standing(kept: Sequence[NullModel], question: str, sightings: Sightings) -> list[NullModel]:
    """Those of an earlier run's null models that still stand for `sightings` (`STANDS`), searched in the same way.

    A case that grows by a little has nearly the same null models, and they cost as much as the search itself each.
    """

    def near(then: int, now: int) -> bool:
        return abs(now - then) <= STANDS * then

    return [
        null
        for null in kept
        if null.question == question and near(null.accounts, sightings.accounts) and near(null.ties, sightings.ties)
    ]


def how_many(listed: int, ties: int) -> int:
    """Null models enough for the least q-value to be `FLOOR`, or where that cannot be afforded, `LISTED_Q`.

    Args:
        listed: rings whose score reaches the line. Without any none can be listed, and few null models do.
        ties: sightings, those of values that only one account has among them.

    >>> how_many(0, 10**5), how_many(1, 10**5), how_many(5, 10**5), how_many(400, 10**5), how_many(1, 10**7)
    (3, 39, 19, 3, 19)
    """
    if not listed:
        return FEWEST_NULLS
    needed, wanted = (int(np.ceil(1 / (floor * listed))) - 1 for floor in (LISTED_Q, FLOOR))
    return max(FEWEST_NULLS, needed, min(wanted, MOST_NULLS, AFFORDED_TIES // max(ties, 1)))


def how_many_more(strength: NDArray[np.float64], score: NDArray[np.float64], found: Sequence[Found]) -> int:
    """Null models that are missing for rings stronger than all of those so far to be listed.

    Of 28 rings whose score reaches the line three may be beyond chance: three null models give them 1 / 12 at best.

    Args:
        strength, score: of the real rings.
        found: what the null models so far show.
    """
    strongest = max((null.max(initial=-np.inf) for null, _ in found), default=np.inf)
    beyond = int(((strength > strongest) & (score >= LISTED_SCORE)).sum())
    needed = int(np.ceil(1 / (LISTED_Q * beyond))) - 1 if beyond else 0
    return max(0, needed - len(found))


def search_nulls(
    sightings: Sightings,
    search: Callable[[Sightings, Lives], Found],
    *,
    nulls: int,
    seed: int,
    threads: int = 1,
    after: int = 0,
) -> list[Found]:
    """What `search` finds in null models of `sightings`.

    Not only who is seen with what is drawn at random, but also who lives how: with many values, a ring's accounts meet
    each other in a null model, too, and would be found for living alike.

    An interrupt takes effect when the null models that are being searched are done.

    Args:
        sightings: as identified.
        search: called in several threads at once, with a null model and with whose life each account leads in it
            (int64[A], `Profiles.of`).
        nulls: how many.
        seed: the same gives the same null models, whatever the number of threads.
        threads: at most so many are searched at once; fewer where memory would be short.
        after: so many null models of the seed have been searched before: the next ones are.

    Raises:
        whatever `search` raises.
    """
    stopped = threading.Event()
    sightings = by_chance(sightings)
    tied = np.unique(np.concatenate((sightings.account, sightings.alone.account)))
    # A longer draw begins with the shorter one.
    states = np.random.SeedSequence(seed).generate_state(after + nulls, np.uint64)
    seeds = [int(state) for state in states[after:]]

    def one(its_seed: int) -> Found:
        null, lives = exchanged(rewired(sightings, its_seed), tied, its_seed)
        # Between drawing and searching there is a moment to stop, too.
        return (np.zeros(0), np.zeros(0)) if stopped.is_set() else search(null, lives)

    at_once = max(1, min(threads, TIES_AT_ONCE // max(sightings.ties, 1)))
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="null")
    try:
        return [future.result() for future in [pool.submit(one, its_seed) for its_seed in seeds]]
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)
