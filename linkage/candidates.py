"""Communities that deserve a look: from weighed sightings to candidate groups of accounts.

1. Tie every two accounts that share anything but hubs, and the holders of each hub loosely (`evidence.pair_edges`).
2. Find tight cores: Leiden under CPM at gamma = the pair prior, so that a core's accounts share, on average over all
   its pairs, more bits than two strangers need.
3. No single gamma serves rings of 3 and of 20,000. Lower it step by step (`RUNGS`); the communities of a lower gamma
   are unions of those of a higher one.
4. At each step a piece joins its union only if the union explains more of what the piece's own accounts share than
   the piece alone does, and still ties them (`evidence.group_evidence`). A ring behind a campus address stays itself:
   in the campus its card is diluted and nothing is gained. A pool of 500 weak addresses becomes one group: each
   piece alone leaves most of its shared addresses unexplained.
5. Accounts that are left over join the group that explains them, and members whose ties do not beat the prior leave.
6. Leiden's result depends on the order in which it visits the accounts. So all of this is done `RUNS` times, each in
   another order, and what most runs agree on is kept (`consensus`).
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.communities import Graph, communities, ladder
from linkage.communities.graph import numbered
from linkage.communities.heavy import Heavy
from linkage.communities.nearness import places
from linkage.consensus import consensus
from linkage.errors import UsageError
from linkage.evidence import PARTNERS, GroupEvidence, Weighed, group_evidence, group_ties, pair_edges, pair_prior
from linkage.evidence.groups import by_group
from linkage.kernel import kernel

RUNGS: Final = 7
"""How many gammas are tried, each a quarter of the one before."""

STEP: Final = 4.0

RUNS: Final = 5
"""Partitions of which the consensus is taken. More are steadier, and cost their time."""

ROUNDS: Final = 3
"""How often left-over accounts may join and weak members leave."""

JOIN_BITS: Final = 1.0
"""What a left-over account must share with a group beyond the prior to join it. Higher: fewer, surer members."""

GROUP_BITS: Final = float(np.log2(PARTNERS))
"""What a group of its own costs. Higher lets more pieces join their union at some dilution of what they share."""

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Groups of accounts, before anybody judged them.

    Attributes:
        labels: int64[A], the group of each account, numbered from 0 by smallest member; -1 for none.
        evidence: what ties each account to its group.
        stability: float64[A], the share of runs in which most of an account's companions are of its group here.
        edges: how many pairs of accounts were tied.
        communities: how many communities the algorithm gave at its first level.
    """

    labels: Labels
    evidence: GroupEvidence
    stability: NDArray[np.float64]
    edges: int
    communities: int


def find(
    weighed: Weighed,
    *,
    algorithm: str = "leiden",
    seed: int = 1,
    resolution: float = 0.0,
    min_accounts: int = 3,
    hub_degree: int = 100,
    partition: Callable[[Graph], Labels] | None = None,
) -> Candidates:
    """Candidate groups of at least `min_accounts` accounts.

    Args:
        weighed: the sightings.
        algorithm: one of `communities.ALGORITHMS`.
        seed: of the algorithm's order of visits.
        resolution: bits added to the pair prior; higher gives tighter and smaller groups.
        min_accounts: the smallest group kept.
        hub_degree: see `evidence.pair_edges`.
        partition: gives the communities in the place of `algorithm`, on one level; seed and resolution are its own.

    Raises:
        UsageError: an unknown algorithm, or a resolution that it cannot take.
    """
    u, v, bits = pair_edges(weighed, hub_degree)
    accounts, edges = weighed.sightings.accounts, len(u)
    place = None
    if partition is None and algorithm == "leiden":
        place = places(accounts, u, v, bits)
        u, v = place[u], place[v]
    graph = Graph.from_edges(accounts, u, v, bits)
    del u, v, bits  # Of a large case they take as much memory as the graph.
    gamma = pair_prior(weighed.population)
    if gamma + resolution <= 0:
        raise UsageError(f"A resolution of {resolution:g} leaves no prior.", f"Use more than {-gamma:.1f} bits.")
    stability = np.ones(accounts)
    if partition is not None:
        first = labels = partition(graph)
    elif place is not None:
        gammas = [(gamma + resolution) / STEP**rung for rung in range(RUNGS)]

        heavy = Heavy.of(graph, gammas[0])

        def rungs(number: int) -> list[Labels]:
            return ladder(graph, gammas, seed=seed + number * RUNGS, heavy=heavy)

        def settled(found: Future[list[Labels]]) -> tuple[Labels, Labels]:
            levels = [numbered(level[place]) for level in found.result()]
            climbed, net = _climb(weighed, levels)
            return levels[0], _settle(weighed, at_least(climbed, 2), min_accounts, net)

        # The kernels leave the other threads alone, and the order of the results is that of the runs. All ladders come
        # first: what follows is shorter, and fills the gap that an odd number of them leaves.
        with ThreadPoolExecutor(max_workers=2) as pool:
            ladders = [pool.submit(rungs, number) for number in range(RUNS)]
            runs = list(pool.map(settled, ladders))
        first = runs[0][0]
        labels, stability = consensus([found for _, found in runs])
    else:
        first = labels = communities(graph, algorithm, gamma=gamma, shift=resolution, seed=seed)
    labels = _settle(weighed, at_least(labels, 2), min_accounts)
    evidence = group_evidence(weighed, labels)
    return Candidates(labels, evidence, stability, edges, int(first.max(initial=-1)) + 1)


