"""Pieces of one ring, put together: groups that share hard evidence and look more like one hand together than apart.

A ring of many cards, or a chain, comes out of the communities in pieces, each too small to say much. Two groups become
one when

1. what they share beyond what each explains by itself, weighed as if they were accounts (`evidence.condense`), beats
   the prior of two such nodes;
2. their members behave alike (`LIKE` bits or more, `evidence.likeness`);
3. judged together they look as much like one hand (to `SLACK` bits) as the better of the two does alone.

The best pairs go first, each group once a round, until no pair passes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.candidates import Candidates
from linkage.evidence import Weighed, group_evidence, pair_prior
from linkage.evidence.condense import condense
from linkage.evidence.pairs import hard_pairs

LIKE: Final = 2.0
"""Bits that the likeness of two groups must have. Lower puts together rings that share a proxy service."""

LEAST: Final = -4.0
"""Groups with fewer bits of score are left alone: what is innocent need not be put together."""

HOLDERS: Final = 1_000
"""Values shared by more groups tie no pair of them."""

SLACK: Final = 0.1
"""Bits that two groups may lose by it: what they look like alone is never known to a tenth of a bit."""

ROUNDS: Final = 10

Labels = NDArray[np.int64]
Strength = Callable[[Labels], NDArray[np.float64]]


def unite(weighed: Weighed, candidates: Candidates, strength: Strength) -> Candidates:
    """The same candidates, pieces of one ring put together.

    Args:
        weighed, candidates: what the earlier steps found.
        strength: bits of the score of each group of a partition.
    """
    labels = candidates.labels
    refused: set[tuple[int, int, int, int]] = set()
    bits = strength(labels)
    for _ in range(ROUNDS if (labels >= 0).any() else 0):
        pairs = _best_pairs(weighed, labels, bits, refused)
        if not pairs:
            break
        # Each group is judged by itself: only those that might be united are judged anew.
        number = np.full(len(bits) + 1, -1)
        for at, (a, b, _) in enumerate(pairs):
            number[a] = number[b] = at
        together = strength(number[labels])
        passed = []
        for (a, b, name), united in zip(pairs, together.tolist(), strict=True):
            if united >= max(bits[a], bits[b]) - SLACK:
                passed.append((a, b))
                bits[min(a, b)] = united
            else:
                refused.add(name)
        # Groups are numbered by their smallest member, and so are united ones.
        bits = bits[_target(len(bits), passed) == np.arange(len(bits))]
        labels = _joined(labels, passed)
    if labels is candidates.labels:
        return candidates
    return replace(candidates, labels=labels, evidence=group_evidence(weighed, labels))


def _best_pairs(
    weighed: Weighed, labels: Labels, bits: NDArray[np.float64], refused: set[tuple[int, int, int, int]]
) -> list[tuple[int, int, tuple[int, int, int, int]]]:
    """Pairs of groups that meet the first two conditions, the best first, each group once."""
    groups = len(bits)
    alone = labels < 0
    node = np.where(alone, groups + np.cumsum(alone) - 1, labels)
    strong = np.zeros(int(node.max()) + 1, np.bool_)
    strong[:groups] = bits > LEAST
    nodes = condense(weighed, node, strong, HOLDERS)
    u, v, hard, soft = hard_pairs(nodes, HOLDERS, strong)
    alike = nodes.likeness.pair_bits(u, v)
    worth = hard + np.minimum(hard, soft + alike)
    good = np.flatnonzero((alike >= LIKE) & (worth > pair_prior(nodes.population)))
    first = np.unique(labels, return_index=True)[1][-groups:]
    size = np.bincount(labels[~alone], minlength=groups)
    taken = np.zeros(groups, np.bool_)
    pairs = []
    for at in good[np.lexsort((v[good], u[good], -worth[good]))].tolist():
        a, b = int(u[at]), int(v[at])
        name = (int(first[a]), int(first[b]), int(size[a]), int(size[b]))
        if not taken[a] and not taken[b] and name not in refused:
            taken[a] = taken[b] = True
            pairs.append((a, b, name))
    return pairs


def _target(groups: int, pairs: list[tuple[int, int]]) -> Labels:
    target = np.arange(groups)
    for a, b in pairs:
        target[max(a, b)] = min(a, b)
    return target


def _joined(labels: Labels, pairs: list[tuple[int, int]]) -> Labels:
    target = _target(int(labels.max()) + 1, pairs)
    number = np.cumsum(target == np.arange(len(target))) - 1
    return np.where(labels >= 0, number[target[np.maximum(labels, 0)]], -1)
