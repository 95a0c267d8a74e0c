"""Balance: accounts whose sum is smoother than that of independent accounts.

1. Candidates: accounts that send much of a work that few others send much of; works of the same accounts go together.
2. In slots of ten minutes (and of one), C = sum over pairs a < b of sum over slots of n_a n_b says how often two
   accounts are busy together. A dispatcher that fills one account when another is full makes C smaller than independent
   accounts do. An account's own regularity does not enter.
3. The null model exchanges the minutes of an account's hour for those that it had at the same hour of the day on a
   random day with half to twice as many exchanges, thinned or repeated to as many as before. So each account keeps its
   volume in every hour, its hours, its bouts and its habits of the clock (staggered cron bots and shifts that change at
   8:00 do not move), and the accounts become independent. An account that runs in a loop of even gaps stays as it is.
4. Accounts that do not bear the sum's smoothness leave, the worst first. C of the rest, less its mean over
   `PERMUTATIONS` permutations, over their standard deviation, is held against Student's t: C is a sum over many slots
   that is bounded below, so that its lower tail is lighter. Choosing g of n accounts costs log2(n over g) bits, so many
   candidates, and two lengths of slots, log2 of their number.
"""

from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from linkage.kernel import kernel
from linkage.timing.permute import choices, loops
from linkage.timing.work import HOUR, LEAST_BITS, MINUTE, Finding, Ints, Traffic, runs

Floats = NDArray[np.float64]

SLOTS: Final = (10 * MINUTE, MINUTE)
"""Long ones see a slow load; in short ones accounts that take turns avoid each other."""
MUCH: Final = 30
"""Exchanges of a work by an account that bears a part of its load."""

MOST: Final = 200
"""Accounts of a candidate at most: the load of a work that so many share is nobody's."""

LEAST: Final = 3
SCREEN: Final = 24
PERMUTATIONS: Final = 300

DRAWS: Final = 12
"""An hour that finds no day with half to twice its exchanges in so many draws stays as it is."""

PROMISING: Final = -2.0
"""A candidate is looked at if its sum, or `LEAST` of its accounts, are so many standard deviations from chance."""


def balance(traffic: Traffic) -> list[Finding]:
    """All balanced groups."""
    channel, kept = _candidates(traffic)
    if not len(channel):
        return []
    order = np.lexsort((traffic.second[kept], traffic.actor[kept], channel))
    channel, actor, second = channel[order], traffic.actor[kept][order], traffic.second[kept][order]
    account = runs(channel, actor)
    groups = np.searchsorted(account, runs(channel))
    # Permutations that are few enough for all tell whom to look at.
    promising = [at for at in range(len(groups) - 1) if groups[at + 1] - groups[at] >= LEAST]
    found = []
    for at, slot in product(promising, SLOTS):
        members = account[groups[at] : groups[at + 1] + 1]
        inside = np.arange(groups[at + 1] - groups[at])
        rough = _against(second, members, inside, slot, SCREEN)
        if rough.total > PROMISING and (rough.each <= PROMISING).sum() < LEAST:
            continue
        inside, result = _bearing(second, members, slot)
        if len(inside) < LEAST:
            continue
        bits = -float(stats.t.logsf(-result.total, PERMUTATIONS - 1)) / float(np.log(2.0))
        bits -= choices(len(members) - 1, len(inside)) + float(np.log2(len(promising) * len(SLOTS)))
        actors, single = actor[members[inside]], traffic.single[actor[members[inside]]]
        if bits < LEAST_BITS or single.sum() < LEAST:
            continue
        begin, end = members[inside][single], members[inside + 1][single]
        length = "ten minutes" if slot > MINUTE else "a minute"
        sentence = (
            f"{single.sum():,} accounts carry one load: the sum of their exchanges in {length} varies "
            f"{1 - result.variance:.0%} less than that of independent accounts with the same hours"
        )
        work = int(channel[members[0]])
        found.append(
            traffic.finding(
                "balance", work, actors[single], end - begin, second[begin], second[end - 1], bits, sentence
            )
        )
    return _best(found)