def _climb(weighed: Weighed, levels: list[Labels]) -> tuple[Labels, Floats]:
    """Step 4: climb the ladder, a piece at a time.

    Returns:
        the group of each account, and its bits beyond the prior, NaN where they are not known.
    """
    labels = levels[0]
    net, explained = np.full((2, len(labels)), np.nan)  # by each account's piece; NaN where that is not known
    for level in levels[1:]:
        start, members = by_group(labels)
        first, pieces = members[start[:-1]], len(start) - 1
        # A union of one piece is that piece: nothing is to be decided, and nothing to be weighed.
        several = (np.bincount(level[first]) > 1)[level]
        unknown = several & np.isnan(explained)
        for known, found in zip((net, explained), group_ties(weighed, np.where(unknown, labels, -1)), strict=True):
            known[unknown] = found[unknown]
        union_net, union = group_ties(weighed, np.where(several, level, -1))
        gain = np.bincount(labels, np.where(several, union - explained, 0.0), minlength=pieces)
        tied = np.bincount(labels, union_net, minlength=pieces)
        # A group must be worth its own existence: where several of them meet, each may give that up.
        grouped = np.diff(start) > 1
        meet = np.bincount(level[first], grouped)[level[first]] > 1
        joins = several[first] & (gain + np.where(grouped & meet, GROUP_BITS, 0.0) > 1e-9) & (tied > 0)
        joining = np.bincount(level[first], joins)[level]
        whole = several & (joining == np.bincount(level[first])[level])
        partly = joins[labels] & (joining > 1)
        net, explained = (
            np.where(whole, new, np.where(partly, np.nan, old)) for old, new in ((net, union_net), (explained, union))
        )
        # Labels of unions follow those of the pieces that stay as they are.
        labels = numbered(np.where(joins[labels], level + pieces, labels))
    return labels, net


def _settle(weighed: Weighed, labels: Labels, min_accounts: int, known: Floats | None = None) -> Labels:
    """Step 5: left-over accounts join, weak members leave, until nothing changes.

    Args:
        weighed, labels, min_accounts: the groups, and the smallest that is kept.
        known: bits beyond the prior of each member, as `_climb` gives them, if they are known.
    """
    net = _Net(weighed, labels, known)
    for _ in range(ROUNDS):
        before = labels
        joined = np.where(labels < 0, _nearest_group(weighed, labels), labels)
        bits = net.of(joined)
        keeps = np.where(labels < 0, bits > JOIN_BITS, bits > 0.0)
        labels = at_least(np.where(keeps, joined, -1), 2)
        if np.array_equal(labels, before):
            break
    while True:
        # Who leaves weakens those who stay: repeat until everybody left is tied.
        smaller = at_least(np.where(net.of(labels) > 0.0, labels, -1), min_accounts)
        if np.array_equal(smaller, labels):
            return labels
        labels = smaller


class _Net:
    """`group_ties(...)` of one partition after another: only groups that changed are weighed again."""

    def __init__(self, weighed: Weighed, labels: Labels, known: Floats | None) -> None:
        self._weighed = weighed
        known = np.full(len(labels), np.nan) if known is None else known
        self._bits, self._labels = np.nan_to_num(known), np.where(np.isnan(known), -1, labels)

    def of(self, labels: Labels) -> Floats:
        """float64[A], bits beyond the prior; 0 for accounts in no group."""
        changed = ~_same_groups(self._labels, labels) & (labels >= 0)
        again, _ = group_ties(self._weighed, np.where(changed, labels, -1))
        self._bits = np.where(labels < 0, 0.0, np.where(changed, again, self._bits))
        self._labels = labels
        return self._bits


