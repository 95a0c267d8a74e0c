"""Bursts, hand-offs and load balancing: planted pools that must be found, and innocent twins that must not.

    python benchmarks/timing.py [--seeds 100] [--twins 300] [--only NAME] [--size EVENTS]

Each world is made from its seed alone: sizes, volumes, hours and habits vary from seed to seed. A pool counts as found
if some finding of the kind holds at least half of its accounts, and at most a quarter of the finding is not of it. A
twin counts as false if there is any finding of any kind. With --size, one large world is timed instead.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.timing import Events, Finding, find

Floats = NDArray[np.float64]

MINUTE, HOUR, DAY, WEEK = 60.0, 3600.0, 86_400.0, 604_800.0
START: Final = 1_767_571_200.0
"""Monday, 5 January 2026, in seconds since 1970."""


@dataclass
class World:
    """What has been built so far.

    Attributes:
        rng: the only source of chance.
        weeks: length of the traffic.
        rows: for each stream the account, the work and the times in seconds from `START`.
        orgs: verified organisation by account.
        pool: the planted accounts.
    """

    rng: np.random.Generator
    weeks: int = 3
    rows: list[tuple[int, int, Floats]] = field(default_factory=list)
    orgs: dict[int, int] = field(default_factory=dict)
    pool: list[int] = field(default_factory=list)
    accounts: int = 0
    works: int = 0

    def people(self, count: int) -> list[int]:
        """So many new accounts."""
        self.accounts += count
        return list(range(self.accounts - count, self.accounts))

    def work(self) -> int:
        """A new work."""
        self.works += 1
        return self.works - 1

    def send(self, account: int, work: int, times: Iterable[float] | Floats) -> None:
        """An account sends a work at these times."""
        moments = np.asarray(list(times) if not isinstance(times, np.ndarray) else times, dtype=np.float64)
        self.rows.append((account, work, moments[(moments >= 0) & (moments < self.weeks * WEEK)]))

    def events(self) -> Events:
        """The columns, in an order that says nothing."""
        account = np.concatenate([np.full(len(times), who, np.int32) for who, _, times in self.rows])
        work = np.concatenate([np.full(len(times), what, np.int32) for _, what, times in self.rows])
        at = np.concatenate([np.round((times + START) * 1e6).astype(np.int64) for _, _, times in self.rows])
        order = self.rng.permutation(len(at))
        # Names are dealt at random too: no test may lean on a pool's accounts being neighbours.
        deal = self.rng.permutation(self.accounts)
        org = np.full(self.accounts, -1, np.int64)
        for who, which in self.orgs.items():
            org[deal[who]] = which
        self.pool = sorted(int(deal[who]) for who in self.pool)
        return Events(
            account=deal[account[order]].astype(np.int32),
            work=work[order],
            at=at[order],
            org=org,
            accounts=[f"acct-{at:06}" for at in range(self.accounts)],
            works=[f"work-{at}" for at in range(self.works)],
        )


def _weeks(rng: np.random.Generator) -> int:
    return int(rng.integers(2, 6))


def _waking(w: World, count: int, zone: float = 0.0) -> Floats:
    """Times in a person's days: mornings to evenings in the person's zone."""
    day = w.rng.integers(0, 7 * w.weeks, count)
    return np.asarray(day * DAY + w.rng.normal(14.5 - zone, 3.2, count) * HOUR)


def _society(w: World, count: int = 150) -> None:
    """Strangers who send framework defaults and words of their own."""
    defaults = [w.work() for _ in range(3)]
    for who in w.people(count):
        zone = float(w.rng.integers(-8, 10))
        if w.rng.random() < 0.6:
            w.send(who, int(w.rng.choice(defaults)), _waking(w, int(w.rng.pareto(1.2) * 8 + 2) % 400, zone))
        w.send(who, w.work(), _waking(w, int(w.rng.integers(1, 30)), zone))


def _ordinary(w: World, who: int, work: int) -> None:
    if w.rng.random() < 0.7:
        w.send(who, work, _waking(w, int(w.rng.integers(3, 80)), float(w.rng.integers(-8, 10))))


def _size(rng: np.random.Generator) -> int:
    return int(np.exp(rng.uniform(np.log(3), np.log(51))))


def burst_pool(w: World) -> None:
    """A hydra fires one template, a few, or a new one each time, from most of its accounts at irregular times."""
    _society(w)
    size, rng = _size(w.rng), w.rng
    w.pool = w.people(size)
    part, jitter = rng.uniform(0.6, 0.95), rng.uniform(10, 150)
    # Each account takes part some 10 to 60 times.
    times = int(rng.uniform(10, 60) / part)
    span = w.weeks * WEEK
    moments = rng.uniform(0, span, times)
    if rng.random() < 0.4:  # in office hours only
        moments = np.floor(rng.uniform(0, 7 * w.weeks, times)) * DAY + rng.uniform(8, 18, times) * HOUR
    variety = rng.choice(["one", "few", "new"])
    templates = [w.work() for _ in range({"one": 1, "few": 4, "new": times}[str(variety)])]
    default = w.work()
    for at, moment in enumerate(moments):
        for who in w.pool:
            if rng.random() < part:
                w.send(who, templates[at % len(templates)], [moment + rng.uniform(0, jitter)])
    for who in w.pool:
        _ordinary(w, who, default)
        if variety == "one" and rng.random() < 0.3:  # the template at other times too
            w.send(who, templates[0], _waking(w, int(rng.integers(3, 25))))
    if rng.random() < 0.5:  # others have the template as well
        for who in w.people(int(rng.integers(10, 120))):
            w.send(who, templates[0], _waking(w, int(rng.integers(1, 20)), float(rng.integers(-8, 10))))


def handoff_pool(w: World) -> None:
    """A job series runs on one account until its limit is reached, and goes on on another within minutes."""
    _society(w)
    size, rng = max(3, _size(w.rng) // 2), w.rng
    w.pool = w.people(size)
    job, default = w.work(), w.work()
    limit, delay, pace = rng.uniform(20, 180) * MINUTE, rng.uniform(20, 300), rng.uniform(20, 200)
    hours = (0.0, 24.0) if rng.random() < 0.5 else (rng.uniform(5, 9), rng.uniform(15, 22))
    in_order = rng.random() < 0.5
    # Each account gives its series away some 12 times at least, or as often as the weeks allow.
    wanted, done, turn = int(size * rng.uniform(12, 40)), 0, 0
    for day in rng.permutation(7 * w.weeks):
        now, end = day * DAY + hours[0] * HOUR + rng.uniform(0, 40) * MINUTE, day * DAY + hours[1] * HOUR
        while now < end and done < wanted:
            length = max(limit * rng.uniform(0.5, 1.3), 5 * pace)
            # The series stops of itself at the end of the day, too.
            stop = min(now + length, end)
            inner = now + np.cumsum(rng.exponential(pace, int(2 * length / pace) + 3))
            w.send(w.pool[turn], job, np.concatenate(([now], inner[inner < stop])))
            now = stop + rng.uniform(0.2, 1.0) * delay
            done += 1
            others = [at for at in range(size) if at != turn]
            turn = (turn + 1) % size if in_order else int(rng.choice(others))
            if rng.random() < 0.1:
                now += rng.uniform(1, 4) * HOUR
    for who in w.pool:
        _ordinary(w, who, default)
    if rng.random() < 0.4:
        for who in w.people(int(rng.integers(5, 40))):
            _sessions(w, who, job, int(rng.integers(4, 30)), limit, pace, float(rng.integers(-8, 10)))


def _sessions(w: World, who: int, work: int, count: int, length: float, pace: float, zone: float) -> None:
    """Sessions of one person, at times of the person's own."""
    for start in _waking(w, count, zone):
        inner = start + np.cumsum(w.rng.exponential(pace, int(2 * length / pace) + 3))
        w.send(who, work, inner[inner < start + length * w.rng.uniform(0.5, 1.3)])


