"""The world `campaigns`: three distillation campaigns of the size that was published, among a million customers.

The published campaigns had about 24,000 accounts and 16 million exchanges together. Here they have 20,000, 3,400 and
600 accounts in a world of 1,000,000, and in proportion in others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from linkage.simulate import customers
from linkage.simulate.crews import everyday, exits, hands, of_pool, recruit, scripts, taken_over, wallets
from linkage.simulate.hashing import Flags, Ints
from linkage.simulate.mix import INNOCENTS
from linkage.simulate.people import ALWAYS, AWAKE, Cohort
from linkage.simulate.structures import Structure, build
from linkage.simulate.world import World

SIZES: Final = (20_000, 3_400, 600)
"""Accounts of the campaigns among 1,000,000."""

EXCHANGES: Final = 16_000_000
"""Of all campaigns, among 1,000,000 accounts."""

_CUSTOMERS: Final = 0.25
"""The share of a campaign's exchanges that are ordinary customers'."""


@dataclass(frozen=True)
class Campaigns(Structure):
    """The three campaigns, a cohort each."""

    def cohorts(self, world: World) -> Iterator[Cohort]:
        """One campaign after the other."""
        for number, size in enumerate(SIZES):
            sizes = np.array([max(3, round(size * world.accounts / 1_000_000))])
            yield Cohort(world, self.name, world.chance(self.name, number), sizes, number, True)


def campaign(c: Cohort) -> None:
    """A hydra of one campaign: exits of proxy resellers, many cards, templates and dealt lists, customers' traffic."""
    recruit(c)
    rng = c.rng
    stream = hands(c)
    scripts(c, stream, (6, 40), own=0.15)
    pool = exits(c, c.span(1, 4), homes=0.5)
    mine = of_pool(c, pool, 2 + rng.poisson(9, c.n))
    stream.places = [*everyday(c), (mine, np.full(c.n, 1.4), True)]
    wallets(c, c.span(4, 15), rng.uniform(0.3, 0.7, c.groups))
    ordinary = c.work(c.daily.count)
    crowd = c.each(c.new()), c.each(c.sizes * 3_000)
    ordinary.templates = [(np.zeros(c.n, dtype=np.uint64), np.ones(c.n), False), c.daily.templates[1]]
    ordinary.lists = [crowd, c.daily.lists[1]]
    ordinary.rhythm = np.where(c.some(0.5), ALWAYS, AWAKE)
    ordinary.places = [*everyday(c), (mine, np.ones(c.n), False)]
    wanted = EXCHANGES * float(c.sizes.sum()) / sum(SIZES)
    there = np.minimum(stream.until, c.banned) - stream.since > 3_600
    stream.count = _add_up(c, there, wanted * (1 - _CUSTOMERS))
    ordinary.count = _add_up(c, there, wanted * _CUSTOMERS)
    c.daily.count = c.daily.count // 4
    taken_over(c, stream)


def _add_up(c: Cohort, there: Flags, wanted: float) -> Ints:
    """Heavy-tailed numbers of exchanges that add up to about `wanted`."""
    drawn = np.exp(c.rng.normal(0, 1.2, c.n)) * there
    counts: Ints = np.round(drawn * wanted / max(drawn.sum(), 1e-9)).astype(np.int64)
    return counts


# Customers at volume are more common where campaigns of volume can hide.
_AROUND: Final = tuple(
    replace(one, share=0.03) if one.build in (customers.bot, customers.evaluator) else one for one in INNOCENTS
)


def campaigns(world: World) -> None:
    """Build it."""
    build(world, (Campaigns(campaign, 0.024, 0, 0, 3, 20_000, ring=True), *_AROUND))
