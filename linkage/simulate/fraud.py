"""Rings: accounts that one hand runs, each kind by another tactic.

Sharing is partial and noisy: a member has some of the ring's values, and a home, devices, words and hours of its own.
"""

from typing import Any

import numpy as np

from linkage.simulate.hashing import Floats, Ints
from linkage.simulate.people import ALWAYS, AWAKE, NEVER, TOGETHER, Cohort, Source, Stream
from linkage.simulate.world import DAY


def recruit(c: Cohort) -> None:
    """Sign-ups within days or months, plans and mails as others have; now and then a ban."""
    world, rng = c.world, c.rng
    start = rng.uniform(-120, world.days * 0.5, c.groups)
    c.join(c.each(start) * DAY, c.each(start + c.span(0.5, 70)) * DAY)
    struck = c.some(c.each(rng.beta(0.7, 6, c.groups)))
    c.banned = np.where(
        struck, np.maximum(c.created, 0) + (rng.uniform(1, world.days, c.n) * DAY).astype(np.int64), NEVER
    )
    hosts = rng.integers(0, len(world.domains.disposable), c.groups)
    c.domain = np.where(c.some(c.each(rng.beta(0.3, 2, c.groups))), c.each(world.domains.disposable[hosts]), c.domain)
    c.refit()
    c.daily.count = np.ceil(c.daily.count * c.each(c.span(0.15, 0.9))).astype(np.int64)


def hands(c: Cohort, mean: tuple[float, float] = (12, 60), *, together: float = 0.4) -> Stream:
    """The ring's traffic: by day or at all hours, for some rings in jobs; half moves to a new model at once."""
    world, rng = c.world, c.rng
    awake = c.each(rng.random(c.groups) < 0.45)
    c.zone = np.where(awake, c.each(c.zone[np.cumsum(c.sizes) - c.sizes]), c.zone)
    rhythm = np.where(awake, AWAKE, ALWAYS)
    rhythm = np.where(c.each(rng.random(c.groups) < together) & c.some(0.7), TOGETHER, rhythm)
    number = np.maximum((world.days * c.span(0.3, 4)).astype(np.int64), 4)
    jobs = c.pools((rng.random(int(number.sum())) * world.end).astype(np.int64), number)
    adopts = (np.full(c.n, 0.5), (rng.random(c.n) * DAY * 0.9).astype(np.int64))
    return c.work(c.volume(c.each(c.span(*mean)), 0.8), rhythm=rhythm, jobs=c.each(jobs), adopts=adopts)


def everyday(c: Cohort, weight: float = 0.3) -> list[Source]:
    """The member's ordinary places, which some of the ring's traffic uses too."""
    return [(value, share * weight, sticks) for value, share, sticks in c.daily.places]


def of_pool(c: Cohort, pool: Ints, each: Any) -> Ints:
    """For each account a pool of its own: so many values out of its group's pool."""
    return c.world.pools.parts(c.each(pool), np.broadcast_to(each, c.n), c.rng)


def scripts(
    c: Cohort, stream: Stream, number: tuple[float, float] = (2, 12), *, own: float = 0.25, known: float = 0.0
) -> None:
    """The ring's templates over a list of questions or documents that its members share out.

    Some of the traffic is in own words (`own`), some with framework prompts (`known`), as others have.
    """
    world = c.world
    counts = c.span(*number).astype(np.int64) + 1
    pool = c.pools(world.templates.new(int(counts.sum())), counts)
    mine = of_pool(c, pool, 1 + c.rng.integers(0, 4, c.n))
    length = np.maximum(c.sizes * 30, 200)
    free, none = c.daily.templates[0], c.daily.lists[0]
    framework = world.frameworks[c.rng.choice(60, c.groups, p=world.framework_shares)].astype(np.uint64)
    stream.templates = [
        (free[0], np.full(c.n, own), False),
        (mine, np.ones(c.n), False),
        (c.each(framework), np.full(c.n, known), False),
    ]
    stream.lists = [none, (c.each(c.new()), c.each(length)), none]


def wallets(c: Cohort, holders: Floats, share: Floats) -> None:
    """The ring's cards: each for about so many members, and a share of the members has one of them or two."""
    number = np.maximum(c.sizes / holders, 1).astype(np.int64)
    pool = c.each(c.tokens(number))
    paid = c.some(c.each(share))
    c.pay(c.world.pools.pick(pool, c.rng.random(c.n)), paid, shared=True)
    c.pay(c.world.pools.pick(pool, c.rng.random(c.n)), paid & c.some(0.15), shared=True)
    c.cards = np.where(paid, c.cards * c.some(0.45), c.cards)


def exits(c: Cohort, members: Floats, *, homes: float = 0.0) -> Ints:
    """The ring's addresses, each for about so many members; a share of them is somebody's home."""
    number = np.maximum(c.sizes / members, 1).astype(np.int64) + 1
    total = int(number.sum())
    rented = c.world.net.servers(total)
    lived_in = c.world.net.lived_in(c.rng, total, c.world.days)
    return c.pools(np.where(c.rng.random(total) < homes, lived_in, rented), number)


def payment_only(c: Cohort) -> None:
    """Shares cards and nothing else: own homes, devices and words. Told by cards across people who never meet."""
    recruit(c)
    hands(c)
    wallets(c, c.span(2, 9), c.rng.uniform(0.6, 1, c.groups))


def ip_pool(c: Cohort) -> None:
    """Shares a pool of weak addresses, few members each, many of them real homes. Told by many such meetings."""
    recruit(c)
    stream = hands(c)
    pool = exits(c, c.span(0.4, 1.5), homes=0.7)
    stream.places = [*everyday(c, 0.4), (of_pool(c, pool, 3 + c.rng.poisson(7, c.n)), np.full(c.n, 1.6), True)]


def template_only(c: Cohort) -> None:
    """Shares templates and a list that is shared out, worked off at volume. Own cards, homes and devices."""
    recruit(c)
    scripts(c, hands(c, (25, 80), together=0.6))


def hydra(c: Cohort) -> None:
    """A pool of accounts behind proxies, cards and templates; customers' ordinary traffic flows through all of them."""
    recruit(c)
    world, rng = c.world, c.rng
    customers = c.work(c.volume(c.each(c.span(8, 40))))
    # Customers' words: many people's topics in one account.
    crowd = c.each(c.new()), c.each(np.maximum(c.sizes * 40, 400))
    customers.templates = [(np.full(c.n, 0, dtype=np.uint64), np.ones(c.n), False), c.daily.templates[1]]
    customers.lists = [crowd, c.daily.lists[1]]
    customers.rhythm = np.where(rng.random(c.n) < 0.5, ALWAYS, AWAKE)
    stream = hands(c)
    scripts(c, stream, own=0.1)
    pool = exits(c, c.span(0.8, 3), homes=0.4)
    mine = of_pool(c, pool, 2 + rng.poisson(6, c.n))
    stream.places = [*everyday(c, 0.2), (mine, np.full(c.n, 1.5), False)]
    customers.places = [*everyday(c, 0.2), (mine, np.full(c.n, 1.0), False)]
    wallets(c, c.span(3, 12), rng.uniform(0.3, 0.8, c.groups))
    del world
