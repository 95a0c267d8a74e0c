"""What a structure is: a share of the accounts, sizes of its groups, and the function that builds it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from linkage.simulate.hashing import Ints
from linkage.simulate.lives import settle
from linkage.simulate.people import Cohort
from linkage.simulate.world import BATCH, World


@dataclass(frozen=True)
class Structure:
    """A structure of a world.

    Attributes:
        build: changes the groups of a cohort of ordinary people; its docstring says what they share, and what tells
            them from fraud or from innocents.
        share: of all accounts.
        median, sigma: of the log-normal sizes of groups.
        least, most: bounds of the sizes; `most` grows with the world where `grows`, up to a fiftieth of it.
        tail: for Pareto sizes from `least` on, the exponent; 0 for log-normal ones.
        ring: whether each group is one hand's.
    """

    build: Callable[[Cohort], None]
    share: float
    median: float
    sigma: float
    least: int
    most: int
    tail: float = 0.0
    ring: bool = False

    @property
    def name(self) -> str:
        """The name of its function, with dashes."""
        return self.build.__name__.replace("_", "-")

    def cohorts(self, world: World) -> Iterator[Cohort]:
        """Its groups, in cohorts of about `BATCH` accounts."""
        rng = world.chance(self.name)
        sizes = self._sizes(rng, world.accounts)
        bounds = np.unique(np.searchsorted(np.cumsum(sizes), np.arange(BATCH, int(sizes.sum()) + BATCH, BATCH)))
        for part in np.split(np.arange(len(sizes)), bounds):
            if len(part):
                yield Cohort(
                    world, self.name, world.chance(self.name, int(part[0])), sizes[part], int(part[0]), self.ring
                )

    def _sizes(self, rng: np.random.Generator, accounts: int) -> Ints:
        wanted = max(self.share * accounts, self.least)
        most = max(self.least, min(self.most, round(accounts / 50)))
        drawn: list[int] = []
        while sum(drawn) < wanted:
            size = (
                self.least * (1 + rng.pareto(self.tail))
                if self.tail
                else rng.lognormal(np.log(self.median), self.sigma)
            )
            left = wanted - sum(drawn)
            # The last group takes what is left, where that is a group at all.
            drawn.append(int(np.clip(size, self.least, max(min(most, left), self.least))))
        return np.array(drawn, dtype=np.int64)


def build(world: World, structures: tuple[Structure, ...]) -> None:
    """Build structures, then ordinary people until the world has its size."""
    for structure in structures:
        for cohort in structure.cohorts(world):
            structure.build(cohort)
            for made in (cohort, *cohort.after):
                settle(made)
    _people(world)


def _people(world: World) -> None:
    left = world.accounts - world.parts.rows["accounts"]
    first: Final = 0
    for number, start in enumerate(range(0, left, BATCH)):
        sizes = np.ones(min(BATCH, left - start), dtype=np.int64)
        settle(Cohort(world, "", world.chance("people", number), sizes, first, False))
