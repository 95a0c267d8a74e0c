"""A null model of the sightings: the same accounts, the same identifiers, tied at random.

Within each kind, every account keeps its number of identifiers and every identifier its number of holders; who holds
what is drawn at random from all bipartite graphs without double ties that have these degrees (Fosdick, Larremore,
Nishimura and Ugander 2018, "Configuring Random Graph Models with Fixed Degree Sequences", doi:10.1137/16M1087175;
ends are labelled). Identifiers that only one account has (`Sightings.alone`) take part: an account that has ten cards
is ten times as likely to meet a shared one.

1. Configuration model: cut all ties of the kind and join their ends in a random order.
2. Where an account got an identifier twice, swap identifiers with a random other tie of the kind, if that makes no
   double tie (a double edge swap).
3. A draw that was mended is not quite uniform: swap further random pairs of ties, `MIX` for each that was mended, at
   most `MIX` for each tie. Each such swap leaves the uniform distribution as it is.

Where a double tie finds no partner in `TRIES` tries (nearly every account has nearly every identifier), the kind starts
again from its real ties, which have no doubles, and is mixed by `MIX` swaps a tie alone. That ends nearer to the real
ties than to chance if few swaps are possible, so significance is rather lost than made.

What a test of its own has found (`Sightings.ceiling`: bursts, hand-offs, balance) is left out first (`by_chance`): by
the test's own null model chance finds such a thing in less than one case in a thousand, so the null model has none.

The cost is linear in the ties, and a table of the kind's ties is all the memory beside the result.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.identify import Alone, Sightings
from linkage.kernel import kernel

Lives = NDArray[np.int64]

MIX: Final = 20
"""Swaps for each mended tie."""

TRIES: Final = 1_000
"""So often a double tie looks for another to swap with."""


def rewired(sightings: Sightings, seed: int) -> Sightings:
    """The sightings, tied at random.

    `count`, `most`, `first` and `last` stay with the account's end of a tie, `kind`, `ceiling`, `rivals` and `chance`
    with the identifier. The order of the rows given changes nothing, as long as `alone` is sorted.

    Args:
        sightings: as identified.
        seed: of the draw, 0 or more.

    Returns:
        sightings sorted as ever; nobody is `alone`.
    """
    s, alone = sightings, sightings.alone
    account = np.concatenate((s.account, alone.account))
    kind = np.concatenate((s.kind[s.identifier], alone.kind))
    held = np.concatenate((s.identifier, np.full(len(alone.account), -1, np.int32)))
    order = np.lexsort((held, account, kind))
    start = np.searchsorted(kind[order], np.arange(len(s.kinds) + 1)).astype(np.int64)
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    drawn = _rewire(start, account[order], held[order], len(s.kind), state, MIX, TRIES)
    order, drawn = order[drawn >= 0], drawn[drawn >= 0]
    place = np.lexsort((account[order], drawn))
    order, drawn = order[place], drawn[place]

    def with_account(shared: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
        both: NDArray[np.int64] = np.concatenate((shared, own))[order]
        return both

    return replace(
        s,
        account=account[order],
        identifier=drawn,
        count=with_account(s.count, alone.count),
        most=with_account(s.most, alone.most),
        first=with_account(s.first, alone.first),
        last=with_account(s.last, alone.last),
        alone=Alone.nobody(),
    )


def exchanged(sightings: Sightings, tied: NDArray[np.int32], seed: int) -> tuple[Sightings, Lives]:
    """The sightings, with accounts that lead each other's lives.

    Args:
        sightings: as rewired.
        tied: int32[…], the accounts that were seen with anything; the others keep their lives.
        seed: of the draw, 0 or more.

    Returns:
        the sightings with `behaviour` exchanged, and whose life each account leads (int64[A]).
    """
    lives = np.arange(sightings.accounts)
    lives[tied] = np.random.default_rng((seed, 1)).permutation(tied)
    return replace(sightings, behaviour=sightings.behaviour[lives]), lives


def by_chance(sightings: Sightings) -> Sightings:
    """The sightings without the identifiers that a test has found beyond chance."""
    s = sightings
    kept = np.isinf(s.ceiling)
    if kept.all():
        return s
    number = np.cumsum(kept) - 1
    ties = kept[s.identifier]
    return replace(
        s,
        account=s.account[ties],
        identifier=number[s.identifier[ties]].astype(np.int32),
        count=s.count[ties],
        most=s.most[ties],
        first=s.first[ties],
        last=s.last[ties],
        kind=s.kind[kept],
        ceiling=s.ceiling[kept],
        rivals=s.rivals[kept],
        chance=s.chance[kept] if len(s.chance) else s.chance,
    )


@kernel
def _rewire(start, account, held, identifiers, state, mix, tries):  # type: ignore[no-untyped-def]
    """The identifier of each end after the draw, or -1. Ends of kind k are [start[k], start[k + 1])."""
    out = held.copy()
    double = np.zeros(len(held), np.bool_)
    for k in range(len(start) - 1):
        low, high = start[k], start[k + 1]
        for x in range(low + 1, high):
            y = low + _draw(state, x - low + 1)
            out[x], out[y] = out[y], out[x]
        table = _table(out, low, high)
        doubles = 0
        for x in range(low, high):
            double[x] = out[x] >= 0 and not _add(table, account[x] * identifiers + out[x] + 1)
            doubles += double[x]
        mended = doubles == 0 or _mend(table, account, out, double, low, high, identifiers, state, tries)
        swaps = min(mix * doubles, mix * (high - low))
        if not mended:
            out[low:high] = held[low:high]
            swaps = mix * (high - low)
            table[:] = 0
            for x in range(low, high):
                double[x] = False
                if out[x] >= 0:
                    _add(table, account[x] * identifiers + out[x] + 1)
        for _ in range(swaps):
            x = low + _draw(state, high - low)
            y = low + _draw(state, high - low)
            _swap(table, account, out, double, x, y, identifiers)
    return out


@kernel
def _mend(table, account, out, double, low, high, identifiers, state, tries):  # type: ignore[no-untyped-def]
    """Swap double ties away; False where one finds no partner."""
    for x in range(low, high):
        if not double[x]:
            continue
        # The other tie may have been swapped away meanwhile.
        if _add(table, account[x] * identifiers + out[x] + 1):
            double[x] = False
            continue
        for _ in range(tries):
            if _swap(table, account, out, double, x, low + _draw(state, high - low), identifiers):
                break
        if double[x]:
            return False
    return True


@kernel
def _swap(table, account, out, double, x, y, identifiers):  # type: ignore[no-untyped-def]
    """Let two ends exchange their identifiers if neither gets one that its account has; True if they did."""
    i, j = out[x], out[y]
    if i == j or account[x] == account[y]:
        return False
    mine, theirs = account[x] * identifiers + 1, account[y] * identifiers + 1
    if j >= 0 and table[_place(table, mine + j)] != 0:
        return False
    if i >= 0 and table[_place(table, theirs + i)] != 0:
        return False
    # A double tie stands in the table for its other copy.
    if i >= 0 and not double[x]:
        _remove(table, mine + i)
    if j >= 0 and not double[y]:
        _remove(table, theirs + j)
    if j >= 0:
        _add(table, mine + j)
    if i >= 0:
        _add(table, theirs + i)
    out[x], out[y] = j, i
    double[x] = double[y] = False
    return True


@kernel
def _draw(state, size):  # type: ignore[no-untyped-def]
    """A number from 0 to size - 1: splitmix64 (Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.int64(np.float64(z >> np.uint64(11)) * 2.0**-53 * size)


# A set of ties: open addressing with linear probing (Knuth, The Art of Computer Programming 3, 6.4). 0 is no tie.


@kernel
def _table(out, low, high):  # type: ignore[no-untyped-def]
    ties = 0
    for x in range(low, high):
        ties += out[x] >= 0
    size = 4
    while size < 2 * ties:
        size *= 2
    return np.zeros(size, np.int64)


@kernel
def _home(key, size):  # type: ignore[no-untyped-def]
    return np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (size - 1)


@kernel
def _place(table, key):  # type: ignore[no-untyped-def]
    """Where the key is or would be."""
    at = _home(key, len(table))
    while table[at] != 0 and table[at] != key:
        at = (at + 1) & (len(table) - 1)
    return at


@kernel
def _add(table, key):  # type: ignore[no-untyped-def]
    """Put the key in; False if it is there."""
    at = _place(table, key)
    if table[at] != 0:
        return False
    table[at] = key
    return True


@kernel
def _remove(table, key):  # type: ignore[no-untyped-def]
    """Take the key out, and let those that probed past it move up."""
    mask = len(table) - 1
    gap = _place(table, key)
    at = gap
    while True:
        at = (at + 1) & mask
        if table[at] == 0:
            break
        if ((at - _home(table[at], len(table))) & mask) >= ((at - gap) & mask):
            table[gap] = table[at]
            gap = at
    table[gap] = 0
