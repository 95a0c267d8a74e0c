"""Rings: accounts that one hand runs, each kind by another tactic."""

from typing import Any

import numpy as np

from linkage.simulate.crews import everyday, exits, hands, of_pool, recruit, scripts, taken_over, wallets
from linkage.simulate.hashing import Flags, Ints, Words
from linkage.simulate.people import ALWAYS, AWAKE, NEVER, Cohort, Stream
from linkage.simulate.world import DAY


def payment_only(c: Cohort) -> None:
    """Shares cards and nothing else. Told by cards across people who never meet, young and working alike."""
    recruit(c)
    hands(c)
    wallets(c, c.span(2, 9), c.rng.uniform(0.6, 1, c.groups))


def ip_pool(c: Cohort) -> None:
    """Shares a pool of weak addresses, few members each, many of them real homes. Told by many such meetings."""
    recruit(c)
    _through(c, hands(c), exits(c, c.span(0.4, 1.5), homes=0.7), 7, 1.6)


def template_only(c: Cohort) -> None:
    """Shares templates, and a list of questions that is dealt out, at volume. Told by one list that nobody repeats."""
    recruit(c)
    scripts(c, hands(c, (25, 80), together=0.6))


def device_only(c: Cohort) -> None:
    """Shares devices on a shelf, each for some members, over own addresses. Told by devices that never go home."""
    recruit(c)
    stream = hands(c)
    stream.devices = [*stream.devices, (_shelf(c, c.span(2, 9)), np.full(c.n, 2.0), True)]


def chain(c: Cohort) -> None:
    """Shares a card, a device or an address with the next member only; no value spans it. Told by its length."""
    recruit(c)
    stream = hands(c)
    after = _next(c)
    kind = c.rng.random(c.n)
    value = c.world.new(c.n)
    inner = after != np.arange(c.n)
    address = c.world.net.static(c.rng, c.n)
    for mine in (np.arange(c.n), after):
        c.pay(*_given(c, value, mine, inner & (kind < 0.45)), shared=True)
        device, has = _given(c, value, mine, inner & (kind >= 0.45) & (kind < 0.75))
        stream.devices.append((device, has * 0.8, True))
        place, has = _given(c, address, mine, inner & (kind >= 0.75))
        stream.places.append((place, has * 0.8, True))


def star(c: Cohort) -> None:
    """Shares one instrument, or only the hub: it has a device of each leaf, and pays them. Told by the hub."""
    recruit(c)
    stream = hands(c)
    by_card = c.rng.random(c.groups) < 0.5
    c.pay(c.each(c.new()), c.each(by_card) & c.some(0.9), shared=True)
    head = np.cumsum(c.sizes) - c.sizes
    devices = c.world.token(c.account, 20)
    pool = c.each(c.world.pools.add(devices, c.sizes))
    hub = np.isin(np.arange(c.n), head[~by_card])
    stream.devices = [*stream.devices, (pool, hub * 6.0, False)]
    stream.count = np.where(hub, np.maximum(stream.count, np.minimum(c.each(c.sizes) * 3, 400)), stream.count)
    paid = np.nonzero(c.some(0.5))[0]
    c.link(head[c.group][paid], paid, "transfer")


def mixed(c: Cohort) -> None:
    """Shares some of everything: cards, exits, devices, templates, each among some members. Told by how they add up."""
    recruit(c)
    stream = hands(c)
    has = [c.rng.random(c.groups) < share for share in (0.7, 0.7, 0.5, 0.7)]
    wallets(c, c.span(3, 14), has[0] * c.rng.uniform(0.3, 0.8, c.groups))
    _through(c, stream, exits(c, c.span(1, 4), homes=0.4), 4, c.each(has[1] * 1.0))
    stream.devices = [*stream.devices, (_shelf(c, c.span(2, 6)), c.each(has[2] * 1.0) * c.some(0.6), True)]
    own = stream.templates, stream.lists
    scripts(c, stream)
    stream.templates += [(value, weight * c.each(~has[3]) * 50, sticks) for value, weight, sticks in own[0]]
    stream.lists += own[1]
    taken_over(c, stream)


def hydra(c: Cohort) -> None:
    """A pool of accounts behind proxies, cards and templates; customers' ordinary traffic flows through all of them."""
    recruit(c)
    stream = hands(c)
    scripts(c, stream, own=0.1)
    mine = _through(c, stream, exits(c, c.span(0.8, 3), homes=0.4), 6, 1.5)
    customers = c.work(c.volume(c.each(c.span(8, 40))))
    # Customers' words: the topics of many people in one account.
    crowd = c.each(c.new()), c.each(np.maximum(c.sizes * 500, 5_000))
    customers.templates = [(np.zeros(c.n, dtype=np.uint64), np.ones(c.n), False), c.daily.templates[1]]
    customers.lists = [crowd, c.daily.lists[1]]
    customers.rhythm = np.where(c.some(0.5), ALWAYS, AWAKE)
    customers.places = [*everyday(c, 0.2), (mine, np.ones(c.n), False)]
    wallets(c, c.span(3, 12), c.rng.uniform(0.3, 0.8, c.groups))
    taken_over(c, stream)


