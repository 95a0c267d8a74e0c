"""Ordinary life: accounts in groups, with homes, phones, devices, cards, days and nights, and words of their own.

A structure gets a `Cohort` of ordinary people and changes what its groups share; `settle` then writes all of them.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from linkage.simulate.hashing import Flags, Floats, Ints, Words
from linkage.simulate.prompts import FREE
from linkage.simulate.world import DAY, DISPOSABLE, HOST_SHARES, World

HOME: Final = -1
"""In the place of a pool: wherever the account's home address is at that time."""

AWAKE, ALWAYS, CLOCK, TOGETHER = 0, 1, 2, 3
"""When an account works: by day, at any hour, on the hour, or when its group's jobs start."""

NEVER: Final = 10_000 * DAY

Source = tuple[Any, Any, bool]
"""For each account the number of a pool (int64) or a value itself (uint64), and a weight; whether a session stays with
one value of the pool."""


@dataclass
class Stream:
    """One kind of traffic of the accounts of a cohort.

    Attributes:
        count: exchanges of each account.
        places, devices: where it comes from; weights need not add up to one.
        templates: what is said: templates or pools of them.
        lists: for each of `templates` the list whose items fill the slots: its value and length; 0 is one's own words.
        rhythm: `AWAKE`, `ALWAYS`, `CLOCK` or `TOGETHER`, for each account.
        jobs: pools of starting seconds, for `TOGETHER`.
        spread: seconds in which most of a job is done.
        since, until: seconds between which it happens, for each account.
        adopts: the share of traffic that a new model takes over, and after how many seconds.
    """

    count: Ints
    places: list[Source]
    devices: list[Source]
    templates: list[Source]
    lists: list[tuple[Any, Any]]
    rhythm: Ints
    since: Ints
    until: Ints
    adopts: tuple[Floats, Ints]
    jobs: Ints | None = None
    spread: float = 1500.0