def _best(found: list[Finding]) -> list[Finding]:
    """Of findings with common accounts the surest."""
    kept: list[Finding] = []
    for finding in sorted(found, key=lambda f: (-f.bits, f.value)):
        if not any(len(np.intersect1d(finding.account, other.account)) for other in kept):
            kept.append(finding)
    return kept


def _candidates(traffic: Traffic) -> tuple[Ints, NDArray[np.bool_]]:
    """Step 1: the channel of each kept row (the first of its works), and which rows are kept."""
    stream = runs(traffic.work, traffic.actor)
    work, actor = traffic.work[stream[:-1]], traffic.actor[stream[:-1]]
    much = np.diff(stream) >= MUCH
    works = len(traffic.events.works)
    bearers = np.bincount(work[much], minlength=works)
    much &= (bearers[work] >= LEAST) & (bearers[work] <= MOST)
    # Works of the same accounts nearly always have the same two least hashes among them.
    mark = (actor[much].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)
    order = np.lexsort((mark, work[much]))
    start = runs(work[much][order])[:-1]
    signature = mark[order][start], mark[order][start + 1]
    channel = np.arange(works, dtype=np.int64)
    named = work[much][order][start]
    alike = np.lexsort((named, *signature))
    first = runs(signature[0][alike], signature[1][alike])
    channel[named[alike]] = np.repeat(named[alike][first[:-1]], np.diff(first))
    kept = np.repeat(much, np.diff(stream))
    return channel[traffic.work[kept]], kept


class _Result:
    """Standard deviations from chance, of the whole and of each account, and the sum's variance over chance's."""

    def __init__(self, sums: Floats, each: Floats, variance: float) -> None:
        spread = np.maximum(sums[1:].std(ddof=1), 1e-9)
        self.total = float((sums[0] - sums[1:].mean()) / spread)
        spreads = np.maximum(each[1:].std(axis=0, ddof=1), 1e-9)
        self.each: Floats = (each[0] - each[1:].mean(axis=0)) / spreads
        self.variance = variance


