"""Innocents who look like rings: customers of one service, event or tool, and people who work at volume."""

import numpy as np

from linkage.simulate.people import ALWAYS, AWAKE, CLOCK, TOGETHER, Cohort
from linkage.simulate.world import DAY


def evaluator(c: Cohort) -> None:
    """Shares a public benchmark's questions, sent at volume at any hour. Told by strangers' accounts, years apart."""
    world, rng = c.world, c.rng
    which = c.each(rng.integers(0, len(world.benchmarks), c.groups))
    runs = c.pools((rng.random(c.groups * 6) * world.end).astype(np.int64), np.full(c.groups, 6))
    c.work(
        c.volume(c.each(c.span(30, 150)), 0.9),
        templates=[(world.harnesses[which].astype(np.uint64), np.ones(c.n), False)],
        lists=[(world.benchmarks[which], rng.integers(150, 6_000, len(world.benchmarks))[which])],
        rhythm=rng.choice([AWAKE, ALWAYS, CLOCK, TOGETHER], c.n), jobs=c.each(runs), spread=5_000.0,
    )  # fmt: skip
    laboratory = c.each(world.net.static(rng, c.groups))
    c.at(laboratory, c.each(rng.random(c.groups) < 0.35) * 2.0)


def framework_user(c: Cohort) -> None:
    """Shares a framework's or a tutorial's prompt, as thousands do; bots among them. Told by all else, which is own."""
    template = c.each(c.world.frameworks[c.rng.choice(60, c.groups, p=c.world.framework_shares)])
    c.say(template.astype(np.uint64), c.each(c.span(1, 9)))
    c.daily.rhythm = np.where(c.some(0.15), c.rng.choice([ALWAYS, CLOCK], c.n), c.daily.rhythm)


def hackathon(c: Cohort) -> None:
    """Shares a venue's address, a voucher, a starter prompt and a sign-up hour. Told by the lives apart that follow."""
    world, rng = c.world, c.rng
    start = c.each(rng.uniform(-100, world.days * 0.9, c.groups)) * DAY
    c.join(start, start + c.each(c.span(1, 8)) * 3600)
    c.pay(c.each(c.new()), c.some(0.8), "voucher")
    c.cards = np.where(c.some(0.6), 0, c.cards)
    venue = c.pools(world.net.static(rng, 2 * c.groups), np.full(c.groups, 2))
    starter = c.pools(world.templates.new(2 * c.groups), np.full(c.groups, 2))
    c.work(
        c.volume(20, 1.0), places=[(c.each(venue), np.ones(c.n), True)], since=c.created, until=c.created + 2 * DAY,
        templates=[c.daily.templates[0], (c.each(starter), np.full(c.n, 0.7), False)], lists=[c.daily.lists[0]] * 2,
    )  # fmt: skip


def bot(c: Cohort) -> None:
    """Shares nothing; works round the clock, at volume, from a server, by its own template. Told by being alone."""
    world, rng = c.world, c.rng
    own = world.templates.new(c.n)
    c.work(
        c.volume(160, 1.1), templates=[(own.astype(np.uint64), np.ones(c.n), False)], lists=[c.daily.lists[0]],
        places=[(world.net.servers(c.n), np.ones(c.n), True)], rhythm=rng.choice([ALWAYS, ALWAYS, CLOCK], c.n),
    )  # fmt: skip


def public_device(c: Cohort) -> None:
    """Shares a library's or a shop's terminal and its address. Told by single visits."""
    c.on(c.each(c.tokens(c.rng.integers(1, 6, c.groups))), c.rng.gamma(1, 0.15, c.n))
    c.at(c.each(c.world.net.static(c.rng, c.groups)), c.rng.gamma(1, 0.15, c.n))


def gateway(c: Cohort) -> None:
    """Shares the few exits of a corporate VPN that many firms rent. Told by firms and cards that differ."""
    exits = c.rng.integers(2, 12, c.groups)
    c.at(c.each(c.pools(c.world.net.servers(int(exits.sum())), exits)), c.rng.gamma(2, 1.0, c.n))


def agency(c: Cohort) -> None:
    """Shares an agency's office, devices and card with its clients. Told by clients who also live without it."""
    world, rng = c.world, c.rng
    office = c.each(world.net.static(rng, c.groups))
    laptops = c.each(c.tokens(rng.integers(1, 5, c.groups)))
    served = rng.beta(1.2, 1.2, c.n)
    c.at(office, served * 3)
    c.on(laptops, served * 3)
    paid = c.some(0.3)
    c.pay(c.each(c.new()), paid)
    c.cards = np.where(paid, 0, c.cards)
    c.say(c.each(c.pools(world.templates.new(4 * c.groups), np.full(c.groups, 4))), served * 2)
    c.note("api_key", c.each(c.new()), c.some(0.4))
    head = (np.cumsum(c.sizes) - c.sizes)[c.group]
    clients = np.nonzero(c.some(0.5))[0]
    c.link(head[clients], clients, "invite")


def broken_client(c: Cohort) -> None:
    """Shares 0.0.0.0 and an unknown device, which stand for nothing. Told by just that."""
    c.at(np.zeros(c.n, dtype=np.uint64), 4.0)
    c.on(np.ones(c.n, dtype=np.uint64), 4.0)


def second_hand(c: Cohort) -> None:
    """Shares a device that was sold: one uses it until a day, the other from then on. Told by the times."""
    sold = c.each(c.rng.uniform(5, c.world.days - 5, c.groups)) * DAY
    buyer = np.arange(c.n) - (np.cumsum(c.sizes) - c.sizes)[c.group] > 0
    device = c.each(c.new())
    c.work(
        c.volume(12), devices=[(device, np.ones(c.n), True)],
        since=np.where(buyer, sold, 0).astype(np.int64), until=np.where(buyer, c.world.end, sold).astype(np.int64),
    )  # fmt: skip


def follower(c: Cohort) -> None:
    """Shares a referrer, a day and some pasted prompts: they saw a video. Told by own homes, cards and words."""
    start = c.each(c.rng.uniform(-60, c.world.days * 0.9, c.groups)) * DAY
    c.join(start, start + c.each(c.span(0.5, 12)) * DAY)
    pasted = c.each(c.world.templates.new(c.groups, slots=(0, 1))).astype(np.uint64)
    c.say(pasted, c.some(0.7) * 0.5, c.each(c.new()), 20)
    head = (np.cumsum(c.sizes) - c.sizes)[c.group]
    came = np.nonzero(c.some(0.7))[0]
    c.link(head[came], came, "referral")


def marketplace(c: Cohort) -> None:
    """Shares the payment reference of a cloud marketplace and its egress. Told by hundreds with own devices."""
    c.pay(c.each(c.new()), c.some(0.9), "invoice")
    c.cards = np.where(c.some(0.85), 0, c.cards)
    exits = c.rng.integers(3, 25, c.groups)
    c.at(c.each(c.pools(c.world.net.servers(int(exits.sum())), exits)), c.some(0.5) * 1.0, steady=False)


def installer(c: Cohort) -> None:
    """Shares the device and the address at which a shop set the accounts up, in their first hour only. Told by that."""
    since = np.maximum(c.created, 0)
    fresh = np.where((c.created > 0) | c.some(0.4), 1 + c.rng.poisson(2, c.n), 0)
    c.work(
        fresh, places=[(c.each(c.world.net.static(c.rng, c.groups)), np.ones(c.n), True)],
        devices=[(c.each(c.new()), np.ones(c.n), True)], since=since, until=since + DAY // 2,
        templates=[c.daily.templates[0]], lists=[c.daily.lists[0]],
    )  # fmt: skip
