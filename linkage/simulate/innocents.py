"""Innocents who look like rings: people who live, work or study together."""

import numpy as np

from linkage.simulate.people import ALWAYS, AWAKE, CLOCK, TOGETHER, Cohort
from linkage.simulate.world import DAY


def household(c: Cohort) -> None:
    """Shares a home, a tablet, often a card and an address. Told by its size, own words and sign-ups far apart."""
    c.like_home()
    c.on(c.each(c.new()), c.each(c.rng.random(c.groups) < 0.5) * 0.4)
    one_card = c.each(c.rng.random(c.groups) < 0.45) & c.some(0.85)
    c.pay(c.each(c.new()), one_card)
    c.cards = np.where(one_card, c.cards * c.some(0.3), c.cards)
    c.note("address", c.each(c.new()), c.each(c.rng.random(c.groups) < 0.3))


def _company(c: Cohort, *, verified: bool) -> None:
    world, rng = c.world, c.rng
    egress = c.pools(world.net.static(rng, 2 * c.groups), np.full(c.groups, 2))
    c.at(c.each(egress), c.each(c.span(0.5, 9)) * c.some(c.each(rng.uniform(0.6, 1, c.groups))))
    by_company = c.some(c.each(rng.beta(2.5, 1, c.groups)))
    c.pay(c.each(c.new()), by_company)
    c.cards = np.where(by_company, c.cards * c.some(0.1), c.cards)
    templates = world.pools.add(world.templates.new(3 * c.groups), np.full(c.groups, 3))
    c.say(c.each(templates), c.each(c.span(0.15, 4)) * c.some(0.8))
    named = c.each(rng.random(c.groups) < (0.95 if verified else 0.6)) & c.some(0.92)
    c.domain = np.where(named, c.each(world.domains.new(rng, c.groups)), c.domain)
    c.org = np.where(c.some(0.95 if verified else 0.45), c.each(c.new()), 0).astype(np.uint64)
    c.verified[:] = verified
    c.zone = np.where(c.some(0.85), c.each(c.zone[np.cumsum(c.sizes) - c.sizes]), c.zone)
    # Many come together: a company rolls it out on a day.
    day = c.each(rng.uniform(-400, world.days * 0.7, c.groups)) * DAY
    rollout = c.each(rng.random(c.groups) < 0.5) & c.some(0.7)
    old = c.created
    c.join(day, day + 6 * DAY)
    c.created = np.where(rollout, c.created, old)
    c.refit()
    # A script at night, on whoever set it up.
    c.daily.rhythm = np.where(c.some(0.08), rng.choice([ALWAYS, CLOCK], c.n), c.daily.rhythm)
    c.daily.count = c.daily.count + (c.some(0.25) * c.volume(25))


def company(c: Cohort) -> None:
    """Shares NAT, a card, a mail domain and templates. Told by its verified organisation and working days."""
    _company(c, verified=True)


def unverified_company(c: Cohort) -> None:
    """As a company, and nobody verified it. Told by own words beside the templates, waking hours and slow sign-ups."""
    _company(c, verified=False)


def reseller(c: Cohort) -> None:
    """Shares one payment reference with dozens or hundreds of clients. Told by own homes, devices and words."""
    billed = c.some(c.each(c.rng.uniform(0.7, 1, c.groups)))
    c.pay(c.each(c.new()), billed, "invoice")
    c.cards = np.where(billed, 0, c.cards)
    console = c.each(c.new())
    c.on(console, c.some(0.2) * 0.05)


def campus(c: Cohort) -> None:
    """Shares NAT, a mail domain and a lab's devices. Told by hundreds of people who pay and speak for themselves."""
    egress = c.rng.integers(1, 9, c.groups)
    c.at(c.each(c.pools(c.world.net.static(c.rng, int(egress.sum())), egress)), c.rng.gamma(1.5, 0.5, c.n))
    c.domain = np.where(c.some(0.8), c.each(c.world.domains.new(c.rng, c.groups, (".edu", ".ac.uk"))), c.domain)
    c.on(c.each(c.tokens(c.rng.integers(3, 30, c.groups))), c.some(0.3) * 0.2)
    c.zone = c.each(c.zone[np.cumsum(c.sizes) - c.sizes])