def _bearing(second: Ints, members: Ints, slot: int) -> tuple[Ints, _Result]:
    """Step 4: the accounts that bear the sum's smoothness, and the result of their test."""
    inside = np.arange(len(members) - 1)
    while True:
        result = _against(second, members, inside, slot, PERMUTATIONS)
        weak = np.flatnonzero(result.each > PROMISING)
        if not len(weak) or len(inside) < LEAST:
            return inside, result
        worst = weak[np.lexsort((inside[weak], -result.each[weak]))]
        inside = np.delete(inside, worst[: (len(worst) + 1) // 2])


def _against(second: Ints, members: Ints, inside: Ints, slot: int, permutations: int) -> _Result:
    """Steps 2 and 3 for the accounts `inside` of a candidate, whose rows are [members[a], members[a + 1])."""
    parts = [second[members[a] : members[a + 1]] for a in inside]
    start = np.append(0, np.cumsum([len(part) for part in parts])).astype(np.int64)
    times = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    low = int(times.min()) // HOUR * HOUR if len(times) else 0
    loop = loops(start, times, LEAST)
    sums, each, variance = _permuted(times - low, start, loop, slot, permutations)
    return _Result(sums, each, float(variance))


@kernel
def _stirred(state):  # type: ignore[no-untyped-def]
    """The next state of a xorshift generator (Marsaglia 2003, doi:10.18637/jss.v008.i14)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@kernel
def _drawn(state, among):  # type: ignore[no-untyped-def]
    """A number below `among` (at most 2**31): multiplied, since that is quicker than to divide."""
    return np.int64(((state >> np.uint64(32)) * np.uint64(among)) >> np.uint64(32))


@kernel
def _permuted(second, start, loop, slot, permutations):  # type: ignore[no-untyped-def]
    accounts = len(start) - 1
    per_hour = HOUR // slot
    slots = (second.max() // HOUR + 1) * per_hour if len(second) else 1
    load, own = np.zeros(slots, np.int32), np.zeros(slots, np.int32)
    seen, ever, squares = own.copy(), np.zeros(slots, np.int64), 0
    place, part = np.empty(len(second), np.int32), np.empty(len(second), np.int32)
    sums, each = np.zeros(permutations + 1), np.zeros((permutations + 1, accounts))
    # Each account's hours: which, their first rows, and for each hour of the day the account's hours at it.
    hour_of, first, same = np.empty(len(second), np.int64), np.empty(len(second) + 1, np.int64), place.copy()
    hours, of_day = np.zeros(accounts + 1, np.int64), np.zeros((accounts, 25), np.int64)
    x = 0
    for a in range(accounts):
        for at in range(start[a], start[a + 1]):
            hour = second[at] // HOUR
            part[at] = second[at] % HOUR // slot
            if at == start[a] or hour != hour_of[x - 1]:
                hour_of[x], first[x] = hour, at
                of_day[a, hour % 24 + 1] += 1
                x += 1
        hours[a + 1] = x
        of_day[a] = np.cumsum(of_day[a])
        filled = of_day[a, :24].copy()
        for y in range(hours[a], x):
            same[hours[a] + filled[hour_of[y] % 24]] = y
            filled[hour_of[y] % 24] += 1
    first[x] = len(second)
    state = np.uint64(0x2545F4914F6CDD1D)
    for turn in range(permutations + 1):
        for a in range(accounts):
            for x in range(hours[a], hours[a + 1]):
                begin = hour_of[x] * per_hour
                if turn == 0 or loop[a]:
                    for at in range(first[x], first[x + 1]):
                        place[at] = begin + part[at]
                    continue
                low = of_day[a, hour_of[x] % 24]
                alike = of_day[a, hour_of[x] % 24 + 1] - low
                taken = first[x + 1] - first[x]
                donor = x
                for _ in range(DRAWS):
                    state = _stirred(state)
                    drawn = same[hours[a] + low + _drawn(state, alike)]
                    given = first[drawn + 1] - first[drawn]
                    if taken <= 2 * given <= 4 * taken:
                        donor = drawn
                        break
                given = first[donor + 1] - first[donor]
                # Every exchange of the donor is as likely to be taken, and in even steps, so that bouts stay bouts:
                # the k-th is that at (k * given + begins) // taken, which is 2 at most for the first.
                state = _stirred(state)
                rest = _drawn(state, given)
                source = first[donor] + rest // taken
                rest %= taken
                for at in range(first[x], first[x + 1]):
                    place[at] = begin + part[source]
                    rest += given
                    while rest >= taken:
                        rest -= taken
                        source += 1
        for at in range(len(second)):
            load[place[at]] += 1
        if turn == 0:
            seen[:] = load
        for a in range(accounts):
            total = 0
            for at in range(start[a], start[a + 1]):
                own[place[at]] += 1
                total += load[place[at]]
            # Each of the account's exchanges meets all of its own in that slot.
            squares += total if turn > 0 else 0
            for at in range(start[a], start[a + 1]):
                total -= own[place[at]]
            for at in range(start[a], start[a + 1]):
                own[place[at]] = 0
            each[turn, a] = total
            sums[turn] += total / 2.0
        # Nothing here goes over all slots: those of a minute are more than the exchanges of most candidates.
        for at in range(len(second)):
            load[place[at]] = 0
            ever[place[at]] += turn > 0
    observed, chance = 0.0, squares / permutations
    for s in range(slots):
        mean = ever[s] / permutations
        observed += (seen[s] - mean) ** 2
        chance -= mean * mean
    return sums, each, observed / chance if chance > 0.0 else 1.0
