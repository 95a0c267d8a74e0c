"""Who is in a ring, how surely, and who merely touches it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.candidates import Candidates
from linkage.evidence import Weighed
from linkage.identify import NEVER
from linkage.kernel import kernel

CORE_BITS: Final = 6.0
"""Members tied by at least this many bits beyond the prior are `core`: odds of 64 to 1."""

OWNER_DAYS: Final = 7
"""Who held a payment method this long before everybody else in the ring may be its rightful owner."""

BRIDGE_ACCOUNTS: Final = 500
"""Bridges are looked for in rings of up to so many accounts."""


def confidence(net: NDArray[np.float64]) -> NDArray[np.float64]:
    """Posterior probability of membership, 1 / (1 + 2 ** -net), rounded to 4 digits.

    >>> confidence(np.array([0.0, 3.0])).tolist()
    [0.5, 0.8889]
    """
    return np.round(1.0 / (1.0 + np.exp2(-np.clip(net, -60, 60))), 4)


def owners(weighed: Weighed, candidates: Candidates) -> NDArray[np.bool_]:
    """Accounts that may be victims: tied to their ring by one payment method only, which they held first.

    The owner of a stolen card shares it with the ring, and nothing else, and had it before. True only where the other
    members are tied by more than that card, so that the ring stands without the owner.

    Returns:
        bool[A].
    """
    s, labels, credit = weighed.sightings, candidates.labels, candidates.evidence.credit
    counted = credit > 0
    ties = np.bincount(s.account[counted], minlength=s.accounts)
    groups = int(labels.max(initial=-1)) + 1
    inside = labels >= 0
    mean_ties = np.bincount(labels[inside], ties[inside], minlength=groups) / np.maximum(
        np.bincount(labels[inside], minlength=groups), 1
    )
    payment = np.array([kind.name == "payment" for kind in weighed.kinds], dtype=np.bool_)
    found = np.zeros(s.accounts, np.bool_)
    if not payment.any():
        return found
    single = counted & payment[s.kind[s.identifier]] & (ties[s.account] == 1) & (s.first != NEVER)
    for at in np.flatnonzero(single):
        account, identifier = s.account[at], s.identifier[at]
        span = slice(weighed.by_identifier[identifier], weighed.by_identifier[identifier + 1])
        fellows = (labels[s.account[span]] == labels[account]) & (s.account[span] != account)
        theirs = s.first[span][fellows]
        days = (theirs.min() - s.first[at]) / 86_400_000_000 if len(theirs) and theirs.min() != NEVER else 0.0
        found[account] = days >= OWNER_DAYS and mean_ties[labels[account]] >= 2
    return found


def bridges(weighed: Weighed, candidates: Candidates) -> NDArray[np.bool_]:
    """Members whose removal splits their ring: articulation points that part two or more others from the rest.

    Returns:
        bool[A].
    """
    s, labels = weighed.sightings, candidates.labels
    tied = np.flatnonzero(candidates.evidence.credit > 0)
    of_group = labels[s.account[tied]]
    sizes = np.bincount(labels[labels >= 0]) if (labels >= 0).any() else np.zeros(0, np.int64)
    small = (
        (sizes >= 4)
        & (sizes <= BRIDGE_ACCOUNTS)
        & ~_around_one(of_group, s.account[tied], s.identifier[tied], len(sizes))
    )
    tied, of_group = tied[small[of_group]], of_group[small[of_group]]
    # An identifier is another node in each group.
    held, value = np.unique(of_group << 32 | s.identifier[tied], return_inverse=True)
    account = s.account[tied].astype(np.int64)
    ends = np.concatenate((account, value + s.accounts)), np.concatenate((value + s.accounts, account))
    nodes = s.accounts + len(held)
    order = np.argsort(ends[0], kind="stable")
    start = np.searchsorted(ends[0][order], np.arange(nodes + 1))
    found: NDArray[np.bool_] = _bridges(start, ends[1][order], s.accounts, labels, len(sizes))
    return found


def _around_one(
    group: NDArray[np.int64], account: NDArray[np.int32], identifier: NDArray[np.int32], groups: int
) -> NDArray[np.bool_]:
    """bool[groups]: those in which one identifier ties all accounts, whoever is taken out. Most are such."""
    members = np.bincount(np.unique(group << 32 | account) >> 32, minlength=groups)
    held, holders = np.unique(group << 32 | identifier, return_counts=True)
    most = np.zeros(groups, np.int64)
    np.maximum.at(most, held >> 32, holders)
    found: NDArray[np.bool_] = most == members
    return found


@kernel
def _bridges(start, other, accounts, labels, groups):  # type: ignore[no-untyped-def]
    """Accounts without which two parts of two accounts or more are left of their group.

    Nodes below `accounts` are accounts, the others what they share. One depth-first search tells for each account the
    subtrees that hang on it alone (Hopcroft and Tarjan 1973, doi:10.1145/362248.362272).
    """
    n = len(start) - 1
    found_at, low = np.full(n, -1), np.zeros(n, np.int64)
    held = np.zeros(n, np.int64)  # accounts in the subtree
    cut, large, cut_held = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    at, parent, stack = start[:-1].copy(), np.full(n, -1), np.empty(n, np.int64)
    root, parts = np.full(accounts, -1), np.zeros(groups, np.int64)
    clock = 0
    for first in range(accounts):
        if found_at[first] >= 0 or start[first] == start[first + 1]:
            continue
        depth, stack[0] = 1, first
        while depth > 0:
            x = stack[depth - 1]
            if found_at[x] < 0:
                found_at[x] = low[x] = clock
                clock += 1
                if x < accounts:
                    held[x] = 1
                    root[x] = first
            if at[x] < start[x + 1]:
                y = other[at[x]]
                at[x] += 1
                if found_at[y] < 0:
                    parent[y] = x
                    stack[depth] = y
                    depth += 1
                elif y != parent[x]:
                    low[x] = min(low[x], found_at[y])
                continue
            depth -= 1
            p = parent[x]
            if p < 0:
                continue
            held[p] += held[x]
            low[p] = min(low[p], low[x])
            if low[x] >= found_at[p]:
                cut[p] += 1
                cut_held[p] += held[x]
                large[p] += held[x] > 1
        parts[labels[first]] += held[first] > 1
    bridge = np.zeros(accounts, np.bool_)
    for x in range(accounts):
        if root[x] < 0 or cut[x] < (2 if root[x] == x else 1):
            continue
        whole = held[root[x]]
        rest = whole - 1 - cut_held[x]
        bridge[x] = large[x] + (rest > 1) + parts[labels[x]] - (whole > 1) > 1
    return bridge