def balance_pool(w: World) -> None:
    """A dispatcher paces one stream of requests and spreads it over accounts."""
    _society(w)
    size, rng = max(3, _size(w.rng) * 2 // 3), w.rng
    w.pool = w.people(size)
    job, default = w.work(), w.work()
    rate = rng.uniform(20, 200)  # requests an hour, for the whole pool
    w.weeks = 2 if rate > 100 else w.weeks
    hours = (0.0, 24.0) if rng.random() < 0.5 else (rng.uniform(5, 9), rng.uniform(15, 22))
    mode = str(rng.choice(["turn", "random", "least"]))
    times: list[list[float]] = [[] for _ in range(size)]
    for day in range(7 * w.weeks):
        if hours != (0.0, 24.0) and day % 7 > 4:
            continue
        level = rate * rng.uniform(0.7, 1.3)
        steps = int((hours[1] - hours[0]) * level)
        paced = (np.arange(steps) + rng.uniform(-0.3, 0.3, steps)) / level * HOUR + day * DAY + hours[0] * HOUR
        load = rng.integers(0, 4, size).astype(np.float64)
        for at, moment in enumerate(paced):
            pick = at % size if mode == "turn" else int(rng.integers(size))
            if mode == "least":
                load *= 0.9
                pick = int(np.argmin(load + rng.uniform(0, 0.5, size)))
                load[pick] += 1
            times[pick].append(float(moment))
    for who, sent in zip(w.pool, times, strict=True):
        w.send(who, job, sent)
        _ordinary(w, who, default)
    if rng.random() < 0.3:
        for who in w.people(int(rng.integers(2, 10))):
            w.send(who, job, _waking(w, int(rng.integers(10, 200)), float(rng.integers(-8, 10))))


def students(w: World) -> None:
    """Innocent: 300 students with one assignment in one week, crowded before its deadline and in the evenings."""
    w.weeks = 2
    _society(w, 60)
    rng, works = w.rng, [w.work() for _ in range(int(w.rng.integers(1, 5)))]
    for who in w.people(300):
        mean = rng.uniform(2, 20)
        for work in works:
            count = int(rng.poisson(mean / len(works)) + 1)
            day = 4.0 - rng.exponential(1.2, count)
            evening = np.clip(rng.normal(19, 3, count), 7, 23.99)
            times = np.floor(day) * DAY + evening * HOUR
            # A last hour before the deadline at midnight.
            late = rng.random(count) < 0.2
            times[late] = 5 * DAY - rng.exponential(1.5 * HOUR, int(late.sum()))
            w.send(who, work, times)


def shift_workers(w: World) -> None:
    """Innocent: shifts that change at 8:00, 16:00 and 0:00 on a shared job queue, an organisation nobody verified."""
    _society(w, 60)
    rng, queue = w.rng, [w.work() for _ in range(int(w.rng.integers(1, 4)))]
    crews, pace, jitter = int(rng.integers(1, 7)), rng.uniform(60, 400), rng.uniform(30, 600)
    rotating, weekend = rng.random() < 0.4, rng.random() < 0.5
    for crew in range(3):
        for who in w.people(crews):
            for day in range(7 * w.weeks):
                if (day % 7 > 4 and not weekend) or rng.random() < 0.1:
                    continue
                shift = (crew + day // 7) % 3 if rotating else crew
                start = day * DAY + shift * 8 * HOUR + rng.normal(0, jitter)
                stop = day * DAY + (shift + 1) * 8 * HOUR + rng.normal(0, jitter)
                times = start + np.cumsum(rng.exponential(pace, int(2 * 8 * HOUR / pace)))
                pause = start + rng.uniform(2.5, 5) * HOUR
                kept = (times < stop) & ~((times > pause) & (times < pause + rng.uniform(20, 60) * MINUTE))
                chosen = rng.integers(0, len(queue), len(times))
                for at, work in enumerate(queue):
                    w.send(who, work, times[kept & (chosen == at)])


def cron_bots(w: World) -> None:
    """Innocent: scripts of strangers, on one framework's template, started by the clock or in loops of their own."""
    _society(w, 60)
    rng, works = w.rng, [w.work() for _ in range(int(w.rng.integers(1, 4)))]
    popular = float(rng.choice([15, 30, 60, 90, 180])) * MINUTE
    for who in w.people(int(rng.integers(20, 80))):
        style = str(rng.choice(["hourly", "quarters", "daily", "own", "loop", "few"]))
        span = w.weeks * WEEK
        if style == "hourly":
            base = np.arange(0, span, HOUR)
        elif style == "quarters":
            base = np.arange(0, span, 15 * MINUTE)
        elif style == "daily":
            base = np.arange(9 * HOUR, span, DAY)
        elif style == "own":
            base = np.arange(float(rng.integers(0, 60)) * MINUTE, span, HOUR * float(rng.choice([1, 2, 4, 6, 12])))
        elif style == "loop":
            base = np.arange(rng.uniform(0, popular), span, popular)
        else:  # at some of the full hours only
            base = np.flatnonzero(rng.random(int(span / HOUR)) < 0.05) * HOUR
        w.send(who, works[int(rng.integers(len(works)))], base + rng.exponential(rng.uniform(1, 20), len(base)))
        if rng.random() < 0.4:
            w.send(who, works[0], _waking(w, int(rng.integers(3, 60)), float(rng.integers(-8, 10))))


def fleet(w: World) -> None:
    """Innocent: one verified company's load-balanced fleet, which bursts and hands over as any pool does."""
    plant = [burst_pool, handoff_pool, balance_pool][int(w.rng.integers(3))]
    plant(w)
    w.orgs = dict.fromkeys(w.pool, 0)
    w.pool = []


def workshop(w: World) -> None:
    """Innocent: a class does ten exercises together, once."""
    _society(w, 60)
    rng, works = w.rng, [w.work() for _ in range(10)]
    start = rng.integers(0, 5) * DAY + rng.uniform(8, 16) * HOUR
    for who in w.people(int(rng.integers(10, 40))):
        for at, work in enumerate(works):
            w.send(who, work, start + at * 10 * MINUTE + rng.uniform(0, 4 * MINUTE, int(rng.integers(1, 4))))
        _ordinary(w, who, works[0])


def strangers_with_sessions(w: World) -> None:
    """Innocent: the volumes, hours and session lengths of a pool that hands over, each member for itself."""
    _society(w, 60)
    rng, job = w.rng, w.work()
    length, pace, zone = rng.uniform(20, 180) * MINUTE, rng.uniform(20, 200), float(rng.integers(-8, 10))
    for who in w.people(max(3, _size(rng))):
        _sessions(w, who, job, int(rng.integers(8, 50)), length, pace, zone)


def strangers_with_streams(w: World) -> None:
    """Innocent: the volumes and hours of a balanced pool, each member for itself."""
    _society(w, 60)
    rng, job = w.rng, w.work()
    size = max(3, _size(rng) * 2 // 3)
    rate, opening, closing = rng.uniform(20, 200) / size, rng.uniform(0, 9), rng.uniform(15, 24)
    for who in w.people(size):
        own = rate * rng.uniform(0.5, 2)
        times = [day * DAY + rng.uniform(opening, closing, int(rng.poisson(own * (closing - opening)))) * HOUR
                 for day in range(7 * w.weeks) if rng.random() < 0.85]  # fmt: skip
        w.send(who, job, np.concatenate(times) if times else [])


POOLS: Final[dict[str, tuple[str, Callable[[World], None], float]]] = {
    "burst": ("burst", burst_pool, 0.95),
    "handoff": ("handoff", handoff_pool, 0.9),
    "balance": ("balance", balance_pool, 0.9),
}
TWINS: Final[dict[str, Callable[[World], None]]] = {
    "students": students,
    "shift workers": shift_workers,
    "cron bots": cron_bots,
    "fleet": fleet,
    "workshop": workshop,
    "own sessions": strangers_with_sessions,
    "own streams": strangers_with_streams,
}


def made(build: Callable[[World], None], seed: int) -> tuple[World, Events]:
    """The world of a seed."""
    rng = np.random.default_rng(seed)
    world = World(rng, _weeks(rng))
    build(world)
    return world, world.events()


def found(findings: Iterable[Finding], kind: str, pool: list[int]) -> bool:
    """Whether a finding of the kind is the pool: at least half of it, and no more than a quarter others."""
    for finding in findings:
        inside = len(set(pool) & set(finding.account.tolist()))
        if finding.kind == kind and inside >= len(pool) / 2 and inside >= 0.75 * len(finding.account):
            return True
    return False


def large(events: int) -> Events:
    """A world of about so many events: framework defaults sent by everybody, and templates of thousands."""
    rng = np.random.default_rng(1)
    accounts, works = max(events // 20, 10), max(events // 50, 10)
    account = (accounts * rng.random(events) ** 1.5).astype(np.int32)
    work = np.where(rng.random(events) < 0.3, rng.integers(0, 3, events), (works * rng.random(events) ** 3)).astype(
        np.int32
    )
    day = rng.integers(0, 45, events)
    at = (START + day * DAY + rng.normal(14.5, 4, events) * HOUR) * 1e6
    return Events(
        account, work, at.astype(np.int64), np.full(accounts, -1, np.int64),
        [f"{n:08}" for n in range(accounts)], [f"{n:08}" for n in range(works)],
    )  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--twins", type=int, default=300)
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--only", help="one world")
    parser.add_argument("--size", type=int, help="time one world of so many events instead")
    options = parser.parse_args()
    if options.size:
        events = large(options.size)
        for _ in range(2):  # the first compiles
            before = time.monotonic()
            result = find(events)
            print(f"{options.size:,} events: {time.monotonic() - before:.1f} s, {len(result)} findings")
        return
    for name, (kind, plant, least) in POOLS.items():
        if options.only in (None, name):
            hits, missed, beside = 0, [], 0
            for seed in range(options.first, options.first + options.seeds):
                world, events = made(plant, seed)
                findings = find(events)
                ok = found(findings, kind, world.pool)
                hits += ok
                missed += [] if ok else [seed]
                beside += any(not set(world.pool) & set(f.account.tolist()) for f in findings)
            print(f"{name:14} found {hits / options.seeds:.3f} (wanted {least}), strangers {beside}, missed {missed}")
    for name, build in TWINS.items():
        if options.only in (None, name):
            false: dict[int, list[str]] = {}
            for seed in range(options.first, options.first + options.twins):
                findings = find(made(build, seed)[1])
                if findings:
                    false[seed] = sorted({f.kind for f in findings})
            print(f"{name:14} false {len(false) / options.twins:.4f} of {options.twins} {false}")


if __name__ == "__main__":
    main()
