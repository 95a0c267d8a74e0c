"""Cohorts to rows: accounts, payments, logins and exchanges, in chunks of at most `parts.LIMIT` rows."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linkage.simulate import prompts
from linkage.simulate.hashing import Floats, Ints, Words, mix, unit
from linkage.simulate.parts import LIMIT
from linkage.simulate.people import AGENTS, AWAKE, CLOCK, HOME, TOGETHER, Cohort, Source, Stream, evenly
from linkage.simulate.world import DAY

MODELS: Final = np.array(["small-3", "large-4", "large-4.1"], dtype=object)
_SESSION: Final = 7_200
"""Seconds in which an account stays at one place and on one device."""

_COUNTRIES: Final = np.array(["US", "GB", "DE", "FR", "IN", "BR", "NL", "ES", "JP", "CA", "PL", "VN"], dtype=object)
_PLANS: Final = np.array(["free", "pro", "team", "payg"], dtype=object)


def settle(cohort: Cohort) -> None:
    """Write all that a cohort is and does."""
    _accounts(cohort)
    for k in range(int(cohort.cards.max(initial=0))):
        # A second card replaces the first one, months later.
        card = cohort.world.token(cohort.account, 40 + k)
        cohort.pay(card, cohort.cards > k)
    for number, stream in enumerate([cohort.daily, *cohort.streams]):
        stream.until = np.minimum(stream.until, np.minimum(cohort.banned, cohort.world.end))
        stream.since = np.maximum(stream.since, np.maximum(cohort.created + 120, 0))
        stream.count = np.where(stream.until - stream.since > 1_800, stream.count, 0)
        for rows in _chunks(stream.count):
            _exchanges(cohort, stream, rows, number)
        logins = np.where(stream.count > 0, cohort.rng.poisson(np.minimum(1 + stream.count / 20, 8)), 0)
        for rows in _chunks(logins):
            _logins(cohort, stream, rows)
    _structures(cohort)


def _chunks(count: Ints) -> Iterator[Ints]:
    """The place of the account of each row, a chunk at a time."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, LIMIT):
        yield np.searchsorted(ends, np.arange(start, min(start + LIMIT, total)), side="right")


def _accounts(cohort: Cohort) -> None:
    world, rng, n = cohort.world, cohort.rng, cohort.n
    first, second = (prompts.vocabulary().take(pa.array(rng.integers(500, prompts.VOCABULARY, n))) for _ in "ab")
    digits = pc.cast(pa.array(rng.integers(1, 9_999, n)), pa.string())
    local = pc.binary_join_element_wise(first, second, digits, ".")
    email = pc.binary_join_element_wise(local, pa.array(world.domains.names).take(pa.array(cohort.domain)), "@")
    phone = pc.binary_join_element_wise(
        "+44", pc.cast(pa.array(rng.integers(7_000_000_000, 8_000_000_000, n)), pa.string()), ""
    )
    gone = cohort.banned < world.end
    status = np.where(gone, "banned", np.where(rng.random(n) < 0.02, "closed", "active")).astype(object)
    world.parts.add("accounts", {
        "account": cohort.account, "created": cohort.created, "banned": pa.array(cohort.banned, mask=~gone),
        "email": email, "phone": pc.if_else(pa.array(cohort.phone), phone, None), "org": cohort.org,
        "verified": pa.array(cohort.verified > 0, mask=cohort.org == 0), "status": status,
        "country": _COUNTRIES[(cohort.zone % 12 + rng.integers(0, 3, n)) % 12], "plan": _PLANS[cohort.plan],
    })  # fmt: skip


