"""Who is in a ring, how surely, and who merely touches it."""

from typing import Final

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from linkage.candidates import Candidates
from linkage.evidence import Weighed
from linkage.identify import NEVER

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
    tied = tied[np.argsort(labels[s.account[tied]], kind="stable")]
    of_group = labels[s.account[tied]]
    sizes = np.bincount(labels[labels >= 0]) if (labels >= 0).any() else np.zeros(0, np.int64)
    found = np.zeros(s.accounts, np.bool_)
    edges_start = np.searchsorted(of_group, np.arange(len(sizes) + 1))
    around_one = _around_one(of_group, s.account[tied], s.identifier[tied], len(sizes))
    for group, size in enumerate(sizes):
        if not 4 <= size <= BRIDGE_ACCOUNTS or around_one[group]:
            continue
        rows = tied[edges_start[group] : edges_start[group + 1]]
        for account in _articulation_accounts(s.account[rows].tolist(), s.identifier[rows].tolist()):
            found[account] = True
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


def _articulation_accounts(accounts: list[int], identifiers: list[int]) -> list[int]:
    graph: nx.Graph[tuple[str, int]] = nx.Graph()
    graph.add_edges_from((("a", a), ("i", i)) for a, i in zip(accounts, identifiers, strict=True))
    out = []
    for node in nx.articulation_points(graph):
        if node[0] != "a":
            continue
        without = graph.copy()
        without.remove_node(node)
        parts = [sum(1 for other in part if other[0] == "a") for part in nx.connected_components(without)]
        if sum(1 for accounts_in_part in parts if accounts_in_part >= 2) >= 2:
            out.append(node[1])
    return out