def _same_groups(one: Labels, other: Labels) -> NDArray[np.bool_]:
    """Whether each account's group has the very same members in both partitions."""
    out = np.zeros(len(one), np.bool_)
    both = np.flatnonzero((one >= 0) & (other >= 0))
    if len(both):
        sizes = [np.bincount(labels[labels >= 0]) for labels in (one, other)]
        pair, inverse, common = np.unique(
            one[both] * len(sizes[1]) + other[both], return_inverse=True, return_counts=True
        )
        same = (common == sizes[0][pair // len(sizes[1])]) & (common == sizes[1][pair % len(sizes[1])])
        out[both] = same[inverse]
    return out


def at_least(labels: Labels, accounts: int) -> Labels:
    """Groups of fewer accounts are dissolved; the others are numbered by their smallest member."""
    if not len(labels) or labels.max() < 0:
        return labels
    sizes = np.bincount(labels[labels >= 0])
    kept = np.where((labels >= 0) & (sizes[labels] >= accounts), labels, -1)
    found: Labels = numbered(kept)
    return found


def _nearest_group(weighed: Weighed, labels: Labels) -> Labels:
    """For each account without a group the one that shares most with it, if that could beat the prior; else -1."""
    s = weighed.sightings
    groups = int(labels.max(initial=-1)) + 1
    if groups == 0:
        return labels
    sizes = np.bincount(labels[labels >= 0], minlength=groups).astype(np.float64)
    start, group, members = _groups_of(weighed.by_identifier, s.account, labels, groups)
    hard = ~weighed.kind_fakeable[s.kind]
    found: Labels = _nearest(
        weighed.by_account, weighed.account_order, weighed.by_identifier, s.identifier, weighed.habit,
        weighed.reliability_bits, hard, labels, sizes, start, group, members, weighed.population, PARTNERS,
    )  # fmt: skip
    return found


@kernel
def _groups_of(by_identifier, account, labels, groups):  # type: ignore[no-untyped-def]
    """For each identifier the groups among its holders, and how many of their members hold it."""
    counts = np.zeros(groups, np.int32)
    start = np.zeros(len(by_identifier), np.int64)
    group, members = np.empty(len(account), np.int32), np.empty(len(account), np.int32)
    filled = 0
    for i in range(len(by_identifier) - 1):
        first = filled
        for at in range(by_identifier[i], by_identifier[i + 1]):
            c = labels[account[at]]
            if c >= 0:
                if counts[c] == 0:
                    group[filled] = c
                    filled += 1
                counts[c] += 1
        for x in range(first, filled):
            members[x] = counts[group[x]]
            counts[group[x]] = 0
        start[i + 1] = filled
    return start, group[:filled].copy(), members[:filled].copy()


@kernel
def _nearest(  # type: ignore[no-untyped-def]
    by_account, order, by_identifier, identifier, habit, reliability, hard, labels, sizes, start, group, members,
    population, partners,
):  # fmt: skip
    n = len(by_account) - 1
    out = labels.copy()
    score = np.zeros(len(sizes))
    touched = np.empty(len(sizes), np.int32)
    for a in range(n):
        if labels[a] >= 0:
            continue
        n_touched = 0
        for at in range(by_account[a], by_account[a + 1]):
            here = order[at]
            i = identifier[here]
            # A hub with very many groups among its holders tells them apart by next to nothing.
            if not hard[i] or start[i + 1] - start[i] > 64:
                continue
            d = by_identifier[i + 1] - by_identifier[i]
            for x in range(start[i], start[i + 1]):
                c = group[x]
                fact = habit[here] * (reliability[i] + np.log2(members[x] / (d - 1) * population / sizes[c]))
                if fact <= 0.0:
                    continue
                if score[c] == 0.0:
                    touched[n_touched] = c
                    n_touched += 1
                score[c] += fact
        best = 0.0
        for x in range(n_touched):
            c = touched[x]
            beyond = score[c] - np.log2(population / (partners + sizes[c]))
            if beyond > best or (beyond == best and best > 0.0 and c < out[a]):
                best = beyond
                out[a] = c
            score[c] = 0.0
    return out