def _structures(cohort: Cohort) -> None:
    world, parts = cohort.world, cohort.world.parts
    name = np.array([f"{cohort.name}-{cohort.first + at + 1}" for at in range(cohort.groups)], dtype=object)
    ring = name[cohort.group] if cohort.ring else np.full(cohort.n, "", dtype=object)
    parts.add("truth", {"account": cohort.account, "ring": ring})
    labels = [(cohort.name, np.ones(cohort.n, dtype=np.bool_), cohort.ring), *cohort.labels]
    for structure, who, is_ring in labels if cohort.name else ():
        tail = "" if structure == cohort.name else f":{structure}"
        chosen = cohort.group[who]
        parts.add("structures", {
            "account": cohort.account[who], "structure": np.full(len(chosen), structure).astype(object),
            "instance": np.array([f"{one}{tail}" for one in name[chosen]], dtype=object),
            "ring": np.full(len(chosen), is_ring),
        })  # fmt: skip
        tally = world.counts.setdefault(structure, {"ring": is_ring, "instances": 0, "accounts": 0})
        tally["instances"] += len(np.unique(chosen))
        tally["accounts"] += len(chosen)


def _times(cohort: Cohort, stream: Stream, at: Ints, rng: np.random.Generator) -> Ints:
    """When each exchange happens: between the stream's bounds, whatever its rhythm says."""
    since, until, rhythm = stream.since[at], stream.until[at], stream.rhythm[at]
    length = until - since
    day = (since + rng.random(len(at)) * length) // DAY
    # Most people keep to some of their days, and to weekdays.
    again = (rng.random(len(at)) < 0.75) & (
        (unit(mix(cohort.account[at], day.astype(np.int64))) < 0.55) | ((day % 7 >= 5) & (rng.random(len(at)) < 0.5))
    )
    day = np.where(again & (rhythm == AWAKE), (since + rng.random(len(at)) * length) // DAY, day)
    hour = cohort.peak[at] - cohort.zone[at] + rng.normal(0, 3.1, len(at))
    hour = np.where(rhythm == AWAKE, hour, rng.random(len(at)) * 24)
    moment = (day * DAY + hour * 3600).astype(np.int64)
    moment = np.where(rhythm == CLOCK, moment // 3600 * 3600 + rng.integers(0, 90, len(at)), moment)
    if stream.jobs is not None:
        start = cohort.world.pools.pick(stream.jobs[at], rng.random(len(at))).astype(np.int64)
        moment = np.where(rhythm == TOGETHER, start + rng.exponential(stream.spread, len(at)).astype(np.int64), moment)
    outside = (moment < since) | (moment >= until)
    # Out of bounds by the hour only: the same hour of another day where there is one.
    folded = since + (moment - since) % np.maximum(length // DAY * DAY, 1)
    return np.where(
        outside, np.where(length >= DAY, folded, since + (rng.random(len(at)) * length).astype(np.int64)), moment
    )


def _choose(sources: list[Source], at: Ints, chance: Floats) -> Ints:
    """Which of the sources each row is from."""
    weights = np.cumsum(np.stack([weight for _, weight, _ in sources], axis=1), axis=1)
    total = np.maximum(weights[:, -1], 1e-12)
    which: Ints = (chance[:, None] * total[at, None] >= weights[at]).sum(axis=1)
    return np.minimum(which, len(sources) - 1)


def _values(
    cohort: Cohort, sources: list[Source], at: Ints, which: Ints, steady: Floats, loose: Floats, when: Ints
) -> Words:
    found = np.zeros(len(at), dtype=np.uint64)
    for number, (value, _, sticks) in enumerate(sources):
        mine = np.nonzero(which == number)[0]
        if not len(mine):
            continue
        of = value[at[mine]]
        if of.dtype == np.uint64:
            found[mine] = of
            continue
        home = of == HOME
        there, away = mine[home], mine[~home]
        if len(there):
            found[there] = _home(cohort, at[there], when[there], steady[there])
        if len(away):
            found[away] = cohort.world.pools.pick(of[~home], (steady if sticks else loose)[away])
    return found


def _home(cohort: Cohort, at: Ints, when: Ints, chance: Floats) -> Words:
    net, area, place = cohort.world.net, cohort.area[at], cohort.place[at]
    six = (cohort.world.share(area, place, 9) < 0.3) & (chance < 0.5)
    host = cohort.world.token(cohort.account[at], when // (7 * DAY), 10)
    return np.where(six, net.ipv6(area, place, host), net.at(area, place, when))


def _where(cohort: Cohort, stream: Stream, at: Ints, when: Ints, rng: np.random.Generator) -> tuple[Words, Words]:
    """The address and the device of each row: those of its session."""
    session = (when + (cohort.account[at] & np.uint64(8191)).astype(np.int64)) // _SESSION
    chances = [cohort.world.share(cohort.account[at], session, 60 + k) for k in range(4)]
    places = _choose(stream.places, at, chances[0])
    ip = _values(cohort, stream.places, at, places, chances[1], rng.random(len(at)), when)
    devices = _choose(stream.devices, at, chances[2])
    return ip, _values(cohort, stream.devices, at, devices, chances[3], rng.random(len(at)), when)


def _exchanges(cohort: Cohort, stream: Stream, at: Ints, number: int) -> None:
    world, rng = cohort.world, cohort.rng
    rows = len(at)
    when = _times(cohort, stream, at, rng)
    ip, device = _where(cohort, stream, at, when, rng)
    which = _choose(stream.templates, at, rng.random(rows))
    template = _values(cohort, stream.templates, at, which, rng.random(rows), rng.random(rows), when).astype(np.int64)
    items, length = (np.stack([one[k] for one in stream.lists], axis=1)[at, which] for k in (0, 1))
    exchange = world.new(rows)
    listed = length > 0
    # What people ask again is theirs alone; what a list holds is the same for all who work it off.
    again = rng.random(rows) < 0.06
    own = np.where(again, world.token(cohort.account[at], rng.integers(0, 4, rows), 30), exchange)
    seed = np.where(listed, mix(items, (rng.random(rows) * length).astype(np.int64)), own)
    topic = np.where(listed, mix(items, 3), mix(cohort.topic[at], exchange % np.uint64(3)))
    model = rng.random(rows)
    agent = np.array(AGENTS, dtype=object)[cohort.agent[at]]
    share, delay = stream.adopts
    newest = (when >= world.release + delay[at]) & (model < share[at])
    reworded, when, ip, device = _evade(cohort, stream, at, when, ip, device, number)
    moved = np.where(newest & (when >= world.release), 2, (model * 7919 % 1 < 0.55).astype(np.int64))
    columns = {
        "account": cohort.account[at], "at": when, "exchange": exchange, "ip": ip, "device": device,
        "user_agent": agent, "model": MODELS[moved],
    }  # fmt: skip
    columns |= world.say(template, seed, topic, exchange, reworded=reworded)
    for name, middle in (("input_tokens", 5.2), ("output_tokens", 5.9)):
        columns[name] = np.exp(rng.normal(middle, 0.9, rows)).astype(np.int64) + 3
    world.parts.add("exchanges", columns)


def _evade(
    cohort: Cohort, stream: Stream, at: Ints, when: Ints, ip: Words, device: Words, number: int
) -> tuple[bool, Ints, Words, Words]:
    """Evasion of ring members: own addresses and devices for a share of the exchanges, and starts that are jittered."""
    world = cohort.world
    share = world.evasion
    if not (cohort.ring and share):
        return False, when, ip, device
    rng = world.chance(cohort.name, cohort.first, "evasion", number, int(at[0]), len(at))
    own = evenly(np.full(len(at), share), rng) > 0
    choice = rng.integers(0, 2, len(at))
    ip = np.where(own, cohort.hideouts()[at, choice], ip)
    device = np.where(own, world.token(cohort.account[at], choice, 50), device)
    jittered = when + (rng.uniform(-share, share, len(at)) * 3600).astype(np.int64)
    return True, np.clip(jittered, stream.since[at], stream.until[at] - 1), ip, device


def _logins(cohort: Cohort, stream: Stream, at: Ints) -> None:
    when = _times(cohort, stream, at, cohort.rng)
    ip, device = _where(cohort, stream, at, when, cohort.rng)
    cohort.world.parts.add("logins", {
        "account": cohort.account[at], "ip": ip, "device": device,
        "user_agent": np.array(AGENTS, dtype=object)[cohort.agent[at]], "at": when,
    })  # fmt: skip