@dataclass
class Cohort:
    """Accounts in groups, with columns of one length; `ring` marks groups of which each is one hand's.

    `group` counts from 0; `first` is the number of the first group among all of its structure.
    """

    world: World
    name: str
    rng: np.random.Generator
    sizes: Ints
    first: int
    ring: bool
    streams: list[Stream] = field(default_factory=list)
    labels: list[tuple[str, Any, bool]] = field(default_factory=list)
    after: list["Cohort"] = field(default_factory=list)
    _hideouts: Words | None = None

    def __post_init__(self) -> None:
        world, rng = self.world, self.rng
        self.group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self.n = n = len(self.group)
        self.account = world.new(n)
        tenure = np.where(rng.random(n) < 0.62, rng.gamma(1.6, 170, n), rng.uniform(-0.8 * world.days, 60, n))
        self.created = np.maximum((-tenure * DAY), -900 * DAY).astype(np.int64) + rng.integers(0, DAY, n)
        self.banned = np.full(n, NEVER)
        struck = rng.random(n) < 0.014
        self.banned[struck] = (
            self.created[struck] + rng.exponential(60 * DAY, int(struck.sum())).astype(np.int64) + 3600
        )
        self.zone = rng.choice([-8, -6, -5, -3, 0, 1, 2, 3, 5, 7, 8, 9], n, p=_ZONES)
        self.peak = rng.normal(14.5, 2.6, n) + np.where(rng.random(n) < 0.12, rng.uniform(6, 13, n), 0)
        self.area, self.place = world.net.homes(rng, n)
        self.domain = rng.choice(len(HOST_SHARES), n, p=HOST_SHARES)
        odd = rng.random(n) < 0.04
        self.domain[odd] = world.domains.disposable[rng.integers(0, DISPOSABLE, int(odd.sum()))]
        self.org = np.zeros(n, dtype=np.uint64)
        self.verified = np.zeros(n, dtype=np.int8)
        self.agent = rng.choice(len(AGENTS), n, p=AGENT_SHARES)
        self.plan = rng.choice(4, n, p=[0.3, 0.42, 0.16, 0.12])
        self.phone = rng.random(n) < 0.55
        self.topic = world.token(self.account, 1)
        self.cards = np.where(rng.random(n) < 0.86, 1, 0)
        self.cards = self.cards + (rng.random(n) < 0.13) * self.cards
        self.daily = self._ordinary()

    def _ordinary(self) -> Stream:
        """Traffic as everybody has it: home, phone, some VPN; own words and a framework's prompt."""
        world, rng, n = self.world, self.rng, self.n
        count = np.minimum(np.exp(rng.normal(2.1, 1.35, n)), 4_000)
        since, until = np.maximum(self.created, 0), np.minimum(self.banned, world.end)
        count = np.ceil(count * np.clip((until - since) / world.end, 0, 1)).astype(np.int64)
        carrier, vpn, platform = (
            (pools[rng.integers(0, len(pools), n)], (rng.random(n) < share) * rng.gamma(1.2, 0.25, n))
            for pools, share in ((world.carriers, 0.55), (world.vpns, 0.09), (world.platforms, 0.06))
        )
        places: list[Source] = [
            (np.full(n, HOME), np.ones(n), True), (*carrier, True), (*vpn, True), (*platform, False),
            # Travel: now and then somebody else's network.
            (world.net.lived_in(rng, n, world.days), (rng.random(n) < 0.25) * 0.15, True),
        ]  # fmt: skip
        devices: list[Source] = [
            (world.token(self.account, 20 + k), weight, True)
            for k, weight in enumerate((np.ones(n), (rng.random(n) < 0.5) * 0.4, (rng.random(n) < 0.15) * 0.3))
        ]
        framework = world.frameworks[rng.choice(60, n, p=world.framework_shares)].astype(np.uint64)
        uses = (rng.random(n) < 0.27) * rng.gamma(1.5, 0.7, n)
        free = np.full(n, FREE, dtype=np.uint64)
        # Homework, riddles and what else people copy: the same words from few or many.
        copies = (rng.random(n) < 0.45) * rng.gamma(1.0, 0.16, n)
        templates: list[Source] = [(free, np.ones(n), False), (framework, uses, False), (free, copies, False)]
        none = (np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.int64))
        copied = (np.broadcast_to(world.public, n), np.full(n, world.public_items))
        adopts = (rng.beta(0.7, 1.0, n), rng.exponential(9 * DAY, n).astype(np.int64))
        rhythm = np.where(rng.random(n) < 0.03, rng.choice([ALWAYS, CLOCK], n), AWAKE)
        return Stream(count, places, devices, templates, [none, none, copied], rhythm, since, until, adopts)

    # What structures say of their groups.

    def each(self, values: Any) -> Any:
        """A value of each group for each of its accounts."""
        return np.asarray(values)[self.group]

    def some(self, share: Any) -> Flags:
        """A random share (0 to 1) of the accounts."""
        chosen: Flags = self.rng.random(self.n) < share
        return chosen

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.sizes)

    def new(self) -> Words:
        """A new value for each group."""
        return self.world.new(self.groups)

    def pools(self, values: Any, sizes: Any) -> Ints:
        """A pool of so many values for each group."""
        return self.world.pools.add(values, sizes)

    def tokens(self, sizes: Any) -> Ints:
        """A pool of so many new devices or cards for each group."""
        return self.pools(self.world.new(int(np.sum(sizes))), sizes)

    def span(self, low: float, high: float) -> Floats:
        """A number for each group, evenly spread on a logarithmic scale."""
        return np.exp(self.rng.uniform(np.log(low), np.log(high), self.groups))

    def like_home(self) -> None:
        """All of a group live where its first account lives."""
        head = np.cumsum(self.sizes) - self.sizes
        self.area, self.place, self.zone = (self.each(v[head]) for v in (self.area, self.place, self.zone))

    def at(self, value: Any, weight: Any, *, steady: bool = True) -> None:
        """Let daily traffic come from a place (pools, or addresses as they are) with a weight; home has about 1."""
        self.daily.places.append((value, np.broadcast_to(weight, self.n).astype(np.float64), steady))

    def on(self, value: Any, weight: Any) -> None:
        """Let daily traffic come from a device (pools, or devices as they are) with a weight; one's own has about 1."""
        self.daily.devices.append((value, np.broadcast_to(weight, self.n).astype(np.float64), True))

    def say(self, templates: Any, weight: Any, items: Any = 0, length: Any = 0) -> None:
        """Let daily traffic say templates (pools) with a weight, filled by own words or by a list's items."""
        n = self.n
        self.daily.templates.append((templates, np.broadcast_to(weight, n).astype(np.float64), False))
        self.daily.lists.append((np.broadcast_to(np.uint64(items), n), np.broadcast_to(np.int64(length), n)))

    def join(self, since: Any, until: Any) -> None:
        """Sign-ups evenly between two seconds; nobody is banned before."""
        since, until = np.broadcast_to(since, self.n), np.broadcast_to(until, self.n)
        gone = np.where(self.banned < NEVER, self.banned - self.created, 0)
        self.created = (since + self.rng.random(self.n) * (until - since)).astype(np.int64)
        self.created = np.minimum(self.created, self.world.end - DAY // 2)
        self.banned = np.where(gone > 0, self.created + np.maximum(gone, 3600), NEVER)
        self.refit()

    def refit(self) -> None:
        """Bring daily traffic between sign-up and ban, after these were changed."""
        self.created, self.banned = (np.asarray(times).astype(np.int64) for times in (self.created, self.banned))
        self.daily.since, self.daily.until = np.maximum(self.created, 0), np.minimum(self.banned, self.world.end)

    def work(self, count: Any, **changes: Any) -> Stream:
        """Traffic beside the daily one, at first of the same habits: change what differs, or give it here."""
        daily = self.daily
        facts: dict[str, Any] = {
            "count": np.maximum(np.asarray(count), 0).astype(np.int64), "places": list(daily.places),
            "devices": list(daily.devices), "templates": list(daily.templates), "lists": list(daily.lists),
            "rhythm": daily.rhythm.copy(), "since": daily.since.copy(), "until": daily.until.copy(),
            "adopts": daily.adopts,
        }  # fmt: skip
        made = Stream(**(facts | changes))
        self.streams.append(made)
        return made

    def volume(self, mean: Any, shape: float = 1.2) -> Ints:
        """Heavy-tailed numbers of exchanges with a mean, in proportion to the time that each account is there."""
        days = np.clip((np.minimum(self.banned, self.world.end) - np.maximum(self.created, 0)) / self.world.end, 0, 1)
        drawn = np.exp(self.rng.normal(0, shape, self.n) - shape * shape / 2)
        counts: Ints = np.ceil(np.minimum(drawn * mean, 20 * np.asarray(mean)) * days).astype(np.int64)
        return counts

    def pay(self, card: Any, who: Flags, method: str = "card", *, shared: bool = False) -> None:
        """Payment methods for some accounts, added within days of signing up; `shared` ones are a ring's own."""
        row, card = np.nonzero(who)[0], np.asarray(card)[who]
        added = self.created[row] + self._soon(len(row))
        if shared and self.world.evasion and self.ring:
            row, card, added = self._evade(row, card, added)
        self.world.parts.add("payments", {
            "account": self.account[row], "payment": card, "method": np.full(len(row), method).astype(object),
            "added": np.minimum(added, np.minimum(self.banned[row], self.world.end)),
        })  # fmt: skip

    def _soon(self, count: int) -> Ints:
        return (300 + self.rng.exponential(0.4 * DAY, count)).astype(np.int64)

    def _evade(self, row: Ints, card: Words, added: Ints) -> tuple[Ints, Words, Ints]:
        """Own cards beside the shared ones, so that of all of these a share `evasion` is own, ring by ring.

        For every shared card there are e / (1 - e) own ones, but at most 4: beyond, shared ones are given up instead.
        """
        share = self.world.evasion
        rng = self.world.chance(self.name, self.first, "own cards", len(card))
        kept = np.minimum(1.0, 5 * (1 - share))
        stays = evenly(np.full(len(card), kept), rng)
        again = evenly(np.full(len(card), kept * share / (1 - share) if share < 1 else 5.0), rng)
        own = np.repeat(row, again)
        cards = self.world.token(self.account[own], np.arange(len(own)), 77)
        row, card = np.repeat(row, stays), np.repeat(card, stays)
        later = np.repeat(added, again) + rng.integers(0, 5 * DAY, len(own))
        return (
            np.concatenate([row, own]),
            np.concatenate([card, cards]),
            np.concatenate([np.repeat(added, stays), later]),
        )

    def hideouts(self) -> Words:
        """Two addresses for each account that no other account has: where evading members go."""
        if self._hideouts is None:
            self._hideouts = self.world.net.hidden(self.n * 2).reshape(-1, 2)
        return self._hideouts

    def note(self, kind: str, value: Any, who: Flags) -> None:
        """An identifier of another kind for some accounts."""
        chosen = np.nonzero(who)[0]
        self.world.parts.add("identifiers", {
            "account": self.account[chosen], "kind": np.full(len(chosen), kind).astype(object),
            "value": np.asarray(value)[chosen],
            "at": np.minimum(self.created[chosen] + self._soon(len(chosen)), self.banned[chosen]),
        })  # fmt: skip

    def link(self, source: Ints, target: Ints, kind: str) -> None:
        """Ties between accounts of the cohort, by their places in it, when the later one of the two signed up."""
        apart = source != target
        source, target = source[apart], target[apart]
        self.world.parts.add("links", {
            "account": self.account[source], "other": self.account[target],
            "kind": np.full(len(source), kind).astype(object),
            "at": np.maximum(self.created[source], self.created[target]) + 60,
        })  # fmt: skip

    def label(self, structure: str, who: Any, *, ring: bool | None = None) -> None:
        """Say that some accounts stand in a structure too, each group in an instance of its own."""
        self.labels.append((structure, who, self.ring if ring is None else ring))


def evenly(shares: Floats, rng: np.random.Generator) -> Ints:
    """Whole numbers whose sums over any stretch are those of the shares, to one."""
    return np.diff(np.floor(np.concatenate([[0.0], np.cumsum(shares)]) + rng.random() * 0.999)).astype(np.int64)


_ZONES: Final = np.array([10, 8, 17, 5, 12, 20, 7, 4, 9, 2, 4, 2]) / 100
AGENTS: Final = tuple(
    f"{client}/{major}.{minor}"
    for client in ("web", "python-sdk", "node-sdk", "cli", "mobile", "curl", "go-sdk")
    for major in (1, 2)
    for minor in range(8)
)
_POPULAR: Final = 1 / np.arange(1, len(AGENTS) + 1)[np.random.default_rng(7).permutation(len(AGENTS))] ** 0.8
AGENT_SHARES: Final = _POPULAR / _POPULAR.sum()