def course(c: Cohort) -> None:
    """Shares an assignment's prompts in the same weeks, some from a campus. Told by few prompts each and own cards."""
    world, rng = c.world, c.rng
    c.at(c.each(world.net.static(rng, c.groups)), c.some(0.5) * 0.8)
    c.domain = np.where(c.some(0.6), c.each(world.domains.new(rng, c.groups, (".edu", ".ac.uk"))), c.domain)
    c.zone = c.each(c.zone[np.cumsum(c.sizes) - c.sizes])
    start = c.each(rng.uniform(0, world.days - 8, c.groups)) * DAY
    early = c.some(0.5)
    old = c.created
    c.join(np.maximum(start - 6 * DAY, -90 * DAY), start + DAY)
    c.created = np.where(early, c.created, np.minimum(old, start))
    c.refit()
    templates = c.pools(world.templates.new(c.groups * 2, slots=(1, 2)), np.full(c.groups, 2))
    items = c.each(c.new()), c.each(rng.integers(4, 60, c.groups))
    lab = c.pools(
        ((rng.uniform(0, 7, c.groups * 4)) * DAY + np.repeat(start[np.cumsum(c.sizes) - c.sizes], 4)),
        np.full(c.groups, 4),
    )
    weeks = c.each(rng.uniform(5, 20, c.groups)) * DAY
    c.work(
        c.volume(14, 0.7) * c.some(0.9), templates=[(c.each(templates), np.ones(c.n), False)], lists=[items],
        rhythm=np.where(c.some(0.4), TOGETHER, AWAKE), jobs=c.each(lab), spread=2_400.0,
        since=np.maximum(start, c.created).astype(np.int64),
        until=np.minimum(start + weeks, world.end).astype(np.int64),
    )  # fmt: skip


def relatives(c: Cohort) -> None:
    """Shares a card across homes: a parent pays for grown children. Told by two to five people, years apart."""
    paid = c.some(0.85)
    c.pay(c.each(c.new()), paid)
    c.cards = np.where(paid, c.cards * c.some(0.35), c.cards)


def friends(c: Cohort) -> None:
    """Shares the cost of a plan: one card, sometimes an address. Told by three to six people with own devices."""
    paid = c.some(0.9)
    c.pay(c.each(c.new()), paid)
    c.cards = np.where(paid, c.cards * c.some(0.2), c.cards)
    c.at(c.each(c.world.net.static(c.rng, c.groups)), c.each(c.rng.random(c.groups) < 0.4) * c.rng.gamma(1.5, 0.4, c.n))
    start = c.each(c.rng.uniform(-200, c.world.days * 0.6, c.groups)) * DAY
    c.join(start, start + c.each(c.span(0.1, 60)) * DAY)


def own_accounts(c: Cohort) -> None:
    """Shares a person: home, hours, topics, half the devices; each account has a card. Told by being two to four."""
    c.like_home()
    head = (np.cumsum(c.sizes) - c.sizes)[c.group]
    c.topic, c.peak, c.agent = c.topic[head], c.peak[head], c.agent[head]
    c.on(c.each(c.new()), c.each(c.span(0.2, 3)))
    c.pay(c.each(c.new()), c.each(c.rng.random(c.groups) < 0.35))


def coworking(c: Cohort) -> None:
    """Shares the address of a café, a dormitory or a coworking space some of the time. Told by lives that differ."""
    places = c.rng.integers(1, 4, c.groups)
    c.at(c.each(c.pools(c.world.net.static(c.rng, int(places.sum())), places)), c.rng.gamma(1.2, 0.5, c.n))


def call_centre(c: Cohort) -> None:
    """Shares terminals, an address, an invoice and templates, by day and night. Told by shifts at one place for all."""
    world, rng = c.world, c.rng
    terminals = np.maximum(c.sizes // rng.integers(2, 4, c.groups), 1)
    c.on(c.each(c.tokens(terminals)), c.each(c.span(2, 12)))
    c.at(c.each(world.net.static(rng, c.groups)), c.each(c.span(3, 12)))
    c.peak = rng.choice([10.0, 18.0, 2.0], c.n)
    billed = c.some(0.85)
    c.pay(c.each(c.new()), billed, "invoice")
    c.cards = np.where(billed, 0, c.cards)
    start = c.each(rng.uniform(-150, world.days * 0.6, c.groups)) * DAY
    c.join(start, start + c.each(c.span(1, 30)) * DAY)
    c.say(c.each(c.pools(world.templates.new(5 * c.groups), np.full(c.groups, 5))), c.each(c.span(1, 6)))
    c.daily.count = c.daily.count + c.volume(c.each(c.span(10, 50)), 0.5)