def waves(c: Cohort) -> None:
    """Members are banned together, and others sign up within days with some of the old cards, exits and templates."""
    recruit(c)
    rng, days = c.rng, c.world.days
    number = c.each(rng.integers(2, 5, c.groups))
    wave = np.minimum((_rank(c) / np.maximum(c.each(c.sizes), 1) * number).astype(np.int64), number - 1)
    start = c.each(rng.uniform(-10, 4, c.groups))
    length = (days * 0.95 - start) / number
    born = start + wave * length
    c.created = np.minimum((born + rng.uniform(-2, 3, c.n)) * DAY, c.world.end - DAY).astype(np.int64)
    struck = (born + length + rng.exponential(0.7, c.n)) * DAY
    c.banned = np.where((wave < number - 1) & c.some(0.92), np.maximum(struck, c.created + 3_600), NEVER).astype(
        np.int64
    )
    c.refit()
    stream = hands(c)
    scripts(c, stream)
    chance = np.clip((wave + rng.random(c.n) * 1.5 - 0.25) / number, 0, 0.999)
    cards = np.maximum(c.sizes // rng.integers(3, 10, c.groups), 2)
    c.pay(c.world.pools.pick(c.each(c.tokens(cards)), chance), c.some(0.65), shared=True)
    c.cards = c.cards * c.some(0.5)
    pool = exits(c, c.span(0.8, 3), homes=0.5)
    some = 2 + rng.poisson(4, c.n)
    wide = np.repeat((wave, number), some, axis=1)
    spots = np.clip((wide[0] + rng.random(len(wide[0])) * 1.5 - 0.25) / wide[1], 0, 0.999)
    mine = c.world.pools.add(c.world.pools.pick(np.repeat(c.each(pool), some), spots), some)
    stream.places = [*everyday(c), (mine, np.full(c.n, 1.2), True)]


def slow(c: Cohort) -> None:
    """Shares cards, exits and templates, at a few exchanges a week, by accounts that signed up over a year."""
    recruit(c)
    c.join(-400 * DAY, 10 * DAY)
    stream = hands(c, (4, 12), together=0.2)
    wallets(c, c.span(2, 6), c.rng.uniform(0.3, 0.8, c.groups))
    _through(c, stream, exits(c, c.span(0.5, 2), homes=0.6), 4, 1.0)
    scripts(c, stream, own=0.6)


def camouflage(c: Cohort) -> None:
    """Hides in what is popular: VPN exits, framework prompts, unknown devices. Told by the cards and templates left."""
    recruit(c)
    stream = hands(c)
    vpn = c.world.vpns[c.rng.integers(0, len(c.world.vpns), c.groups)]
    stream.places = [*everyday(c, 0.6), (c.each(vpn), np.ones(c.n), True)]
    stream.devices = [*stream.devices, (np.ones(c.n, dtype=np.uint64), c.some(0.3) * 1.0, True)]
    scripts(c, stream, own=0.5, known=1.2)
    wallets(c, c.span(2, 5), c.rng.uniform(0.4, 0.9, c.groups))
    _through(c, stream, exits(c, c.span(1, 3), homes=0.8), 2, 0.4)


def _through(c: Cohort, stream: Stream, pool: Ints, mean: float, weight: Any) -> Ints:
    """Let traffic go through some of a pool's addresses too; returns each member's own pool."""
    mine = of_pool(c, pool, 2 + c.rng.poisson(mean, c.n))
    places = stream.places if len(stream.places) > len(c.daily.places) else everyday(c)
    stream.places = [*places, (mine, np.broadcast_to(weight, c.n).astype(np.float64), True)]
    return mine


def _shelf(c: Cohort, members: Any) -> Ints:
    """For each member one or two devices of the ring's, each device for about so many members."""
    return of_pool(c, c.tokens(np.maximum(c.sizes / members, 1).astype(np.int64)), 1 + c.rng.integers(0, 2, c.n))


def _rank(c: Cohort) -> Ints:
    """The place of each account in its group, from 0."""
    rank: Ints = np.arange(c.n) - (np.cumsum(c.sizes) - c.sizes)[c.group]
    return rank


def _next(c: Cohort) -> Ints:
    """The next account of the group; the last one's is itself."""
    return np.where(_rank(c) < c.each(c.sizes) - 1, np.arange(c.n) + 1, np.arange(c.n))


def _given(c: Cohort, value: Words, to: Ints, who: Flags) -> tuple[Words, Flags]:
    """Give the values of some accounts to those at `to`; returns what each account got, and whether it did."""
    got, has = np.zeros(c.n, dtype=np.uint64), np.zeros(c.n, dtype=np.bool_)
    got[to[who]], has[to[who]] = value[who], True
    return got, has
