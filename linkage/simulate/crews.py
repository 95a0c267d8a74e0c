"""What rings are made of: recruits, work, scripts, wallets, exits and victims.

Sharing is partial and noisy: a member has some of the ring's values, and a home, devices, words and hours of its own.
"""

from typing import Any

import numpy as np

from linkage.simulate.hashing import Floats, Ints, Words
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
    length = np.maximum(c.sizes * c.span(40, 300), 300).astype(np.int64)
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
    pool = c.each(c.pools(_stolen(c, c.world.new(int(number.sum())), number), number))
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


def _stolen(c: Cohort, cards: Words, number: Ints) -> Words:
    """Replace some cards of some rings by cards of customers, who become victims: `stolen-card-victim`."""
    thief = c.rng.random(c.groups) < 0.3
    taken = np.nonzero(np.repeat(thief, number) & (c.rng.random(len(cards)) < 0.25))[0]
    if len(taken):
        owners = _victims(c, "stolen-card-victim", len(taken))
        owners.cards = np.maximum(owners.cards, 1)
        cards[taken] = c.world.token(owners.account, 40)
    return cards


def _victims(c: Cohort, name: str, count: int) -> Cohort:
    """Ordinary customers of some tenure, of whom something was taken. They are innocent."""
    first = c.world.counts.get(name, {}).get("instances", 0)
    victims = Cohort(c.world, name, c.world.chance(c.name, c.first, name), np.ones(count, dtype=np.int64), first, False)
    victims.join(-600 * DAY, -20 * DAY)
    c.after.append(victims)
    return victims


def taken_over(c: Cohort, stream: Stream) -> None:
    """Some rings also use accounts that they broke into, from some day on: `taken-over-account`. These are innocent."""
    rng = c.rng
    guilty = np.nonzero(c.each(rng.random(c.groups) < 0.4) & c.some(0.06))[0]
    if not len(guilty):
        return
    victims = _victims(c, "taken-over-account", len(guilty))
    since = np.maximum(rng.uniform(2, c.world.days - 2, len(guilty)) * DAY, stream.since[guilty]).astype(np.int64)
    until = since + (rng.uniform(0.2, 12, len(guilty)) * DAY).astype(np.int64)
    places, devices, templates = (
        [(value[guilty], weight[guilty], sticks) for value, weight, sticks in sources]
        for sources in (stream.places, stream.devices, stream.templates)
    )
    victims.work(
        rng.integers(3, 40, len(guilty)), since=since, until=until, places=places, templates=templates,
        lists=[(items[guilty], length[guilty]) for items, length in stream.lists], devices=devices,
        rhythm=stream.rhythm[guilty], jobs=None if stream.jobs is None else stream.jobs[guilty],
    )  # fmt: skip
